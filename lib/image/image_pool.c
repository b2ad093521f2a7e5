/* SPDX-License-Identifier: ISC */
/* Unpacks the layers of images in parallel. See image_load.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/thread.h"
#include "image/image_load.h"
#include "store/driver.h"
#include "store/store.h"

#define MAX_WORKERS 8

static int ingest_task(void *ctx, size_t i, struct ovl_err *err)
{
	struct load *ld = ctx;
	struct task *t = &ld->task[i];
	auto_fd fd = part_open(&t->from->blob);
	const struct ingest_config cfg = {
		.input = {.fd = fd,
			.part = true,
			.offset = t->from->blob.offset,
			.size = t->from->blob.size,
			.taken = &ld->bytes},
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
	int rc = fd < 0 ? err_sys(err, errno, "cannot open it") :
			  ingest_begin(&t->in, ld->st, &cfg, err);

	if (rc == 0)
		rc = ingest_run(&t->in, err);
	if (rc < 0 && rc != -EINTR)
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
	unsigned cores = thread_cores();
	const struct thread_work work = {.n = ld->n,
		.most = cores < MAX_WORKERS ? cores : MAX_WORKERS,
		.fn = ingest_task,
		.tick = report_progress,
		.ctx = ld,
		.failed = &ld->abort};
	int rc = thread_all(&work, err);

	return store_stopped(ld->st) ? err_stopped(err) : rc;
}
