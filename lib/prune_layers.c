/* SPDX-License-Identifier: ISC */
/* prune --layers: finds layers that are not needed any more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/holder.h"
#include "mount/inuse.h"
#include "prune_priv.h"
#include "remove.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/names.h"
#include "store/store.h"

/* The deepest first, so that a layer is removed after all layers on top of it. */
static int by_depth(const void *a, const void *b)
{
	const struct ovl_layer *x = a;
	const struct ovl_layer *y = b;

	return x->depth > y->depth ? -1 : x->depth < y->depth;
}

struct known {
	const struct ovl_layer *layer;
	unsigned children; /* that still exist */
	unsigned needing; /* those of them that are not just too young */
};

static int compare_ids(const char *drv_a, const char *a, const char *drv_b, const char *b)
{
	int order = strcmp(a, b);

	return order ? order : strcmp(drv_a, drv_b);
}

static int by_id(const void *a, const void *b)
{
	const struct ovl_layer *x = ((const struct known *)a)->layer;
	const struct ovl_layer *y = ((const struct known *)b)->layer;

	return compare_ids(x->driver, x->id.s, y->driver, y->id.s);
}

/* key: the child. */
static int is_parent(const void *key, const void *b)
{
	const struct ovl_layer *child = key;
	const struct ovl_layer *l = ((const struct known *)b)->layer;

	return compare_ids(child->driver, child->parent.s, l->driver, l->id.s);
}

static struct known *parent_of(
	struct known *known, size_t n, const struct ovl_layer *child)
{
	return child->has_parent ? bsearch(child, known, n, sizeof(*known), is_parent) :
				   NULL;
}

static struct known *known_make(const struct ovl_list *list)
{
	struct known *known = calloc(list->n + 1, sizeof(*known));

	if (!known)
		return NULL;
	for (size_t i = 0; i < list->n; i++)
		known[i].layer = &list->layer[i];
	qsort(known, list->n, sizeof(*known), by_id);
	for (size_t i = 0; i < list->n; i++) {
		struct known *parent = parent_of(known, list->n, &list->layer[i]);

		if (parent) {
			parent->children++;
			parent->needing++;
		}
	}
	return known;
}

static bool unneeded(const struct ovl_layer *l)
{
	return l->kind == OVL_IMAGE && !l->names[0] && !l->mounts[0];
}

static bool is_young(const struct pruner *p, const struct ovl_layer *l)
{
	return l->used.tv_sec > p->used_before;
}

/* True if it may be removed, as far as that can be seen without its lock, which would
 * make others fail. */
static bool is_free(struct pruner *p, const struct ovl_layer *l)
{
	struct layer_ref ref = {.drv = driver_find(l->driver), .id = l->id};
	auto_layer open = LAYER_INIT;
	struct ovl_err why;
	char who[HOLDER_SIZE];

	return layer_open_ref(p->st, &ref, 0, ref.id.s, &open, &why) == 0 &&
		!holder_of(open.fd, false, false, who) && !names_any_lost(&open) &&
		inuse_refuse(&p->inuse, &open, ref.id.s, INUSE_TAKE, &why) == 0;
}

/* *gone: it was removed, or would be; else it is in use and stays. */
static int prune_layer(struct pruner *p, const struct ovl_layer *l, bool *gone)
{
	const struct layer_ref ref = {.drv = driver_find(l->driver), .id = l->id};
	int rc;

	if (p->req->dry_run) {
		if (!is_free(p, l))
			return 0;
	} else {
		rc = remove_unneeded(p->st, &ref, p->used_before, &p->inuse, p->err);
		if (rc < 0 &&
			(p->err->status == OVL_BUSY || p->err->status == OVL_NOLAYER))
			return 0;
		if (rc < 0)
			return rc;
	}
	*gone = true;
	return prune_report(
		p, "layer", l->id.s, l->size, "it has no name, and nothing uses it");
}

/* For somebody who has just removed a name. */
static void tell_young(const struct pruner *p, unsigned n)
{
	char age[32] = "an hour";

	if (p->req->older_than != 3600)
		snprintf(age, sizeof(age), "%lld seconds", (long long)p->req->older_than);
	if (n)
		store_hint(p->st,
			"%u unused %s last used less than %s ago; with '--older-than 0', "
			"%s removed, too",
			n, n == 1 ? "layer was" : "layers were", age,
			n == 1 ? "it is" : "they are");
}

/* *young: one more layer is only too young, or below such a layer. */
static int prune_if_unneeded(
	struct pruner *p, const struct known *self, struct known *parent, unsigned *young)
{
	const struct ovl_layer *l = self->layer;
	bool gone = false;
	int rc = 0;

	if (!unneeded(l) || self->needing)
		return 0;
	if (self->children || is_young(p, l)) {
		gone = is_free(p, l);
		*young += gone;
	} else {
		rc = prune_layer(p, l, &gone);
		if (gone && parent)
			parent->children--;
	}
	if (gone && parent)
		parent->needing--;
	return rc;
}

int prune_layers(struct pruner *p)
{
	struct ovl_list list = {0};
	struct known *known = NULL;
	unsigned young = 0;
	int rc = ovl_list(p->st, NULL, OVL_LIST_LAST_USE, &list, p->err);

	p->used_before = time(NULL) - p->req->older_than;
	if (rc == 0 && list.n) {
		qsort(list.layer, list.n, sizeof(*list.layer), by_depth);
		known = known_make(&list);
		rc = known ? 0 : err_nomem(p->err);
	}
	for (size_t i = 0; i < list.n && rc == 0; i++) {
		const struct ovl_layer *l = &list.layer[i];
		const struct known *self = bsearch(&(struct known){.layer = l}, known,
			list.n, sizeof(*known), by_id);
		struct known *parent = parent_of(known, list.n, l);

		rc = store_stopped(p->st) ?
			err_stopped(p->err) :
			prune_go_on(p, prune_if_unneeded(p, self, parent, &young));
	}
	if (rc == 0)
		tell_young(p, young);
	inuse_release(&p->inuse);
	free(known);
	ovl_list_free(&list);
	return rc;
}
