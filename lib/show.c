/* SPDX-License-Identifier: ISC */
/* The details of a layer, for ovl_list and ovl_show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include "base/vec.h"
#include "foreign/foreign.h"
#include "mount/mountspec.h"
#include "store/config.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/names.h"
#include "store/ondir.h"
#include "store/store.h"
#include "show.h"

/* *out = the absolute path of inside, which is relative to the driver's directory. */
static int driver_path(
	const struct layer *l, const char *inside, char **out, struct ovl_err *err)
{
	auto_buf b = {0};

	buf_addf(&b, "%s/%s%s%s", l->st->root, l->foreign ? "" : l->drv->name,
		l->foreign ? "" : "/", inside);
	*out = buf_steal(&b);
	return *out ? 0 : err_nomem(err);
}

static int set_paths(const struct layer *l, struct ovl_details *d, struct ovl_err *err)
{
	int rc;

	if (l->foreign)
		return driver_path(l, l->foreign->tree, &d->tree, err);
	rc = driver_path(l, l->id.s, &d->path, err);
	if (rc == 0)
		rc = driver_path(
			l, P("%s/%s", l->id.s, layer_tree_name(l)), &d->tree, err);
	if (rc == 0 && driver_keeps_mount(l))
		rc = driver_path(l, P("%s/%s", l->id.s, l->drv->work), &d->work, err);
	if (rc == 0 && driver_keeps_mount(l))
		rc = driver_path(l, P("%s/%s", l->id.s, l->drv->merged), &d->merged, err);
	return rc;
}

/* m: the layer's metadata; NULL: the layer is missing. */
static int add_below(struct ovl_details *d, const struct ovl_id *id, const struct meta *m,
	struct ovl_err *err)
{
	struct ovl_below *below;

	if (!VEC_ROOM(d->stack, d->n_stack))
		return err_nomem(err);
	below = &d->stack[d->n_stack++];
	*below = (struct ovl_below){.id = *id, .missing = !m};
	if (m) {
		below->size = m->size;
		strcpy(below->diff_id, m->diff_id);
		strcpy(below->link, m->link);
	}
	return 0;
}

/* Opens a layer of the stack and adds it to the list: 1; 0 if it is missing; negative
 * errno. */
static int open_below(const struct layer *l, const struct layer_ref *ref,
	struct ovl_details *d, struct layer *out, struct ovl_err *err)
{
	int rc = layer_open_ref(l->st, ref, 0, ref->id.s, out, err);
	bool missing = rc < 0 && err->status == OVL_NOLAYER;

	if (rc == 0 || missing)
		rc = add_below(d, &ref->id, missing ? NULL : &out->meta, err);
	return rc < 0 ? rc : !missing;
}

/* The same for the parent and all layers below it, whose details are known. */
static int copy_below(
	struct ovl_details *d, const struct ovl_layer *parent, struct ovl_err *err)
{
	const struct ovl_details *from = parent->details;

	d->stack = calloc(from->n_stack + 1, sizeof(*d->stack));
	if (!d->stack)
		return err_nomem(err);
	d->n_stack = from->n_stack + 1;
	d->stack_size += from->stack_size;
	for (size_t i = 0; i < from->n_stack; i++)
		d->stack[i + 1] = from->stack[i];
	d->stack->id = parent->id;
	d->stack->size = parent->size;
	strcpy(d->stack->diff_id, parent->diff_id);
	strcpy(d->stack->link, parent->link);
	return 0;
}

static int other_child(void *ctx, const struct layer_ref *child)
{
	const struct ovl_id *known = ctx;

	return !known || strcmp(child->id.s, known->s) != 0;
}

static int is_name(void *ctx, int names, const char *file)
{
	char name[NAME_LEN_MAX + 1];

	(void)ctx;
	(void)names;
	return name_decode(file, name);
}

/* True if the layer has a name, or a child other than child (NULL: it is the layer
 * itself, whose names do not count). */
static int needed(const struct layer *l, struct ovl_id *child, struct ovl_err *err)
{
	struct layer_ref ref = layer_ref_of(l);
	char name[NAME_LEN_MAX + 1];

	if (child &&
		(l->foreign ? names_first(l->st, &ref, name) :
			      names_files(l, is_name, NULL, err)))
		return 1;
	return layer_children(l, other_child, child, err);
}

/*
 * Lists the layers below, nearest first, down to the bottom or to a missing one, and adds
 * up their sizes. The layer itself takes own bytes. A layer below is needed only by this
 * one if it has no name and no other layer on top of it; so must be all between them.
 */
static int set_stack(const struct layer *l, uint64_t own, const struct ovl_layer *parent,
	struct ovl_details *d, struct ovl_err *err)
{
	struct layer_ref ref = layer_ref_of(l);
	struct meta at = l->meta;
	int shared = needed(l, NULL, err);

	d->tar_size = l->meta.tar_size;
	d->stack_size = own;
	d->unique_size = shared ? 0 : own;
	if (shared > 0 && parent && parent->details && !l->foreign)
		return copy_below(d, parent, err);
	while (shared >= 0 && at.has_parent) {
		struct ovl_id child = ref.id;
		auto_layer below = LAYER_INIT;
		int rc;

		if (d->n_stack > l->meta.depth)
			return err_say(err, ELOOP,
				"the parents of layer %.12s form a loop", l->id.s);
		ref.id = at.parent;
		rc = open_below(l, &ref, d, &below, err);
		if (rc <= 0)
			return rc;
		if (!shared)
			shared = needed(&below, &child, err);
		at = below.meta;
		d->stack_size += at.size;
		d->unique_size += shared ? 0 : at.size;
	}
	return shared < 0 ? shared : 0;
}

static int set_dir(const struct layer *l, char **out, struct ovl_err *err)
{
	auto_ondir on = ONDIR_INIT;
	int rc = ondir_read(l->fd, &on, err);

	if (rc == 0)
		*out = buf_steal(&on.path);
	return rc;
}

static int set_lowers(const struct layer *l, struct ovl_details *d, struct ovl_err *err)
{
	auto_stack s = {0};
	int rc = driver_lowers(l, &s, err);

	if (rc < 0)
		return rc;
	d->lowers = calloc(s.n + 2, sizeof(*d->lowers));
	if (!d->lowers)
		return err_nomem(err);
	if (l->meta.on_dir)
		return set_dir(l, &d->lowers[0], err);
	for (unsigned i = 0; rc == 0 && i < s.n; i++)
		rc = driver_path(l, s.name[i], &d->lowers[i], err);
	return rc;
}

static int set_command(const struct layer *l, struct ovl_details *d, struct ovl_err *err)
{
	auto_buf line = {0};
	unsigned n = l->meta.lowers + (l->meta.kind == OVL_IMAGE);
	bool named = n <= MOUNT_NAMED_MAX;
	int rc = named ? mountspec_line(l, &line, err) : 0;

	if (rc < 0)
		return rc;
	if (!named)
		buf_addf(&line,
			"its mount has %u lower layers, and mount(2) takes the names of at "
			"most %u: only 'ovlctl mount' can mount it",
			n, MOUNT_NAMED_MAX);
	*(named ? &d->mount_command : &d->mount_note) = buf_steal(&line);
	return d->mount_command || d->mount_note ? 0 : err_nomem(err);
}

/* Gets the config of the image named what; none if that is ambiguous. */
static int set_configs(const struct layer *l, const char *what, struct ovl_details *d,
	struct ovl_err *err)
{
	char hex[ID_LEN + 1];
	auto_buf list = {0};
	auto_buf bytes = {0};
	int rc = config_list(l, &list, err);

	if (rc < 0)
		return rc;
	d->n_configs = list.len / (ID_LEN + 1);
	d->configs = calloc(d->n_configs + 1, sizeof(*d->configs));
	if (!d->configs)
		return err_nomem(err);
	for (size_t i = 0; i < d->n_configs; i++)
		memcpy(d->configs[i].s, list.data + i * (ID_LEN + 1), ID_LEN);
	rc = config_choose(l, what, hex, err);
	if (rc == 1)
		rc = config_get(l, what, &bytes, hex, err);
	if (rc == 1) {
		d->config_len = bytes.len;
		d->config = buf_steal(&bytes);
	}
	return rc < 0 ? rc : 0;
}

int show_details(const struct layer *l, const char *what, uint64_t own,
	const struct ovl_layer *parent, struct ovl_details *d, struct ovl_err *err)
{
	int rc = set_paths(l, d, err);

	if (rc == 0)
		rc = set_stack(l, own, parent, d, err);
	if (rc == 0)
		rc = set_lowers(l, d, err);
	if (rc == 0)
		rc = set_command(l, d, err);
	if (rc == 0 && layer_adopted(l, &d->adopted, &d->verified) < 0)
		rc = err_nomem(err);
	return rc == 0 ? set_configs(l, what, d, err) : rc;
}

void show_free(struct ovl_details *d)
{
	if (!d)
		return;
	free(d->stack);
	free(d->path);
	free(d->tree);
	free(d->work);
	free(d->merged);
	free(d->adopted);
	texts_free(d->lowers);
	free(d->mount_command);
	free(d->mount_note);
	free(d->configs);
	free(d->config);
	free(d);
}
