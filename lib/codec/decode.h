/*
 * Compressed streams, told apart by their first bytes: gzip (RFC 1952), zstd (RFC 8878),
 * xz, bzip2, lz4 frames. Each format's own checksums, lengths and trailers are checked;
 * several members one after the other are one stream, as their own tools have it; bytes
 * that are neither member nor zeros at the end are an error. A decoder's window is at
 * most 128 MiB; of those over 8 MiB there is one at a time in the process, others wait.
 */
#ifndef OVL_DECODE_H
#define OVL_DECODE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DECODE_WINDOW_LOG 27
/* Enough bytes to know any of them. */
#define DECODE_MAGIC_LEN 10

struct decode_io {
	const unsigned char *in;
	size_t in_len;
	unsigned char *out;
	size_t out_len;
};

struct codec {
	const char *name;
	bool (*is)(const unsigned char *p, size_t n);
	void *(*open)(void);
	/*
	 * Takes from io->in, writes to io->out, moves both on. 1: the input may end here;
	 * 0: it may not; negative errno and a text.
	 */
	int (*run)(void *state, struct decode_io *io, struct ovl_err *err);
	void (*close)(void *state);
};

/* The codec for a stream that begins so; never NULL: "none" is one too. */
const struct codec *decode_detect(const unsigned char *p, size_t n);

/* gzip by zlib; and by ISA-L where that is installed, else by zlib. */
extern const struct codec *const gunzip_by_zlib;
const struct codec *gunzip_best(void);

/* ---- for codecs ------------------------------------------------------------------- */

static inline int decode_damaged(struct ovl_err *err, const char *format, const char *why)
{
	return err_say(err, EBADMSG, "damaged %s data: %s", format, why);
}

/* Where one member ended. */
struct decode_end {
	bool ended;
	bool padding; /* zeros came after it */
};

/* After a member: 0 another one begins, by its first byte if that is not -1; 1 the input
 * ends; negative errno. */
int decode_go_on(struct decode_end *e, struct decode_io *io, const char *format,
	int first, struct ovl_err *err);

/* in and out bytes of io are done with. */
static inline void decode_moved(struct decode_io *io, size_t in, size_t out)
{
	io->in += in;
	io->in_len -= in;
	io->out += out;
	io->out_len -= out;
}

#endif
