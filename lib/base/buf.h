/*
 * A growing byte buffer. A struct of zeros is an empty buffer. The bytes are always
 * followed by a NUL that len does not count. A failed allocation sets b->failed and turns
 * later calls into no-ops, so a row of appends needs only one check at the end.
 */
#ifndef OVL_BUF_H
#define OVL_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t size;
	bool failed;
};

void buf_release(struct buf *b);
void buf_clear(struct buf *b);
bool buf_reserve(struct buf *b, size_t extra);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_cut(struct buf *b, size_t len);
/* Returns the bytes, NUL-terminated, for the caller to free; NULL if an allocation has
 * failed. */
char *buf_steal(struct buf *b);

#define auto_buf __attribute__((cleanup(buf_release))) struct buf

#endif
