/*
 * A gzip stream (RFC 1952) deflated on several cores. The input is cut into blocks of
 * 512 KiB; each is deflated by itself with the 32 KiB before it as dictionary and ends on
 * a byte (Z_SYNC_FLUSH), so that the pieces joined are one deflate stream:
 *
 *	caller fills    [b5]         ring of blocks
 *	threads deflate [b4][b3]
 *	caller gives    [b2] -> sink, in order
 *
 * Where a block ends depends on the input alone: the same input gives the same bytes, with
 * any number of threads and in whatever pieces it is written. Threads are started as blocks
 * come, so a short input starts one or none.
 */
#ifndef OVL_PARGZ_H
#define OVL_PARGZ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/sink.h"

struct pargz;

/* At most that many threads; NULL: no memory. */
struct pargz *pargz_new(unsigned threads);
/* Takes all of p. end: and ends the stream. The sink is called on the caller's thread. */
int pargz_run(struct pargz *g, const void *p, size_t n, bool end, sink_fn sink, void *ctx,
	struct ovl_err *err);
/* Stops the threads, wherever they are, and frees all. */
void pargz_free(struct pargz *g);

#endif
