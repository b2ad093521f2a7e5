/* SPDX-License-Identifier: ISC */
/* A bounded queue that hands blocks of work to one thread; see workq.h. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/workq.h"
#include "base/thread.h"

#define BLOCK_SIZE (128 * 1024)
#define BLOCKS     8

/* Files that one block may close. Up to BLOCKS times that many are open when all blocks
 * are full, at most an eighth of the process's limit. */
#define FILES 16

/* Precedes the bytes of each item in a block. */
struct work_item {
	unsigned what;
	unsigned n;
};

struct workq {
	workq_fn fn;
	void *ctx;
	pthread_t thread;
	bool started;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned filled; /* blocks filled so far; block i is in slot i % BLOCKS */
	unsigned emptied;
	bool quit; /* no more blocks will come; the remaining items are only released */
	int rc; /* the first error in the thread */
	struct ovl_err err;

	size_t len[BLOCKS];
	unsigned char *data; /* BLOCKS * BLOCK_SIZE */
	size_t used; /* bytes in the block that is being filled */
	unsigned files; /* files that the block closes */
	unsigned most_files;
	void (*waiting)(void *ctx);
	void *waiting_ctx;
};

/* ---- the thread ------------------------------------------------------------------- */

static int run_items(struct workq *b, unsigned slot, int rc, struct ovl_err *err)
{
	const unsigned char *at = b->data + (size_t)slot * BLOCK_SIZE;
	const unsigned char *end = at + b->len[slot];

	while (at < end) {
		struct work_item it;
		int r;

		memcpy(&it, at, sizeof(it));
		at += sizeof(it);
		r = b->fn(b->ctx, it.what, at, it.n, rc < 0, rc < 0 ? NULL : err);
		rc = rc < 0 ? rc : r;
		at += it.n;
	}
	return rc;
}

static void *worker(void *ctx)
{
	struct workq *b = ctx;
	struct ovl_err err = {0};
	int rc = 0;

	pthread_mutex_lock(&b->mutex);
	for (;;) {
		unsigned slot = b->emptied % BLOCKS;

		while (b->filled == b->emptied && !b->quit)
			pthread_cond_wait(&b->changed, &b->mutex);
		if (b->filled == b->emptied)
			break;
		if (b->quit && rc == 0)
			rc = -ECANCELED;
		pthread_mutex_unlock(&b->mutex);
		rc = run_items(b, slot, rc, &err);
		pthread_mutex_lock(&b->mutex);
		if (rc < 0 && b->rc == 0) {
			b->rc = rc;
			b->err = err;
		}
		b->emptied++;
		pthread_cond_signal(&b->changed);
	}
	pthread_mutex_unlock(&b->mutex);
	return NULL;
}

/* ---- the caller's side ------------------------------------------------------------ */

/* Waits until the thread has made progress; at most a tenth of a second if there is a
 * function to call while waiting. */
static void wait_a_moment(struct workq *b)
{
	if (!b->waiting) {
		pthread_cond_wait(&b->changed, &b->mutex);
		return;
	}
	if (thread_wait(&b->changed, &b->mutex, 100) != ETIMEDOUT)
		return;
	pthread_mutex_unlock(&b->mutex);
	b->waiting(b->waiting_ctx);
	pthread_mutex_lock(&b->mutex);
}

/* Hands the block to the thread, then waits until at most this many blocks are still to
 * be done. */
static int hand_over(struct workq *b, unsigned most, struct ovl_err *err)
{
	int rc;

	pthread_mutex_lock(&b->mutex);
	if (b->used) {
		b->len[b->filled % BLOCKS] = b->used;
		b->filled++;
	}
	/* Do not wake the other side for every block. */
	if (b->filled - b->emptied >= BLOCKS / 2 || !most)
		pthread_cond_signal(&b->changed);
	if (b->filled - b->emptied > most)
		most /= 2;
	while (b->filled - b->emptied > most)
		wait_a_moment(b);
	rc = b->rc;
	if (rc < 0 && err)
		*err = b->err;
	pthread_mutex_unlock(&b->mutex);
	b->used = 0;
	b->files = 0;
	return rc;
}

int workq_put(struct workq *b, unsigned what, const void *head, size_t n_head,
	const void *p, size_t n, struct ovl_err *err)
{
	const struct work_item it = {.what = what, .n = (unsigned)(n_head + n)};
	unsigned char *to;

	if (it.n > WORKQ_MAX)
		return err_say(err, ENAMETOOLONG, "a path is too long");
	if (b->used + sizeof(it) + it.n > BLOCK_SIZE) {
		int rc = hand_over(b, BLOCKS - 1, err);

		if (rc < 0)
			return rc;
	}
	to = b->data + (size_t)(b->filled % BLOCKS) * BLOCK_SIZE + b->used;
	memcpy(to, &it, sizeof(it));
	if (n_head)
		memcpy(to + sizeof(it), head, n_head);
	if (n)
		memcpy(to + sizeof(it) + n_head, p, n);
	b->used += sizeof(it) + it.n;
	return 0;
}

int workq_put_file(struct workq *b, unsigned what, const void *p, size_t n, int fd,
	struct ovl_err *err)
{
	int rc = workq_put(b, what, p, n, NULL, 0, err);

	if (rc < 0)
		close(fd);
	return rc < 0 || ++b->files < b->most_files ? rc : hand_over(b, BLOCKS - 1, err);
}

void workq_while_waiting(struct workq *b, void (*fn)(void *ctx), void *ctx)
{
	b->waiting = fn;
	b->waiting_ctx = ctx;
}

int workq_wait(struct workq *b, struct ovl_err *err)
{
	return hand_over(b, 0, err);
}

int workq_open(struct workq **out, workq_fn fn, void *ctx, struct ovl_err *err)
{
	struct workq *b = calloc(1, sizeof(*b));
	struct rlimit rl;
	int why;

	if (!b)
		return err_nomem(err);
	b->fn = fn;
	b->ctx = ctx;
	b->most_files = FILES;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < 8 * BLOCKS * FILES)
		b->most_files = (unsigned)(rl.rlim_cur / (8 * BLOCKS));
	pthread_mutex_init(&b->mutex, NULL);
	pthread_cond_init(&b->changed, NULL);
	b->data = malloc((size_t)BLOCKS * BLOCK_SIZE);
	why = b->data ? thread_start(&b->thread, worker, b) : ENOMEM;
	b->started = why == 0;
	if (why) {
		workq_close(b);
		return err_sys(err, why, "cannot start a thread");
	}
	*out = b;
	return 0;
}

void workq_close(struct workq *b)
{
	if (!b)
		return;
	if (b->started) {
		pthread_mutex_lock(&b->mutex);
		if (b->used) {
			b->len[b->filled % BLOCKS] = b->used;
			b->filled++;
		}
		b->quit = true;
		pthread_cond_signal(&b->changed);
		pthread_mutex_unlock(&b->mutex);
		pthread_join(b->thread, NULL);
	}
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->mutex);
	free(b->data);
	free(b);
}
