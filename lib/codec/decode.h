/*
 * Decompression. The format is recognised by its first bytes: gzip (RFC 1952), zstd (RFC
 * 8878), xz, bzip2, lz4 frames. Checksums, lengths and trailers of each format are
 * checked. Several members in a row are one stream, as with the formats' own tools;
 * trailing bytes that are neither a member nor (gzip) zero padding are an error. A
 * decoder's window is at most 128 MiB; only one decoder in the process may have a window
 * over 8 MiB at a time, others wait.
 */
#ifndef OVL_DECODE_H
#define OVL_DECODE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DECODE_WINDOW_LOG 27
/* Enough bytes to recognise any of them. */
#define DECODE_MAGIC_LEN 10

struct decode_io {
	const unsigned char *in;
	size_t in_len; /* fits into an int, as does out_len: so some libraries have it */
	unsigned char *out;
	size_t out_len;
};

struct codec {
	const char *name;
	size_t size; /* of the state, which is zeros before init */
	/* Allocates what run needs; false: out of memory. May be NULL. */
	bool (*init)(void *state);
	/*
	 * Reads from io->in, writes to io->out and advances both. 1: the input may end
	 * here; 0: it may not; negative errno and a text.
	 */
	int (*run)(void *state, struct decode_io *io, struct ovl_err *err);
	void (*release)(void *state); /* may be NULL */
};

/* The codec for a stream with these first bytes; never NULL: "none" is a codec too. */
const struct codec *decode_detect(const unsigned char *p, size_t n);

/* The state for a stream; NULL: out of memory. */
void *decode_open(const struct codec *c);
void decode_close(const struct codec *c, void *state);

/* gzip with zlib; gunzip_best() is ISA-L if that is installed, else zlib. */
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

/* Called after a member: 0 if another one begins (with the byte first, unless that is
 * -1), 1 if the input may end here, negative errno if there is something else. */
int decode_go_on(struct decode_end *e, struct decode_io *io, const char *format,
	int first, struct ovl_err *err);

/* Advances io by in and out bytes. */
static inline void decode_moved(struct decode_io *io, size_t in, size_t out)
{
	io->in += in;
	io->in_len -= in;
	io->out += out;
	io->out_len -= out;
}

#endif
