/* SPDX-License-Identifier: ISC */
/* Makes the blobs of an export: layers compressed in parallel, each written once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/thread.h"
#include "codec/encode.h"
#include "content/replay.h"
#include "image/export.h"
#include "store/store.h"

/* ---- temporary files -------------------------------------------------------------- */

/* Tries to create a file in the directory; takes over dir. */
static bool spool_in(struct export *x, int dir)
{
	auto_fd probe = dir < 0 ? -1 : fs_temp(dir);

	close_fdp(&x->spool_dir);
	x->spool_dir = dir;
	return probe >= 0;
}

/* Finds a directory for temporary files: the store, which has room for layers; if it
 * is read-only, the usual place. */
static int spool_find(struct export *x, struct ovl_err *err)
{
	const char *temp = secure_getenv("TMPDIR");
	int staging = store_dir_make(x->st, DIR_STAGING, err);
	int why = -staging;

	if (staging >= 0) {
		if (spool_in(x, fs_open_dir(staging, ".")))
			return 0;
		why = errno;
		err_sys(err, why, "cannot make a temporary file in '%s/staging'",
			x->st->root);
	}
	if (why != EROFS && why != EACCES && why != EPERM && why != ENOSPC &&
		why != EDQUOT)
		return -why;
	if (!temp || temp[0] != '/')
		temp = "/var/tmp";
	if (spool_in(x, open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC)))
		return 0;
	return err_sys(err, errno, "cannot make a temporary file in %s", Q(temp));
}

/* ---- making one ------------------------------------------------------------------- */

struct making {
	struct export *x;
	struct blob *b;
	bool main; /* on the main thread */
	int fd;
	struct digest tar; /* begun if it is not known yet */
	struct digest file; /* begun if it is not that of the tar */
	struct encode *e;
};

static int take_file(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct making *m = ctx;

	if (fs_write_all(m->fd, p, n) < 0)
		return m->x->out_dir < 0 ?
			err_sys(err, errno, "cannot write a temporary file") :
			err_sys(err, errno, "cannot write to %s", Q(m->x->req->target));
	m->b->size += n;
	return digest_update(&m->file, p, n, err);
}

static int take_tar(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct making *m = ctx;

	if (store_stopped(m->x->st))
		return err_stopped(err);
	if (m->x->cancelled)
		return err_say(err, ECANCELED, "another layer failed");
	if (digest_update(&m->tar, p, n, err) < 0)
		return -EIO;
	m->x->bytes += n;
	if (m->main)
		export_progress(m->x);
	return encode_write(m->e, p, n, err);
}

static int end_blob(struct making *m, struct ovl_err *err)
{
	struct blob *b = m->b;
	int rc = encode_finish(m->e, err);

	if (rc == 0)
		rc = digest_final(&m->tar, b->diff_id, err);
	memcpy(b->digest, b->diff_id, sizeof(b->digest));
	return rc == 0 ? digest_final(&m->file, b->digest, err) : rc;
}

static int begin_blob(struct making *m, const char *name, struct ovl_err *err)
{
	struct export *x = m->x;
	int rc = encode_open(&m->e, x->compress, x->st->cfg.stop, take_file, m, err);

	if (rc == 0 && m->b->packed)
		rc = digest_init(&m->tar, err);
	if (rc == 0 && strcmp(x->compress, "none") != 0)
		rc = digest_init(&m->file, err);
	if (rc < 0)
		return rc;
	if (x->out_dir < 0)
		m->fd = fs_temp(x->spool_dir);
	else
		m->fd = openat(x->out_blobs, name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666 & ~x->req->umask);
	if (m->fd < 0)
		return err_sys(
			err, errno, "cannot make a file for layer %.12s", m->b->l.id.s);
	return 0;
}

/* A spooled file stays open; one in the directory gets its name. */
static int keep_blob(struct making *m, const char *name, struct ovl_err *err)
{
	if (m->x->out_dir < 0) {
		m->b->fd = steal_fd(&m->fd);
		return 0;
	}
	if (close(steal_fd(&m->fd)) < 0 ||
		renameat(m->x->out_blobs, name, m->x->out_blobs, m->b->digest) < 0)
		return err_sys(err, errno, "cannot write to %s", Q(m->x->req->target));
	return 0;
}

static int make_blob(struct export *x, struct blob *b, bool main, struct ovl_err *err)
{
	struct making m = {.x = x, .b = b, .main = main, .fd = -1};
	const char *name = P(".%s", b->l.id.s);
	int rc = begin_blob(&m, name, err);

	if (rc == 0)
		rc = replay_or_pack(&b->l, take_tar, &m, err);
	if (rc == 0)
		rc = end_blob(&m, err);
	if (rc == 0)
		rc = keep_blob(&m, name, err);
	if (rc == 0)
		x->entries += b->l.meta.entries;
	encode_close(m.e);
	close_fdp(&m.fd);
	return rc;
}

/* ---- in parallel ------------------------------------------------------------------ */

struct work {
	struct export *x;
	struct blob **job; /* the largest first */
};

static int make_job(void *ctx, size_t i, struct ovl_err *err)
{
	const struct work *w = ctx;

	return make_blob(w->x, w->job[i], false, err);
}

static void report_progress(void *ctx)
{
	export_progress(((const struct work *)ctx)->x);
}

/* gzip and zstd use threads of their own, so a few layers at a time keep all cores
 * busy and need less memory. */
static unsigned side_by_side(const struct export *x)
{
	return strcmp(x->compress, "gzip") == 0  ? 4 :
		strcmp(x->compress, "zstd") == 0 ? 2 :
						   THREAD_MAX;
}

static int larger(const void *a, const void *b)
{
	const struct blob *l = *(struct blob *const *)a;
	const struct blob *r = *(struct blob *const *)b;

	return (l->l.meta.tar_size < r->l.meta.tar_size) -
		(l->l.meta.tar_size > r->l.meta.tar_size);
}

/* Packing uses the store to read the layers below, and warns: only on this thread. */
static int make_packed(struct export *x, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < x->n_blobs && rc == 0; i++) {
		if (x->blob[i]->packed && !x->blob[i]->absent)
			rc = make_blob(x, x->blob[i], true, err);
	}
	return rc;
}

/* Makes blobs with a recipe; uncompressed ones are rebuilt directly into the tar. */
static int make_replayed(struct export *x, struct ovl_err *err)
{
	bool later = x->out_dir < 0 && strcmp(x->compress, "none") == 0;
	auto_free struct blob **job = calloc(x->n_blobs, sizeof(*job));
	struct work w = {.x = x, .job = job};
	struct thread_work all = {.most = side_by_side(x),
		.fn = make_job,
		.tick = report_progress,
		.ctx = &w,
		.failed = &x->cancelled};

	if (!job)
		return err_nomem(err);
	for (size_t i = 0; i < x->n_blobs; i++) {
		struct blob *b = x->blob[i];

		if (b->packed || b->same || b->absent)
			continue;
		if (!later) {
			job[all.n++] = b;
			continue;
		}
		b->size = b->l.meta.tar_size;
		memcpy(b->digest, b->diff_id, sizeof(b->digest));
	}
	qsort(job, all.n, sizeof(*job), larger);
	return thread_all(&all, err);
}

/* True if any blob is spooled. */
static bool spools(const struct export *x)
{
	bool all = strcmp(x->compress, "none") != 0;
	bool any = false;

	for (size_t i = 0; i < x->n_blobs; i++)
		any = any || ((all || x->blob[i]->packed) && !x->blob[i]->absent);
	return any && x->out_dir < 0;
}

int export_blobs(struct export *x, struct ovl_err *err)
{
	int rc = spools(x) ? spool_find(x, err) : 0;

	if (rc == 0)
		rc = make_packed(x, err);
	if (rc == 0)
		rc = make_replayed(x, err);
	return rc;
}
