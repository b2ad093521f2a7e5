/* SPDX-License-Identifier: ISC */
/* Unpacks the layers of images in parallel. See image_load.h. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/thread.h"
#include "image/image_load.h"
#include "store/driver.h"
#include "store/store.h"

#define MAX_WORKERS 8

static int ingest_task(struct load *ld, struct task *t, struct ovl_err *err)
{
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
	return rc;
}

static struct task *next_task(struct load *ld)
{
	struct task *t = NULL;

	pthread_mutex_lock(&ld->mutex);
	if (ld->next < ld->n && !atomic_load(&ld->abort))
		t = &ld->task[ld->next++];
	pthread_mutex_unlock(&ld->mutex);
	return t;
}

static void *work(void *ctx)
{
	struct load *ld = ctx;
	struct task *t;

	while ((t = next_task(ld))) {
		struct ovl_err err = {.status = OVL_FAILED};
		int rc = ingest_task(ld, t, &err);

		pthread_mutex_lock(&ld->mutex);
		ld->done++;
		if (rc < 0 && ld->rc == 0) {
			ld->rc = rc;
			*ld->err = err;
			atomic_store(&ld->abort, true);
		}
		pthread_mutex_unlock(&ld->mutex);
	}
	pthread_mutex_lock(&ld->mutex);
	ld->running--;
	pthread_cond_signal(&ld->changed);
	pthread_mutex_unlock(&ld->mutex);
	return NULL;
}

static void report_progress(struct load *ld)
{
	const struct ovl_config *cfg = &ld->st->cfg;
	struct ovl_progress p = {
		.bytes = atomic_load(&ld->bytes),
		.total = ld->total,
		.entries = atomic_load(&ld->entries),
		.layers = (unsigned)ld->n,
		.layers_done = (unsigned)ld->done,
	};

	if (cfg->progress)
		cfg->progress(cfg->ctx, &p);
}

/* Waits until all workers are done, and reports progress. */
static void wait_for_workers(struct load *ld)
{
	pthread_mutex_lock(&ld->mutex);
	while (ld->running) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100 * 1000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&ld->changed, &ld->mutex, &until);
		if (ld->running)
			report_progress(ld);
	}
	pthread_mutex_unlock(&ld->mutex);
}

static unsigned count_workers(const struct load *ld)
{
	cpu_set_t set;
	unsigned n = sched_getaffinity(0, sizeof(set), &set) == 0 ?
		(unsigned)CPU_COUNT(&set) :
		1;

	n = n > MAX_WORKERS ? MAX_WORKERS : n;
	return ld->n < n ? (unsigned)ld->n : n;
}

int image_pool(struct load *ld, struct ovl_err *err)
{
	pthread_t thread[MAX_WORKERS];
	unsigned want = count_workers(ld);
	unsigned started = 0;
	int why = 0;

	pthread_mutex_lock(&ld->mutex);
	while (started < want && why == 0) {
		why = thread_start(&thread[started], work, ld);
		started += why == 0;
	}
	ld->running = started;
	pthread_mutex_unlock(&ld->mutex);
	if (!started && ld->n)
		return err_sys(err, why, "cannot start a thread");
	wait_for_workers(ld);
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	if (store_stopped(ld->st))
		return err_stopped(err);
	return ld->rc;
}
