/* SPDX-License-Identifier: ISC */
/* Computes digest and recipe of a tar without storing it. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/workq.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/quote.h"
#include "tar/recipe.h"
#include "tar/tarsum.h"

#define READ_SIZE (256 * 1024)
#define PIECE     (64 * 1024)

enum what { RAW, FILE_BEGIN, RUN, FILE_END };

/* The bytes of a RUN. */
struct file_run {
	int fd;
	uint64_t offset;
	uint64_t n;
};

struct tarsum {
	struct workq *queue;
	_Atomic uint64_t hashed;

	/* Used by the thread only, until workq_wait(). */
	struct digest digest;
	struct recipe_out *recipe;
	const atomic_int *stop;
	struct buf path; /* the path of the file whose data follows */
	unsigned char *read; /* READ_SIZE */
};

/* ---- the thread ------------------------------------------------------------------- */

static int hash_bytes(struct tarsum *t, const void *p, size_t n, struct ovl_err *err)
{
	atomic_fetch_add(&t->hashed, n);
	return digest_update(&t->digest, p, n, err);
}

static int recipe_did(struct tarsum *t, int rc, struct ovl_err *err)
{
	return rc < 0 ? recipe_error(t->recipe, err) : 0;
}

static int do_raw(struct tarsum *t, const void *p, size_t n, struct ovl_err *err)
{
	int rc = hash_bytes(t, p, n, err);

	return rc < 0 ? rc : recipe_did(t, recipe_raw(t->recipe, p, n), err);
}

static int do_file(struct tarsum *t, const char *path, struct ovl_err *err)
{
	buf_clear(&t->path);
	buf_adds(&t->path, path);
	return t->path.failed ? err_nomem(err) :
				recipe_did(t, recipe_file(t->recipe, path), err);
}

static int do_run(struct tarsum *t, const void *p, struct ovl_err *err)
{
	struct file_run r;

	memcpy(&r, p, sizeof(r));
	while (r.n) {
		size_t want = r.n < READ_SIZE ? (size_t)r.n : READ_SIZE;
		ssize_t got = fs_pread_upto(r.fd, t->read, want, r.offset);
		int rc;

		if (fs_stopped(t->stop))
			return err_stopped(err);
		if (got < 0)
			return err_sys(err, errno, "cannot read %s", Q(t->path.data));
		if (got == 0)
			return err_say(
				err, EIO, "%s shrank while it was read", Q(t->path.data));
		rc = hash_bytes(t, t->read, (size_t)got, err);
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

static int do_file_end(struct tarsum *t, const void *p, bool failed, struct ovl_err *err)
{
	int fd;

	memcpy(&fd, p, sizeof(fd));
	close(fd);
	return failed ? 0 : recipe_did(t, recipe_file_end(t->recipe), err);
}

static int do_item(void *ctx, unsigned what, const void *p, size_t n, bool failed,
	struct ovl_err *err)
{
	if (what == FILE_END)
		return do_file_end(ctx, p, failed, err);
	if (failed)
		return 0;
	switch (what) {
	case RAW: return do_raw(ctx, p, n, err);
	case FILE_BEGIN: return do_file(ctx, p, err);
	default: return do_run(ctx, p, err);
	}
}

/* ---- the caller's side ------------------------------------------------------------ */

void tarsum_while_waiting(struct tarsum *t, void (*fn)(void *ctx), void *ctx)
{
	workq_while_waiting(t->queue, fn, ctx);
}

uint64_t tarsum_bytes(struct tarsum *t)
{
	return atomic_load(&t->hashed);
}

int tarsum_raw(struct tarsum *t, const void *p, size_t n, struct ovl_err *err)
{
	const char *at = p;
	int rc = 0;

	while (n && rc == 0) {
		size_t piece = n < PIECE ? n : PIECE;

		rc = workq_put(t->queue, RAW, NULL, 0, at, piece, err);
		at += piece;
		n -= piece;
	}
	return rc;
}

/* A tar has no path over 64 KiB. */
int tarsum_file(struct tarsum *t, const char *path, struct ovl_err *err)
{
	return workq_put(t->queue, FILE_BEGIN, NULL, 0, path, strlen(path) + 1, err);
}

int tarsum_run(struct tarsum *t, int fd, uint64_t offset, uint64_t n, struct ovl_err *err)
{
	const struct file_run r = {.fd = fd, .offset = offset, .n = n};

	return workq_put(t->queue, RUN, &r, sizeof(r), NULL, 0, err);
}

int tarsum_file_end(struct tarsum *t, int fd, struct ovl_err *err)
{
	return workq_put_file(t->queue, FILE_END, &fd, sizeof(fd), fd, err);
}

int tarsum_finish(
	struct tarsum *t, char diff_id[ID_LEN + 1], uint64_t *size, struct ovl_err *err)
{
	int rc = workq_wait(t->queue, err);

	if (rc == 0)
		rc = digest_final(&t->digest, diff_id, err);
	return rc < 0 ? rc : recipe_finish(t->recipe, diff_id, size, err);
}

int tarsum_open(
	struct tarsum **out, int dirfd, const atomic_int *stop, struct ovl_err *err)
{
	struct tarsum *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return err_nomem(err);
	t->stop = stop;
	t->read = fs_buffer(READ_SIZE);
	rc = t->read ? digest_init(&t->digest, err) : err_nomem(err);
	if (rc == 0)
		rc = recipe_create(&t->recipe, dirfd, err);
	if (rc == 0)
		rc = workq_open(&t->queue, do_item, t, err);
	if (rc < 0)
		tarsum_close(t);
	else
		*out = t;
	return rc;
}

void tarsum_close(struct tarsum *t)
{
	if (!t)
		return;
	workq_close(t->queue);
	recipe_out_close(t->recipe);
	buf_release(&t->path);
	free(t->read);
	free(t);
}
