/* SPDX-License-Identifier: ISC */
/*
 * Puts images into the store. All missing layers are unpacked and each digest is checked
 * before any of them appears, from the bottom up; configs and names come last. A layer
 * that has appeared stays, whatever fails then: others may rely on it already.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "image/image_load.h"
#include "store/driver.h"
#include "store/names.h"
#include "store/store.h"
#include "stage/used.h"
#include "union/view.h"

static int open_id(const struct load *ld, const struct ovl_id *id, struct layer *out,
	struct ovl_err *err)
{
	struct layer_ref ref = image_load_ref(ld, id);

	return layer_open_ref(ld->st, &ref, LOCK_SH, id->s, out, err);
}

/* ---- what depends on the stack below ---------------------------------------------- */

/* Opens a task's parent, in the store or still in the stage. */
static int open_task_parent(
	struct load *ld, struct task *t, struct layer *out, struct ovl_err *err)
{
	if (!t->up)
		return open_id(ld, &t->parent, out, err);
	*out = (struct layer){
		.st = ld->st,
		.drv = ld->st->drv,
		.drv_fd = ld->stage.drv_fd,
		.fd = fs_open_dir(ld->stage.fd, t->up->as),
		.id = t->up->id,
		.meta = t->up->meta,
	};
	return out->fd < 0 ? err_sys(err, errno, "cannot open a staging directory") : 0;
}

/* Adds a task's tree on top of ld->below, or alone if it is opaque, which hides all
 * below. */
static int add_staged(struct load *ld, const struct task *t, struct ovl_err *err)
{
	auto_fd stage = fs_open_dir(ld->stage.fd, t->as);
	int fd = stage < 0 ? -1 : fs_open_dir(stage, ld->st->drv->tree[OVL_IMAGE]);

	if (ld->st->drv->flat || (t->meta.has_parent && !t->meta.lowers))
		view_close(&ld->below);
	if (fd < 0 || view_push_top(&ld->below, fd) < 0)
		return err_sys(err, errno, "cannot open the layers below");
	ld->below_of = t;
	return 0;
}

/* Opens the merged tree below a task, which the previous task has usually left open.
 * Staged layers are opened one by one: their short links do not exist yet. */
static int view_below(struct load *ld, struct task *t, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	int rc;

	if (t->up && ld->below_of == t->up)
		return 0;
	view_close(&ld->below);
	ld->below_of = NULL;
	ld->below.xp = &ld->st->xattrs;
	if (t->up) {
		rc = view_below(ld, t->up, err);
		return rc == 0 ? add_staged(ld, t->up, err) : rc;
	}
	if (!t->has_parent)
		return 0;
	rc = open_task_parent(ld, t, &l, err);
	return rc == 0 ? layer_view(&l, true, &ld->below, err) : rc;
}

static int complete_layer(struct load *ld, struct task *t, struct ovl_err *err)
{
	auto_layer parent = LAYER_INIT;
	const struct layer *on = t->has_parent ? &parent : NULL;
	int rc = on ? open_task_parent(ld, t, &parent, err) : 0;

	if (rc == 0 && on)
		rc = driver_check_depth(on, OVL_IMAGE, err);
	if (rc == 0)
		rc = view_below(ld, t, err);
	if (rc == 0)
		rc = ingest_complete(&t->in, on, &ld->below, &t->meta, err);
	if (rc == 0)
		rc = stage_hint(&t->id, on, err);
	if (rc == 0)
		rc = add_staged(ld, t, err);
	stage_suspend(&t->in.stage);
	return rc;
}

static int complete_all(struct load *ld, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < ld->n && rc == 0; i++)
		rc = store_stopped(ld->st) ? err_stopped(err) :
					     complete_layer(ld, &ld->task[i], err);
	view_close(&ld->below);
	return rc;
}

static int grant(struct load *ld, size_t i, struct ovl_err *err)
{
	const struct image *im = &ld->im->image[i];
	const char *config = im->config_digest;
	struct layer_ref ref = image_load_ref(ld, &ld->top[i]);
	bool named = ld->req->name || ld->req->no_names;
	char had[NAME_LEN_MAX + 1];
	int rc = *config ?
		grants_config(&ld->grants, &ld->held[i], config, &im->config, err) :
		0;

	for (char **name = im->names; rc == 0 && name && *name; name++) {
		named |= **name;
		if (**name)
			rc = grants_name(&ld->grants, &ld->held[i], *name,
				*config ? config : NULL, true, err);
	}
	if (!named && names_first(ld->st, &ref, had) == 0)
		store_hint(ld->st,
			"the image has no name; 'ovlctl tag' gives it one, without which "
			"'ovlctl prune --layers' removes it");
	if (rc == 0 && ld->req->name)
		rc = grants_name(&ld->grants, &ld->held[i], ld->req->name,
			*config ? config : NULL, ld->req->force, err);
	return rc;
}

static int grant_all(struct load *ld, struct ovl_err *err)
{
	int rc = 0;

	ld->grants = (struct grants){.st = ld->st, .dir = ld->stage.fd, .tell = true};
	for (size_t i = 0; i < ld->im->n && rc == 0; i++)
		rc = grant(ld, i, err);
	return rc;
}

/* ---- the steps -------------------------------------------------------------------- */

/* If another process made a layer below first, that has another short id. */
static int settle_on(
	struct load *ld, struct task *t, const struct layer *parent, struct ovl_err *err)
{
	int rc = driver_reseed(ld->st->drv, t->in.stage.fd, parent, err);

	return rc == 0 ? store_sync(ld->st, t->in.stage.fd, err) : rc;
}

/* Makes the layer appear; out: open and locked. *found: another process made it first. */
static int appear(struct load *ld, struct task *t, const struct layer *parent,
	struct layer *out, bool *found, struct ovl_err *err)
{
	bool durable = store_durable(ld->st);
	struct stage *sg = &t->in.stage;
	int rc;

	do {
		rc = stage_resume(sg, err);
		/* Nobody is to remove it before the next layer is on top of it. */
		sg->hold = true;
		if (rc == 0 && *found && t->meta.lowers)
			rc = settle_on(ld, t, parent, err);
		if (rc == 0)
			rc = stage_appear(sg, &t->id, parent, NULL, durable, err);
		if (rc < 0)
			return rc;
		*found = *found || rc == 0;
		rc = open_id(ld, &t->id, out, err);
	} while (rc < 0 && err->status == OVL_NOLAYER && !sg->appeared);
	close_fdp(&sg->held);
	if (rc < 0)
		return rc;
	if (!sg->appeared)
		used_now(out);
	store_detail(ld->st,
		"layer %s: diff id sha256:%s, %" PRIu64 " entries, %" PRIu64
		" bytes of files",
		t->id.s, t->in.diff_id, t->in.unpack.entries, t->in.unpack.bytes);
	return 0;
}

/* Makes the layers of one image appear, from *next on. Keeps the last locked, so that
 * none of the layers below can be removed. */
static int appear_image(
	struct load *ld, size_t i, struct task **next, bool *found, struct ovl_err *err)
{
	struct task *end = ld->task + ld->n;
	struct layer *held = &ld->held[i];
	struct layer l = LAYER_INIT;
	int rc = 0;

	for (; *next < end && (*next)->image == i && rc == 0; (*next)++) {
		auto_layer parent = LAYER_INIT;
		bool on = (*next)->has_parent;

		if (on)
			rc = open_id(ld, &(*next)->parent, &parent, err);
		if (rc == 0)
			rc = appear(ld, *next, on ? &parent : NULL, &l, found, err);
		if (rc == 0) {
			layer_close(held);
			*held = l;
		}
	}
	if (rc == 0)
		rc = open_id(ld, &ld->top[i], &l, err);
	if (rc < 0)
		return rc;
	layer_close(held);
	*held = l;
	return 0;
}

static int appear_all(struct load *ld, struct ovl_err *err)
{
	struct task *next = ld->task;
	bool found = false;
	int rc = 0;

	for (size_t i = 0; i < ld->im->n && rc == 0; i++)
		rc = store_stopped(ld->st) ? err_stopped(err) :
					     appear_image(ld, i, &next, &found, err);
	if (rc == 0 && ld->n && store_durable(ld->st))
		rc = stage_sync_dirs(ld->st->drv, ld->stage.drv_fd, err);
	/* The process that made it may not have synced it. */
	return rc == 0 && found ? store_sync(ld->st, ld->stage.fd, err) : rc;
}

/* Removes the hints of layers that did not appear, from existing ones. */
static void drop_hints(struct load *ld)
{
	for (size_t i = 0; i < ld->n; i++) {
		struct task *t = &ld->task[i];
		struct layer_ref ref = image_load_ref(ld, &t->id);

		if (t->has_parent && !t->up && !t->in.stage.appeared)
			layer_drop_child(ld->st, &ref, &t->parent, OVL_IMAGE);
	}
}

static int store_all(struct load *ld, struct ovl_err *err)
{
	int rc = complete_all(ld, err);

	if (rc == 0)
		rc = grant_all(ld, err);
	/* Layers that existed are synced too: whoever made them may not have done so. */
	if (rc == 0)
		rc = store_sync(ld->st, ld->stage.fd, err);
	if (rc == 0)
		rc = appear_all(ld, err);
	if (rc == 0 && store_stopped(ld->st))
		rc = err_stopped(err);
	if (rc < 0) {
		drop_hints(ld);
		return rc;
	}
	return grants_give(&ld->grants, err);
}

static void release_load(struct load *ld)
{
	for (size_t i = 0; i < ld->n; i++)
		ingest_end(&ld->task[i].in);
	grants_release(&ld->grants);
	stage_end(&ld->stage);
	image_plan_release(ld);
}

int image_store(struct ovl_store *st, const struct ovl_import *req, struct images *im,
	struct ovl_ids *ids, struct ovl_err *err)
{
	struct load ld = {.st = st, .req = req, .im = im, .stage = STAGE_INIT};
	int rc;

	ids->n = im->n;
	ids->id = ld.top = calloc(im->n, sizeof(*ids->id));
	rc = ids->id ? image_plan(&ld, err) : err_nomem(err);
	if (rc == 0)
		rc = stage_begin(st, st->drv, NULL, &ld.stage, err);
	if (rc == 0)
		rc = image_pool(&ld, err);
	if (rc == 0)
		rc = store_all(&ld, err);
	release_load(&ld);
	return rc;
}
