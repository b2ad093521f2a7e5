#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "digest.h"
#include "quote.h"
#include "recipe.h"
#include "tarsum.h"

#define BLOCK_SIZE (256 * 1024)
#define BLOCKS     6
#define READ_SIZE  (256 * 1024)

/* Files in a block: with all blocks full, so many times BLOCKS are open. */
#define FILES 16

enum what { RAW, FILE_BEGIN, RUN, FILE_END };

/* In a block, before its bytes. */
struct item {
	enum what what;
	unsigned n;
};

/* The bytes of a RUN. */
struct file_run {
	int fd;
	uint64_t offset;
	uint64_t n;
};

/* Blocks go round: filled by the caller, emptied by the thread. */
struct tarsum {
	struct digest digest;
	struct recipe_out *recipe;
	pthread_t thread;
	bool started;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned filled; /* blocks so far; block i lies in slot i % BLOCKS */
	unsigned emptied;
	bool quit; /* no more blocks will come */
	int rc; /* what went wrong in the thread */
	struct ovl_err err;

	size_t len[BLOCKS];
	unsigned char *data; /* BLOCKS * BLOCK_SIZE */
	size_t used; /* of the block that is being filled */
	unsigned files; /* in it */

	/* The thread's own. */
	const volatile sig_atomic_t *stop;
	struct buf path; /* of the file whose data follow */
	unsigned char *read; /* READ_SIZE */
};

/* ---- the thread ------------------------------------------------------------------- */

static int hash(struct tarsum *t, const void *p, size_t n, struct ovl_err *err)
{
	return digest_update(&t->digest, p, n) < 0 ?
		err_say(err, EIO, "cannot compute a digest") :
		0;
}

static int recipe_did(struct tarsum *t, int rc, struct ovl_err *err)
{
	return rc < 0 ? recipe_error(t->recipe, err) : 0;
}

static int take_run(struct tarsum *t, struct file_run r, struct ovl_err *err)
{
	while (r.n) {
		size_t want = r.n < READ_SIZE ? (size_t)r.n : READ_SIZE;
		ssize_t got = pread(r.fd, t->read, want, (off_t)r.offset);
		int rc;

		if (t->stop && *t->stop)
			return err_stopped(err);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, errno, "cannot read %s", Q(t->path.data));
		if (got == 0)
			return err_say(err, EIO, "%s became shorter while it was read",
				Q(t->path.data));
		rc = hash(t, t->read, (size_t)got, err);
		if (rc == 0)
			rc = recipe_did(t,
				recipe_run(t->recipe, r.offset, t->read, (size_t)got),
				err);
		if (rc < 0)
			return rc;
		r.offset += (uint64_t)got;
		r.n -= (uint64_t)got;
	}
	return 0;
}

static int take_file(struct tarsum *t, const char *path, struct ovl_err *err)
{
	buf_clear(&t->path);
	buf_adds(&t->path, path);
	return t->path.failed ? err_nomem(err) :
				recipe_did(t, recipe_file(t->recipe, path), err);
}

static int take_end(struct tarsum *t, const void *p, bool failed, struct ovl_err *err)
{
	int fd;

	memcpy(&fd, p, sizeof(fd));
	close(fd);
	return failed ? 0 : recipe_did(t, recipe_file_end(t->recipe), err);
}

static int take(
	struct tarsum *t, const struct item *it, const void *p, struct ovl_err *err)
{
	struct file_run r;
	int rc;

	switch (it->what) {
	case RAW:
		rc = hash(t, p, it->n, err);
		return rc < 0 ? rc : recipe_did(t, recipe_raw(t->recipe, p, it->n), err);
	case FILE_BEGIN: return take_file(t, p, err);
	case RUN: memcpy(&r, p, sizeof(r)); return take_run(t, r, err);
	default: return take_end(t, p, false, err);
	}
}

/* After a failure only files are closed. */
static int empty(struct tarsum *t, unsigned slot, int rc, struct ovl_err *err)
{
	const unsigned char *at = t->data + (size_t)slot * BLOCK_SIZE;
	const unsigned char *end = at + t->len[slot];

	while (at < end) {
		struct item it;

		memcpy(&it, at, sizeof(it));
		at += sizeof(it);
		if (rc == 0)
			rc = take(t, &it, at, err);
		else if (it.what == FILE_END)
			take_end(t, at, true, NULL);
		at += it.n;
	}
	return rc;
}

static void *run(void *ctx)
{
	struct tarsum *t = ctx;
	struct ovl_err err = {0};
	int rc = 0;

	pthread_mutex_lock(&t->mutex);
	for (;;) {
		unsigned slot = t->emptied % BLOCKS;

		while (t->filled == t->emptied && !t->quit)
			pthread_cond_wait(&t->changed, &t->mutex);
		if (t->filled == t->emptied)
			break;
		pthread_mutex_unlock(&t->mutex);
		rc = empty(t, slot, rc, &err);
		pthread_mutex_lock(&t->mutex);
		if (rc < 0 && t->rc == 0) {
			t->rc = rc;
			t->err = err;
		}
		t->emptied++;
		pthread_cond_signal(&t->changed);
	}
	pthread_mutex_unlock(&t->mutex);
	return NULL;
}

/* ---- the caller's side ------------------------------------------------------------ */

/* Hands the block on and waits for a free one; what the thread could not do shows here. */
static int next_block(struct tarsum *t, struct ovl_err *err)
{
	int rc;

	pthread_mutex_lock(&t->mutex);
	t->len[t->filled % BLOCKS] = t->used;
	t->filled++;
	pthread_cond_signal(&t->changed);
	while (t->filled - t->emptied == BLOCKS)
		pthread_cond_wait(&t->changed, &t->mutex);
	rc = t->rc;
	if (rc < 0 && err)
		*err = t->err;
	pthread_mutex_unlock(&t->mutex);
	t->used = 0;
	t->files = 0;
	return rc;
}

/* All of p as one item, or in pieces if it may be in pieces. */
static int add(struct tarsum *t, struct item it, const void *p, size_t n, bool pieces,
	struct ovl_err *err)
{
	const unsigned char *from = p;

	do {
		unsigned char *to = t->data + (size_t)(t->filled % BLOCKS) * BLOCK_SIZE;
		size_t room = BLOCK_SIZE - t->used;
		size_t least = sizeof(it) + (pieces ? n > 0 : n);

		if (room < least) {
			int rc = next_block(t, err);

			if (rc < 0)
				return rc;
			continue;
		}
		room -= sizeof(it);
		it.n = (unsigned)(n < room ? n : room);
		memcpy(to + t->used, &it, sizeof(it));
		if (it.n)
			memcpy(to + t->used + sizeof(it), from, it.n);
		t->used += sizeof(it) + it.n;
		from += it.n;
		n -= it.n;
		if (!n)
			return 0;
	} while (true);
}

int tarsum_raw(struct tarsum *t, const void *p, size_t n, struct ovl_err *err)
{
	return n ? add(t, (struct item){.what = RAW}, p, n, true, err) : 0;
}

/* Its path fits into a block: a tar has none over 64 KiB. */
int tarsum_file(struct tarsum *t, const char *path, struct ovl_err *err)
{
	size_t n = strlen(path) + 1;

	if (n > BLOCK_SIZE - sizeof(struct item))
		return err_say(err, ENAMETOOLONG, "a path is too long");
	return add(t, (struct item){.what = FILE_BEGIN}, path, n, false, err);
}

int tarsum_run(struct tarsum *t, int fd, uint64_t offset, uint64_t n, struct ovl_err *err)
{
	const struct file_run r = {.fd = fd, .offset = offset, .n = n};

	return add(t, (struct item){.what = RUN}, &r, sizeof(r), false, err);
}

int tarsum_file_end(struct tarsum *t, int fd, struct ovl_err *err)
{
	int rc = add(t, (struct item){.what = FILE_END}, &fd, sizeof(fd), false, err);

	if (rc < 0) {
		close(fd);
		return rc;
	}
	return ++t->files == FILES ? next_block(t, err) : 0;
}

static void stop(struct tarsum *t)
{
	if (!t->started)
		return;
	if (t->used)
		next_block(t, NULL);
	pthread_mutex_lock(&t->mutex);
	t->quit = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->mutex);
	pthread_join(t->thread, NULL);
	t->started = false;
}

int tarsum_finish(
	struct tarsum *t, char diff_id[ID_LEN + 1], uint64_t *size, struct ovl_err *err)
{
	int rc = next_block(t, err);

	stop(t);
	if (rc == 0 && t->rc < 0) {
		rc = t->rc;
		if (err)
			*err = t->err;
	}
	if (rc < 0)
		return rc;
	if (digest_final(&t->digest, diff_id) < 0)
		return err_say(err, EIO, "cannot compute a digest");
	return recipe_finish(t->recipe, diff_id, size, err);
}

/* Signals are for the caller's thread. */
static int start(struct tarsum *t)
{
	sigset_t all;
	sigset_t old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&t->thread, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	t->started = rc == 0;
	return rc;
}

int tarsum_open(struct tarsum **out, int dirfd, const volatile sig_atomic_t *stop,
	struct ovl_err *err)
{
	struct tarsum *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return err_nomem(err);
	pthread_mutex_init(&t->mutex, NULL);
	pthread_cond_init(&t->changed, NULL);
	t->stop = stop;
	t->data = malloc((size_t)BLOCKS * BLOCK_SIZE);
	t->read = malloc(READ_SIZE);
	rc = t->data && t->read ? digest_init(&t->digest, err) : err_nomem(err);
	if (rc == 0)
		rc = recipe_create(&t->recipe, dirfd, err);
	if (rc == 0) {
		int why = start(t);

		rc = why ? err_sys(err, why, "cannot start a thread") : 0;
	}
	if (rc < 0) {
		tarsum_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

void tarsum_close(struct tarsum *t)
{
	if (!t)
		return;
	stop(t);
	if (t->digest.ctx)
		digest_release(&t->digest);
	recipe_out_close(t->recipe);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->mutex);
	buf_release(&t->path);
	free(t->read);
	free(t->data);
	free(t);
}
