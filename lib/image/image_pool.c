/* SPDX-License-Identifier: ISC */
/* Unpacks the layers of images in parallel. See image_load.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/thread.h"
#include "base/quote.h"
#include "content/pack.h"
#include "content/replay.h"
#include "foreign/foreign.h"
#include "image/image_load.h"
#include "store/driver.h"
#include "store/layer_foreign.h"
#include "store/store.h"

#define MAX_WORKERS 8

/* Unpacks a layer from its blob in the input. */
static int ingest_blob(
	struct load *ld, struct task *t, struct ingest_config *cfg, struct ovl_err *err)
{
	auto_fd fd = part_open(&t->from->blob);

	cfg->input = (struct stream_config){.fd = fd,
		.part = true,
		.offset = t->from->blob.offset,
		.size = t->from->blob.size,
		.taken = &ld->bytes};
	return fd < 0 ? err_sys(err, errno, "cannot open it") :
			ingest_all(&t->in, ld->st, cfg, err);
}

/* ---- from another program's store ------------------------------------------------- */

static int give_packed(void *ctx, sink_fn sink, void *to, struct ovl_err *err)
{
	struct pack_lost lost;

	return pack_layer(ctx, sink, to, &(struct pack_watch){.lost = &lost}, err);
}

static int adopt_packed(
	struct load *ld, struct task *t, struct ingest_config *cfg, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = ld->im->other->drv, .id = t->from->from->id};
	auto_layer l = LAYER_INIT;
	int rc = layer_open_ref(ld->im->other, &ref, 0, ref.id.s, &l, err);

	cfg->input.make = give_packed;
	cfg->input.make_ctx = &l;
	return rc < 0 ? rc : ingest_all(&t->in, ld->st, cfg, err);
}

static int give_tar(void *ctx, sink_fn sink, void *to, struct ovl_err *err)
{
	return replay_split(ctx, sink, to, err);
}

/* If the tar's digest is not the diff id, its checksums tell which file is damaged. */
static int adopt_split(struct load *ld, struct task *t, int fd, struct ingest_config *cfg,
	struct ovl_err *err)
{
	struct handover read = {0};
	struct replay_split split = {
		.st = ld->st,
		.layer = t->from->from,
		.trees = t->donor.trees,
		.split = fd,
		.read = &read,
		.unproved = true,
	};
	struct ovl_err why;
	int rc;

	t->donor.read = &read;
	handover_begin(&read);
	cfg->input.make = give_tar;
	cfg->input.make_ctx = &split;
	rc = ingest_all(&t->in, ld->st, cfg, err);
	handover_end(&read);
	t->donor.read = split.read = NULL;
	if (rc != -EBADMSG)
		return rc;
	split.unproved = false;
	if (replay_split(&split, sink_nowhere, NULL, &why) < 0)
		*err = why;
	return -EUCLEAN;
}

static int adopt_exact(
	struct load *ld, struct task *t, struct ingest_config *cfg, struct ovl_err *err)
{
	const struct foreign_layer *l = t->from->from;
	auto_fd fd = foreign_open_file(ld->im->other->foreign, l->exact_path, err);

	if (fd == -ENOENT)
		return err_sys(err, ENOENT, "cannot read %s", Q(l->exact_path));
	if (fd < 0)
		return fd;
	if (l->exact == FOREIGN_TAR_SPLIT)
		return adopt_split(ld, t, fd, cfg, err);
	cfg->input.fd = fd;
	return ingest_all(&t->in, ld->st, cfg, err);
}

static int adopt_layer(
	struct load *ld, struct task *t, struct ingest_config *cfg, struct ovl_err *err)
{
	const struct image_layer *l = t->from;
	auto_trees trees = {0};
	int rc = replay_open_trees(ld->im->other->foreign, l->from, &trees, err);

	t->donor = (struct donor){
		.trees = &trees, .whose = ld->im->other->root, .unverified = l->packed};
	cfg->donor = &t->donor;
	cfg->input.taken = &ld->bytes;
	if (rc == 0)
		rc = l->packed ? adopt_packed(ld, t, cfg, err) :
				 adopt_exact(ld, t, cfg, err);
	t->donor.trees = NULL;
	return layer_foreign_failed(ld->im->other, l->from, rc, err);
}

/* ---- all -------------------------------------------------------------------------- */

static int ingest_task(void *ctx, size_t i, struct ovl_err *err)
{
	struct load *ld = ctx;
	struct task *t = &ld->task[i];
	struct ingest_config cfg = {
		.drv = ld->st->drv,
		.within = &ld->stage,
		.as = t->as,
		.max_size = ld->req->max_size,
		.max_entries = ld->req->max_entries,
		.max_depth = ld->req->max_depth,
		.digest = *t->from->digest ? t->from->digest : NULL,
		.diff_id = t->from->diff_id,
		.may_be_empty = strcmp(t->from->diff_id, DIGEST_EMPTY) == 0,
		.abort = &ld->abort,
		.entries = &ld->entries,
		.parallel = true,
	};
	int rc = t->from->from ? adopt_layer(ld, t, &cfg, err) :
				 ingest_blob(ld, t, &cfg, err);

	/* Errors about another program's layer mostly name it already. */
	if (rc < 0 && rc != -EINTR && strncmp(err->text, "layer ", 6) != 0)
		err_prefix(err, rc, "layer sha256:%.12s", t->from->diff_id);
	atomic_fetch_add(&ld->done, 1);
	return rc;
}

static void report_progress(void *ctx)
{
	struct load *ld = ctx;
	const struct ovl_config *cfg = &ld->st->cfg;
	struct ovl_progress p = {
		.bytes = atomic_load(&ld->bytes),
		.total = ld->total,
		.entries = atomic_load(&ld->entries),
		.layers = (unsigned)ld->n,
		.layers_done = atomic_load(&ld->done),
	};

	if (cfg->progress)
		cfg->progress(cfg->ctx, &p);
}

int image_pool(struct load *ld, struct ovl_err *err)
{
	const struct thread_work work = {.n = ld->n,
		.most = MAX_WORKERS,
		.fn = ingest_task,
		.tick = report_progress,
		.ctx = ld,
		.failed = &ld->abort};
	int rc = thread_all(&work, err);

	return store_stopped(ld->st) ? err_stopped(err) : rc;
}
