/*
 * A growing run of bytes. buf_init / buf_release; a struct buf that is all zero is an
 * empty one. The bytes are always followed by a NUL that len does not count. An
 * allocation that fails marks the buffer (buf_failed) and later calls do nothing, so a
 * row of appends needs one check at its end.
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
/* The bytes, NUL-terminated, now the caller's to free; NULL when an allocation failed. */
char *buf_steal(struct buf *b);

#define auto_buf __attribute__((cleanup(buf_release))) struct buf

#endif
