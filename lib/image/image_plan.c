/* SPDX-License-Identifier: ISC */
/* Plans an import of images. See image_load.h. */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/quote.h"
#include "image/image_load.h"
#include "store/driver.h"
#include "store/names.h"
#include "store/store.h"
#include "stage/used.h"

struct layer_ref image_load_ref(const struct load *ld, const struct ovl_id *id)
{
	return (struct layer_ref){.drv = ld->st->drv, .id = *id};
}

/* ---- layers ----------------------------------------------------------------------- */

/* Locks an existing layer, and so those below it: 1 it exists, 0 it does not, negative
 * errno. */
static int hold_existing(
	struct load *ld, size_t image, const struct ovl_id *id, struct ovl_err *err)
{
	struct layer_ref ref = image_load_ref(ld, id);
	struct layer l = LAYER_INIT;
	int rc = layer_open_ref(ld->st, &ref, LOCK_SH, id->s, &l, err);

	if (rc < 0)
		return err->status == OVL_NOLAYER ? 0 : rc;
	used_now(&l);
	layer_close(&ld->held[image]);
	ld->held[image] = l;
	return 1;
}

static int add_task(struct load *ld, size_t image, const struct image_layer *from,
	const struct ovl_id *id, const struct ovl_id *parent, struct task **up,
	struct ovl_err *err)
{
	struct task *t = &ld->task[ld->n];

	*t = (struct task){
		.id = *id, .image = image, .from = from, .up = *up, .in = INGEST_INIT};
	if (parent) {
		t->parent = *parent;
		t->has_parent = true;
	}
	if (!tsearch(t, &ld->index, id_order))
		return err_nomem(err);
	snprintf(t->as, sizeof(t->as), "%zu", ld->n);
	ld->total += from->blob.size;
	ld->n++;
	*up = t;
	return 0;
}

/* Sets *up, the task of the parent, to that of this layer; NULL if it exists already. */
static int plan_layer(struct load *ld, size_t image, const struct image_layer *l,
	const struct ovl_id *id, const struct ovl_id *parent, struct task **up,
	struct ovl_err *err)
{
	struct task **known = tfind(id, &ld->index, id_order);
	int there;

	if (known) {
		*up = *known;
		/* If this image lacks the blob, another may contain it. */
		if ((*known)->from->absent)
			(*known)->from = l;
		return 0;
	}
	there = hold_existing(ld, image, id, err);
	if (there == 0)
		return add_task(ld, image, l, id, parent, up, err);
	*up = NULL;
	return there < 0 ? there : 0;
}

/* Another driver of the store that has the layer; NULL if none has. */
static const struct driver *other_driver(struct load *ld, const struct ovl_id *id)
{
	const struct driver *const *d = driver_list;
	struct ovl_err ignored;

	while (*d &&
		(*d == ld->st->drv ||
			layer_exists(ld->st, &(struct layer_ref){*d, *id}, &ignored) <=
				0))
		d++;
	return *d;
}

static int missing(struct load *ld, const struct task *t, struct ovl_err *err)
{
	const struct driver *drv = other_driver(ld, &t->id);
	char size[32] = "";

	if (t->from->blob.size)
		snprintf(size, sizeof(size), " (%" PRIu64 " bytes)", t->from->blob.size);
	return err_status(err, OVL_NOLAYER, "layer sha256:%s%s is %s%s", t->from->diff_id,
		size,
		drv ? "not in the image, and the store has it only with the driver " :
		      "neither in the image nor in the store",
		drv ? drv->name : "");
}

/* Fails if neither the input nor the store has some of the layers, and lists them all. */
static int check_missing(struct load *ld, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < ld->n; i++) {
		if (!ld->task[i].from->absent)
			continue;
		if (rc < 0) {
			err_prefix(err, rc, "%s", Q(ld->req->file));
			store_problem(ld->st, err);
		}
		rc = missing(ld, &ld->task[i], err);
	}
	return rc;
}

static int plan_image(struct load *ld, size_t i, struct ovl_err *err)
{
	const struct image *im = &ld->im->image[i];
	const struct driver *drv = ld->st->drv;
	struct ovl_id *top = &ld->top[i];
	struct task *up = NULL;

	if (!drv->flat && im->n_layers > drv->max_lowers)
		return err_say(err, E2BIG,
			"the image has %u layers, but a mount can have at most %u",
			im->n_layers, drv->max_lowers);
	for (unsigned n = 0; n < im->n_layers; n++) {
		struct ovl_id below = *top;
		int rc = digest_chain(n ? below.s : NULL, im->layer[n].diff_id, top, err);

		if (rc == 0)
			rc = plan_layer(
				ld, i, &im->layer[n], top, n ? &below : NULL, &up, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- names ------------------------------------------------------------------------ */

/* Checks a tag, and ignores it if it is not a valid layer name: 1 valid, 0 not, negative
 * errno. */
static int may_be_name(
	struct load *ld, const char *name, const struct ovl_id *top, struct ovl_err *err)
{
	struct layer_ref self = image_load_ref(ld, top);
	struct layer_ref hidden;
	int r;

	if (!ovl_name_valid(name)) {
		store_warn(
			ld->st, "%s is not a valid name for a layer: skipped", Q(name));
		return 0;
	}
	r = names_hides_id(ld->st, name, &self, &hidden, err);
	if (r > 0)
		store_warn(ld->st,
			"the name %s is a prefix of the id of layer %.12s: skipped",
			Q(name), hidden.id.s);
	return r < 0 ? r : !r;
}

/* Rejects a name that is given to two layers. tops: the layer of each name so far. */
static int check_twice(
	json_t *tops, const char *name, const struct ovl_id *top, struct ovl_err *err)
{
	const char *other = json_string_value(json_object_get(tops, name));

	if (other && strcmp(other, top->s) != 0)
		return err_say(err, EEXIST, "two images in it have the name %s", Q(name));
	return json_object_set_new(tops, name, json_string(top->s)) < 0 ? err_nomem(err) :
									  0;
}

static int check_tags(struct load *ld, struct ovl_err *err)
{
	auto_json tops = json_object();
	struct layer_ref self;

	for (size_t i = 0; i < ld->im->n; i++) {
		char **name = ld->im->image[i].names;

		for (; name && *name; name++) {
			int r = ld->req->no_names ?
				0 :
				may_be_name(ld, *name, &ld->top[i], err);

			if (r > 0)
				r = check_twice(tops, *name, &ld->top[i], err);
			else if (r == 0)
				**name = '\0';
			if (r < 0)
				return r;
		}
	}
	if (!ld->req->name)
		return 0;
	if (ld->im->n > 1)
		return err_status(err, OVL_USAGE,
			"it has %zu images, and -n can name only one; choose it%s",
			ld->im->n, ld->im->other ? "" : " with --image");
	self = image_load_ref(ld, &ld->top[0]);
	return names_check(ld->st, ld->req->name, &self, ld->req->force, err);
}

void image_plan_release(struct load *ld)
{
	for (size_t i = 0; i < ld->n; i++)
		tdelete(&ld->task[i], &ld->index, id_order);
	for (size_t i = 0; ld->held && i < ld->im->n; i++)
		layer_close(&ld->held[i]);
	free(ld->held);
	free(ld->task);
}

int image_plan(struct load *ld, struct ovl_err *err)
{
	size_t most = 0;
	int rc = 0;

	for (size_t i = 0; i < ld->im->n; i++)
		most += ld->im->image[i].n_layers;
	ld->task = calloc(most + 1, sizeof(*ld->task));
	ld->held = calloc(ld->im->n + 1, sizeof(*ld->held));
	if (!ld->task || !ld->held)
		return err_nomem(err);
	for (size_t i = 0; i < ld->im->n; i++)
		ld->held[i] = LAYER_INIT;
	for (size_t i = 0; i < ld->im->n && rc == 0; i++)
		rc = store_stopped(ld->st) ? err_stopped(err) : plan_image(ld, i, err);
	if (rc == 0)
		rc = check_missing(ld, err);
	return rc < 0 ? rc : check_tags(ld, err);
}
