/*
 * Parallel gzip (RFC 1952). The input is cut into blocks of 512 KiB; each is deflated on
 * its own, with the 32 KiB before it as dictionary, and ends on a byte boundary
 * (Z_SYNC_FLUSH), so that the pieces joined are one deflate stream:
 *
 *	caller fills    [b5]         ring of blocks
 *	threads deflate [b4][b3]
 *	caller writes   [b2] -> sink, in order
 *
 * The input alone decides where a block ends: the same input gives the same bytes, with
 * any number of threads and however it is split into calls. Threads are started as blocks
 * arrive, so a short input starts one or none.
 */
#ifndef OVL_PARGZ_H
#define OVL_PARGZ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/sink.h"

struct pargz;

/* Uses at most that many threads; NULL: out of memory. */
struct pargz *pargz_new(unsigned threads);
/* Takes all of p; end: also ends the stream. The sink is called on the caller's
 * thread. */
int pargz_run(struct pargz *g, const void *p, size_t n, bool end, sink_fn sink, void *ctx,
	struct ovl_err *err);
/* Stops the threads, whatever they are doing, and frees everything. */
void pargz_free(struct pargz *g);

#endif
