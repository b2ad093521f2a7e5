/*
 * Compression: the one place that knows the formats that can be written, their names and
 * suffixes. The same input gives the same bytes, whatever the number of cores.
 */
#ifndef OVL_ENCODE_H
#define OVL_ENCODE_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/err.h"
#include "base/sink.h"

struct encode;

/* compress: none, gzip, zstd, xz, bzip2 or lz4; OVL_USAGE for anything else. When *stop is
 * set (NULL: never), further calls may fail with EINTR. */
int encode_open(struct encode **out, const char *compress, const atomic_int *stop,
	sink_fn sink, void *ctx, struct ovl_err *err);
/* A sink_fn, whose ctx is the struct encode. */
int encode_write(void *e, const void *p, size_t n, struct ovl_err *err);
/* Ends the stream; nothing may be written after it. */
int encode_finish(struct encode *e, struct ovl_err *err);
void encode_close(struct encode *e);

#endif
