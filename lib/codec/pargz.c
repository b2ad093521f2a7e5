/* SPDX-License-Identifier: ISC */
/* Parallel gzip, with the same output for any number of threads. */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/thread.h"
#include "codec/pargz.h"

#define DICT  32768u
#define BLOCK (512u * 1024)
/* deflateBound() of a block, plus what the flush adds. */
#define OUT (BLOCK + BLOCK / 8 + BLOCK / 64 + 64)

struct block {
	unsigned char *in; /* DICT bytes of the input before it, then the block */
	unsigned char *out;
	size_t n;
	size_t out_n;
	unsigned long crc;
	bool first; /* it needs no dictionary */
	bool last;
	bool done;
	bool failed;
};

struct pargz {
	pthread_mutex_t mutex;
	pthread_cond_t filled_one; /* signalled to the threads */
	pthread_cond_t done_one; /* signalled to the caller */
	pthread_t *thread;
	unsigned threads; /* running */
	unsigned max_threads;
	bool quit;
	struct block *ring;
	unsigned size;
	unsigned char *space; /* of the blocks; they use of it what they need */
	/* Counts of blocks that were filled by the caller, taken by threads, and given to
	 * the sink. */
	uint64_t filled, taken, given;
	unsigned long crc;
	uint64_t total;
	bool begun;
	sink_fn sink; /* of the current call, as are ctx and err */
	void *ctx;
	struct ovl_err *err;
};

static int fail_gzip(struct pargz *g, int errnum)
{
	return err_sys(g->err, errnum, "cannot compress with gzip");
}

/* ---- the threads ------------------------------------------------------------------ */

static bool deflate_block(z_stream *z, struct block *b)
{
	int r;

	if (deflateReset(z) != Z_OK)
		return false;
	if (!b->first && deflateSetDictionary(z, b->in, DICT) != Z_OK)
		return false;
	b->crc = crc32_z(crc32(0, NULL, 0), b->in + DICT, b->n);
	z->next_in = b->in + DICT;
	z->avail_in = (unsigned)b->n;
	z->next_out = b->out;
	z->avail_out = OUT;
	r = deflate(z, b->last ? Z_FINISH : Z_SYNC_FLUSH);
	b->out_n = OUT - z->avail_out;
	return r == (b->last ? Z_STREAM_END : Z_OK) && !z->avail_in && z->avail_out;
}

/* The next block to deflate; NULL if there are no more. The mutex must be locked, and is
 * when this returns. */
static struct block *next_block(struct pargz *g)
{
	while (g->taken == g->filled && !g->quit)
		pthread_cond_wait(&g->filled_one, &g->mutex);
	return g->quit ? NULL : &g->ring[g->taken++ % g->size];
}

static void *deflate_worker(void *arg)
{
	struct pargz *g = arg;
	z_stream z = {0};
	bool ready = deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK;
	struct block *b;

	pthread_mutex_lock(&g->mutex);
	while ((b = next_block(g))) {
		bool ok;

		pthread_mutex_unlock(&g->mutex);
		ok = ready && deflate_block(&z, b);
		pthread_mutex_lock(&g->mutex);
		b->failed = !ok;
		b->done = true;
		pthread_cond_signal(&g->done_one);
	}
	pthread_mutex_unlock(&g->mutex);
	if (ready)
		deflateEnd(&z);
	return NULL;
}

/* Starts another thread unless there are enough for the waiting blocks. Fails, with
 * negative errno, only if there is no thread at all. */
static int start_thread(struct pargz *g)
{
	int rc;

	if (g->threads == g->max_threads || g->threads >= g->filled)
		return 0;
	rc = thread_start(&g->thread[g->threads], deflate_worker, g);
	if (rc == 0)
		g->threads++;
	return g->threads ? 0 : fail_gzip(g, rc);
}

/* ---- the caller ------------------------------------------------------------------- */

/* Gives the oldest block to the sink; with wait, waits until it is done. 1 if given, 0 if
 * not done, -errno. */
static int give_oldest(struct pargz *g, bool wait)
{
	struct block *b = &g->ring[g->given % g->size];
	bool done;
	int rc;

	if (g->given == g->filled)
		return 0;
	pthread_mutex_lock(&g->mutex);
	while (!b->done && wait)
		pthread_cond_wait(&g->done_one, &g->mutex);
	done = b->done;
	pthread_mutex_unlock(&g->mutex);
	if (!done)
		return 0;
	if (b->failed)
		return fail_gzip(g, ENOMEM); /* deflate can fail for no other reason */
	g->crc = crc32_combine(g->crc, b->crc, (z_off_t)b->n);
	g->total += b->n;
	g->given++;
	rc = g->sink(g->ctx, b->out, b->out_n, g->err);
	return rc < 0 ? rc : 1;
}

/* Hands the current block to the threads and begins the next. */
static int submit(struct pargz *g, bool last)
{
	struct block *full = &g->ring[g->filled % g->size];
	struct block *next;
	int r;

	full->last = last;
	full->first = g->filled == 0;
	full->done = false;
	pthread_mutex_lock(&g->mutex);
	g->filled++;
	pthread_cond_signal(&g->filled_one);
	pthread_mutex_unlock(&g->mutex);
	r = start_thread(g);
	if (r < 0)
		return r;
	r = 1;
	while (r > 0)
		r = give_oldest(g, last || g->filled - g->given == g->size);
	if (r < 0 || last)
		return r;
	next = &g->ring[g->filled % g->size];
	memcpy(next->in, full->in + BLOCK, DICT);
	next->n = 0;
	return 0;
}

static int begin_stream(struct pargz *g)
{
	/* A header without name and time, for Unix. */
	static const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};

	g->begun = true;
	g->crc = crc32(0, NULL, 0);
	return g->sink(g->ctx, header, sizeof(header), g->err);
}

static int finish_stream(struct pargz *g)
{
	uint32_t trailer[2];
	int r = submit(g, true);

	trailer[0] = htole32((uint32_t)g->crc);
	trailer[1] = htole32((uint32_t)g->total);
	return r < 0 ? r : g->sink(g->ctx, trailer, sizeof(trailer), g->err);
}

int pargz_run(struct pargz *g, const void *p, size_t n, bool end, sink_fn sink, void *ctx,
	struct ovl_err *err)
{
	const unsigned char *at = p;
	int r;

	g->sink = sink;
	g->ctx = ctx;
	g->err = err;
	r = g->begun ? 0 : begin_stream(g);
	while (n && r == 0) {
		struct block *b = &g->ring[g->filled % g->size];
		size_t now = BLOCK - b->n < n ? BLOCK - b->n : n;

		memcpy(b->in + DICT + b->n, at, now);
		b->n += now;
		at += now;
		n -= now;
		if (b->n == BLOCK)
			r = submit(g, false);
	}
	if (r == 0 && end)
		r = finish_stream(g);
	return r;
}

/* ----------------------------------------------------------------------------------- */

struct pargz *pargz_new(unsigned threads)
{
	struct pargz *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->max_threads = threads;
	g->size = threads + 2; /* one being filled, one done */
	g->thread = calloc(threads, sizeof(*g->thread));
	g->ring = calloc(g->size, sizeof(*g->ring));
	pthread_mutex_init(&g->mutex, NULL);
	pthread_cond_init(&g->filled_one, NULL);
	pthread_cond_init(&g->done_one, NULL);
	g->space = malloc(g->size * (DICT + BLOCK + OUT));
	if (!g->thread || !g->ring || !g->space) {
		pargz_free(g);
		return NULL;
	}
	for (unsigned i = 0; i < g->size; i++) {
		g->ring[i].in = g->space + i * (DICT + BLOCK + OUT);
		g->ring[i].out = g->ring[i].in + DICT + BLOCK;
	}
	return g;
}

void pargz_free(struct pargz *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->mutex);
	g->quit = true;
	pthread_cond_broadcast(&g->filled_one);
	pthread_mutex_unlock(&g->mutex);
	for (unsigned i = 0; i < g->threads; i++)
		pthread_join(g->thread[i], NULL);
	pthread_cond_destroy(&g->done_one);
	pthread_cond_destroy(&g->filled_one);
	pthread_mutex_destroy(&g->mutex);
	free(g->thread);
	free(g->ring);
	free(g->space);
	free(g);
}
