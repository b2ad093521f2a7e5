/*
 * Images into the store. All layers that are not there yet are taken in side by side,
 * each digest is checked, and only then are they committed, from the bottom up.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "config.h"
#include "digest.h"
#include "driver.h"
#include "image.h"
#include "ingest.h"
#include "names.h"
#include "quote.h"
#include "remove.h"
#include "store.h"
#include "thread.h"

#define MAX_WORKERS 8
#define MAX_TASKS   4096

/* A layer that is not in the store yet. */
struct task {
	struct ovl_id id; /* chain id */
	struct ovl_id parent;
	bool has_parent;
	const struct image_layer *from;
	struct ingest in;
	bool committed;
};

struct load {
	struct ovl_store *st;
	const struct ovl_import *req;
	struct images *im;
	struct ovl_id *top; /* of each image */
	struct task *task;
	size_t n;
	struct layer *held; /* those that are there already, locked until all is done */
	size_t n_held;

	/* between the threads */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	size_t next; /* task to be begun */
	size_t done;
	unsigned running; /* workers */
	atomic_bool abort;
	atomic_uint_fast64_t bytes;
	atomic_uint_fast64_t entries;
	uint64_t total;
	int rc; /* the first failure */
	struct ovl_err *err;
};

/* ---- what is to be done ----------------------------------------------------------- */

static bool planned(const struct load *ld, const struct ovl_id *id)
{
	for (size_t i = 0; i < ld->n; i++) {
		if (strcmp(ld->task[i].id.s, id->s) == 0)
			return true;
	}
	return false;
}

/* 1 it is there, and stays; 0 it is not; negative errno. */
static int hold(struct load *ld, const struct ovl_id *id, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = ld->st->drv, .id = *id};
	struct ovl_err why = {.status = OVL_FAILED};
	int rc;

	for (size_t i = 0; i < ld->n_held; i++) {
		if (strcmp(ld->held[i].id.s, id->s) == 0)
			return 1;
	}
	rc = layer_open_ref(ld->st, &ref, LOCK_SH, id->s, &ld->held[ld->n_held], &why);
	if (rc < 0 && why.status == OVL_NOLAYER)
		return 0;
	if (rc < 0) {
		*err = why;
		return rc;
	}
	ld->n_held++;
	return 1;
}

static int plan_layer(struct load *ld, const struct image_layer *l,
	const struct ovl_id *id, const struct ovl_id *parent, struct ovl_err *err)
{
	struct task *t = &ld->task[ld->n];
	int there = planned(ld, id) ? 1 : hold(ld, id, err);

	if (there)
		return there < 0 ? there : 0;
	if (ld->n == MAX_TASKS)
		return err_say(err, E2BIG, "more than %d layers", MAX_TASKS);
	*t = (struct task){.id = *id, .from = l, .in = INGEST_INIT};
	if (parent) {
		t->parent = *parent;
		t->has_parent = true;
	}
	ld->total += l->blob.size;
	ld->n++;
	return 0;
}

static int plan_image(struct load *ld, size_t i, struct ovl_err *err)
{
	const struct image *im = &ld->im->image[i];
	const struct driver *drv = ld->st->drv;
	struct ovl_id *top = &ld->top[i];

	if (!im->n_layers)
		return err_say(err, EINVAL, "an image without layers");
	if (!drv->whole && im->n_layers > drv->max_lowers)
		return err_say(err, E2BIG,
			"an image of %u layers: a mount has at most %u", im->n_layers,
			drv->max_lowers);
	for (unsigned n = 0; n < im->n_layers; n++) {
		struct ovl_id below = *top;
		int rc = digest_chain(n ? below.s : NULL, im->layer[n].diff_id, top, err);

		if (rc == 0)
			rc = plan_layer(ld, &im->layer[n], top, n ? &below : NULL, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_name(
	struct load *ld, const char *name, const struct ovl_id *top, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = ld->st->drv, .id = *top};

	return names_check(ld->st, name, &ref, err);
}

struct tag {
	const char *name;
	const struct ovl_id *top;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tag *)a)->name, ((const struct tag *)b)->name);
}

/* A name is one layer's. */
static int check_twice(struct load *ld, struct ovl_err *err)
{
	struct tag *tag = NULL;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < ld->im->n; i++) {
		for (char **p = ld->im->image[i].names; p && *p; p++)
			n++;
	}
	tag = calloc(n + 1, sizeof(*tag));
	if (!tag)
		return err_nomem(err);
	n = 0;
	for (size_t i = 0; i < ld->im->n; i++) {
		for (char **p = ld->im->image[i].names; p && *p; p++)
			tag[n++] = (struct tag){*p, &ld->top[i]};
	}
	qsort(tag, n, sizeof(*tag), by_name);
	for (size_t i = 1; i < n && rc == 0; i++) {
		if (*tag[i].name && strcmp(tag[i - 1].name, tag[i].name) == 0 &&
			strcmp(tag[i - 1].top->s, tag[i].top->s) != 0)
			rc = err_say(err, EEXIST, "two images in it have the name %s",
				Q(tag[i].name));
	}
	free(tag);
	return rc;
}

/* A tag that can be no layer's name is left out. */
static int check_names(struct load *ld, struct ovl_err *err)
{
	for (size_t i = 0; i < ld->im->n; i++) {
		char **name = ld->im->image[i].names;

		for (; name && *name; name++) {
			if (!ovl_name_valid(*name)) {
				store_warn(ld->st,
					"%s cannot be a layer's name: left out",
					Q(*name));
				**name = '\0';
				continue;
			}
			if (check_name(ld, *name, &ld->top[i], err) < 0)
				return -EEXIST;
		}
	}
	if (check_twice(ld, err) < 0)
		return -EEXIST;
	if (!ld->req->name)
		return 0;
	if (ld->im->n > 1)
		return err_status(err, OVL_USAGE,
			"%zu images in it: -n names but one, --image chooses", ld->im->n);
	return check_name(ld, ld->req->name, &ld->top[0], err);
}

static int plan(struct load *ld, struct ovl_err *err)
{
	size_t most = 0;
	int rc = 0;

	for (size_t i = 0; i < ld->im->n; i++)
		most += ld->im->image[i].n_layers;
	ld->task = calloc(most + 1, sizeof(*ld->task));
	ld->held = calloc(most + 1, sizeof(*ld->held));
	if (!ld->task || !ld->held)
		return err_nomem(err);
	for (size_t i = 0; i < ld->im->n && rc == 0; i++)
		rc = store_stopped(ld->st) ? err_stopped(err) : plan_image(ld, i, err);
	return rc < 0 ? rc : check_names(ld, err);
}

/* ---- taking in -------------------------------------------------------------------- */

static int take_in(struct load *ld, struct task *t, struct ovl_err *err)
{
	const struct ingest_config cfg = {
		.input = {.fd = t->from->blob.fd,
			.part = true,
			.offset = t->from->blob.offset,
			.size = t->from->blob.size,
			.taken = &ld->bytes},
		.drv = ld->st->drv,
		.max_size = ld->req->max_size,
		.max_entries = ld->req->max_entries,
		.max_depth = ld->req->max_depth,
		.digest = *t->from->digest ? t->from->digest : NULL,
		.diff_id = t->from->diff_id,
		.abort = &ld->abort,
		.entries = &ld->entries,
		.beside = true,
	};
	int rc = ingest_begin(&t->in, ld->st, &cfg, err);

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
		int rc = take_in(ld, t, &err);

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

static void tell(struct load *ld)
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

/* Until all workers are done; tells how far they are. */
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
			tell(ld);
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

static int take_all_in(struct load *ld, struct ovl_err *err)
{
	pthread_t thread[MAX_WORKERS];
	unsigned want = count_workers(ld);
	unsigned started = 0;
	int why = 0;

	/* From here on the threads only look at the store's descriptors. */
	if (store_dir_make(ld->st, DIR_STAGING, err) < 0 ||
		store_driver_make(ld->st, ld->st->drv, err) < 0)
		return -EIO;
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

/* ---- committing ------------------------------------------------------------------- */

static int keep_config(
	struct load *ld, const struct ovl_id *top, int layer_fd, struct ovl_err *err)
{
	for (size_t i = 0; i < ld->im->n; i++) {
		const struct image *im = &ld->im->image[i];
		int rc = 0;

		if (strcmp(ld->top[i].s, top->s) == 0)
			rc = config_put(layer_fd, im->config_digest, im->config.data,
				im->config.len, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int commit_one(struct load *ld, struct task *t, struct ovl_err *err)
{
	struct layer_ref below = {.drv = ld->st->drv, .id = t->parent};
	auto_layer parent = LAYER_INIT;
	int rc = 0;

	if (t->has_parent)
		rc = layer_open_ref(ld->st, &below, LOCK_SH, below.id.s, &parent, err);
	if (rc == 0 && t->has_parent)
		rc = driver_check_depth(&parent, OVL_IMAGE, err);
	if (rc == 0)
		rc = keep_config(ld, &t->id, t->in.stage.fd, err);
	/* Nobody takes it away before the next is on top of it. */
	t->in.stage.hold = true;
	if (rc == 0)
		rc = ingest_commit(
			&t->in, t->has_parent ? &parent : NULL, &t->id, NULL, err);
	if (rc < 0)
		return rc;
	t->committed = rc > 0;
	store_detail(ld->st,
		"layer %s: diff id sha256:%s, %" PRIu64 " entries, %" PRIu64
		" bytes of files",
		t->id.s, t->in.diff_id, t->in.unpack.entries, t->in.unpack.bytes);
	return 0;
}

static int give_names(struct load *ld, size_t i, struct ovl_err *err)
{
	const struct image *im = &ld->im->image[i];
	struct layer_ref ref = {.drv = ld->st->drv, .id = ld->top[i]};
	bool durable = store_durable(ld->st);
	auto_layer top = LAYER_INIT;
	int rc = layer_open_ref(ld->st, &ref, LOCK_SH, ref.id.s, &top, err);

	if (rc == 0)
		rc = keep_config(ld, &ref.id, top.fd, err);
	/* The layers that were there, and the config, before a name leads to them. */
	if (rc == 0)
		rc = store_sync(ld->st, top.fd, err);
	for (char **name = im->names; rc == 0 && name && *name; name++) {
		if (**name)
			rc = names_give(
				&top, *name, im->config_digest, false, durable, err);
	}
	if (rc == 0 && ld->req->name)
		rc = names_give(
			&top, ld->req->name, im->config_digest, false, durable, err);
	return rc;
}

/* Layers that came in are taken out again where the rest could not follow. */
static void roll_back(struct load *ld)
{
	for (size_t i = 0; i < ld->n; i++)
		stage_release(&ld->task[i].in.stage);
	for (size_t i = ld->n; i-- > 0;) {
		const struct layer_ref ref = {.drv = ld->st->drv, .id = ld->task[i].id};

		if (ld->task[i].committed)
			remove_made(ld->st, &ref);
	}
}

static int commit_all(struct load *ld, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < ld->n && rc == 0; i++) {
		rc = store_stopped(ld->st) ? err_stopped(err) :
					     commit_one(ld, &ld->task[i], err);
	}
	for (size_t i = 0; i < ld->im->n && rc == 0; i++)
		rc = give_names(ld, i, err);
	if (rc < 0)
		roll_back(ld);
	return rc;
}

int image_store(struct ovl_store *st, const struct ovl_import *req, struct images *im,
	struct ovl_id *ids, struct ovl_err *err)
{
	struct load ld = {.st = st,
		.req = req,
		.im = im,
		.top = ids,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.err = err};
	int rc = plan(&ld, err);

	if (rc == 0)
		rc = take_all_in(&ld, err);
	if (rc == 0)
		rc = commit_all(&ld, err);
	for (size_t i = 0; i < ld.n; i++)
		ingest_end(&ld.task[i].in);
	for (size_t i = 0; i < ld.n_held; i++)
		layer_close(&ld.held[i]);
	free(ld.held);
	free(ld.task);
	return rc;
}
