/*
 * A consumer of bytes that are produced in pieces: a tar, a compressed stream.
 */
#ifndef OVL_SINK_H
#define OVL_SINK_H

#include <stddef.h>

#include "base/err.h"

/* Takes the bytes; returns 0, or a negative errno and a text. */
typedef int (*sink_fn)(void *ctx, const void *p, size_t n, struct ovl_err *err);

/* Produces all of them. */
typedef int (*source_fn)(void *ctx, sink_fn sink, void *to, struct ovl_err *err);

/* For bytes that are only checked. */
static inline int sink_nowhere(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	(void)ctx;
	(void)p;
	(void)n;
	(void)err;
	return 0;
}

#endif
