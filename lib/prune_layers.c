/* SPDX-License-Identifier: ISC */
/*
 * prune --layers: plans which layers to remove, in which order, and removes them.
 *
 *	needed		layers that have a name, are in use or locked; and all below these
 *	candidates	all others, in the order of removal: the least recently used
 *			first, children before their parents
 *	kept		candidates that an option keeps; and all below these
 *
 * A layer is not removed before those on top of it, so their last use counts as its own.
 * The plan is made without locks. Before a layer is removed, it is checked again under
 * its lock, and stays if it was used since.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/holder.h"
#include "base/vec.h"
#include "mount/inuse.h"
#include "prune_priv.h"
#include "remove.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/names.h"
#include "store/store.h"

struct node {
	const struct ovl_layer *layer;
	struct node *parent; /* NULL: none, or it is not listed */
	struct timespec used; /* last use of it or of a candidate on top of it */
	bool inherits; /* a layer on top of it was used at that time */
	bool needed;
	bool kept;
	unsigned children; /* children that are not removed */
	uint64_t hints; /* bytes of its hints, which count for the child that is removed
			 * last */
	uint64_t bytes; /* bytes that its removal frees */
};

struct plan {
	struct pruner *p;
	struct ovl_list list;
	struct node *node; /* one for each layer */
	struct node **order; /* all layers, the deepest first; later the candidates, in
			      * the order of removal */
	size_t n;
};

/* ---- the layers ------------------------------------------------------------------- */

static int deeper(const struct ovl_layer *a, const struct ovl_layer *b)
{
	return a->depth != b->depth ? (a->depth > b->depth ? -1 : 1) :
				      strcmp(a->id.s, b->id.s);
}

/* A layer after all layers on top of it. */
static int by_depth(const void *a, const void *b)
{
	return deeper(
		(*(struct node *const *)a)->layer, (*(struct node *const *)b)->layer);
}

static int by_use(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a;
	const struct node *y = *(struct node *const *)b;
	int order = fs_time_order(&x->used, &y->used);

	return order ? order : deeper(x->layer, y->layer);
}

static int read_layers(struct plan *pl)
{
	struct pruner *p = pl->p;
	struct ovl_list *list = &pl->list;
	int rc = ovl_list(p->st, NULL, OVL_LIST_LAST_USE, list, p->err);

	if (rc < 0)
		return rc;
	pl->node = calloc(list->n + 1, sizeof(*pl->node));
	pl->order = calloc(list->n + 1, sizeof(*pl->order));
	if (!pl->node || !pl->order)
		return err_nomem(p->err);
	pl->n = list->n;
	for (size_t i = 0; i < pl->n; i++) {
		struct node *n = pl->order[i] = &pl->node[i];

		n->layer = &list->layer[i];
		n->used = n->layer->used;
		if (n->layer->parent_at >= 0)
			n->parent = &pl->node[n->layer->parent_at];
		if (n->parent)
			n->parent->children++;
	}
	VEC_SORT(pl->order, pl->n, by_depth);
	return 0;
}

/* ---- the plan --------------------------------------------------------------------- */

static bool may_go(const struct pruner *p, const struct ovl_layer *l)
{
	return (l->kind == OVL_IMAGE || p->req->writable) && !l->names[0] &&
		!l->mounts[0];
}

/* 1 if it may be removed, as far as can be told without its lock, which would make other
 * commands fail; 0 if not; negative errno. */
static int is_free(struct pruner *p, const struct ovl_layer *l)
{
	struct layer_ref ref = {.drv = driver_find(l->driver), .id = l->id};
	auto_layer open = LAYER_INIT;
	char who[HOLDER_SIZE];
	int rc = layer_open_ref(p->st, &ref, 0, ref.id.s, &open, p->err);

	if (rc == 0 && (holder_of(open.fd, false, false, who) || names_any_lost(&open)))
		return 0;
	if (rc == 0)
		rc = inuse_refuse(&p->inuse, &open, ref.id.s, INUSE_TAKE, p->err);
	if (rc < 0 && (p->err->status == OVL_BUSY || p->err->status == OVL_NOLAYER))
		return 0;
	return rc < 0 ? rc : 1;
}

/* The layers below a layer stay as long as that does. */
static void pass_down(const struct node *n)
{
	struct node *below = n->parent;

	if (!below)
		return;
	below->needed = below->needed || n->needed;
	below->kept = below->kept || n->kept;
	if (!n->needed && fs_time_order(&n->used, &below->used) >= 0) {
		below->used = n->used;
		below->inherits = true;
	}
}

static void keep(struct node *n)
{
	for (; n && !n->kept; n = n->parent)
		n->kept = true;
}

/* Returns the number of layers that stay only because of their age; negative errno. */
static int choose_candidates(struct plan *pl)
{
	struct pruner *p = pl->p;
	size_t candidates = 0;
	int young = 0;

	for (size_t i = 0; i < pl->n; i++) {
		struct node *n = pl->order[i];
		int rc = store_stopped(p->st) ? err_stopped(p->err) : 0;

		if (i % 32 == 0)
			inuse_let_go(&p->inuse);
		if (rc == 0 && !n->needed) {
			rc = may_go(p, n->layer) ? is_free(p, n->layer) : 0;
			n->needed = rc <= 0;
			rc = rc < 0 ? prune_go_on(p, rc) : 0;
		}
		if (rc < 0)
			return rc;
		if (n->layer->used.tv_sec > p->used_before)
			n->kept = true;
		pass_down(n);
		if (n->needed)
			continue;
		young += n->kept;
		pl->order[candidates++] = n;
	}
	inuse_let_go(&p->inuse);
	pl->n = candidates;
	VEC_SORT(pl->order, pl->n, by_use);
	return young;
}

/* A layer below one that was used at the same time is kept with that one, and does not
 * count. */
static void keep_last(struct plan *pl)
{
	uint64_t left = pl->p->req->keep_last;

	for (size_t i = pl->n; i > 0 && left; i--) {
		if (!pl->order[i - 1]->inherits) {
			keep(pl->order[i - 1]);
			left--;
		}
	}
}

/* Files that were measured before count as removed. */
static void measure(struct plan *pl, struct node *n)
{
	struct fs_blocks *b = &pl->p->blocks;
	const struct driver *drv = driver_find(n->layer->driver);
	int dir = store_driver_dir(pl->p->st, drv, NULL);
	uint64_t before = b->freed + n->hints;

	fs_tree_blocks(b, dir, n->layer->id.s);
	if (drv->links)
		fs_tree_blocks(b, dir, P("%s/%s", drv->links, n->layer->link));
	if (n->parent && --n->parent->children == 0) {
		n->parent->hints = b->freed;
		fs_tree_blocks(b, dir, P("%s/" LAYER_CHILDREN, n->parent->layer->id.s));
		n->parent->hints = b->freed - n->parent->hints;
	}
	n->bytes = b->freed - before;
}

static int measure_all(struct plan *pl, bool kept)
{
	for (size_t i = 0; i < pl->n; i++) {
		if (store_stopped(pl->p->st))
			return err_stopped(pl->p->err);
		if (pl->order[i]->kept == kept)
			measure(pl, pl->order[i]);
	}
	return 0;
}

static int keep_bytes(struct plan *pl)
{
	uint64_t limit = pl->p->req->keep_bytes;
	uint64_t rest = 0;
	int rc = limit ? measure_all(pl, true) : 0;

	for (size_t i = 0; i < pl->n; i++)
		rest += pl->order[i]->bytes;
	for (size_t i = 0; i < pl->n && limit; i++) {
		struct node *n = pl->order[i];

		if (rest <= limit)
			keep(n);
		else if (!n->kept)
			rest -= n->bytes;
	}
	return rc;
}

/* For a user who has just removed a name. */
static void tell_young(const struct pruner *p, int n)
{
	char age[32] = "an hour";

	if (p->req->unused_for != 3600)
		snprintf(age, sizeof(age), "%lld seconds", (long long)p->req->unused_for);
	if (n > 0 && p->req->unused_for && !p->req->keep_last && !p->req->keep_bytes)
		store_hint(p->st,
			"%d unused %s last used less than %s ago; with '--unused-for 0', "
			"%s removed, too",
			n, n == 1 ? "layer was" : "layers were", age,
			n == 1 ? "it is" : "they are");
}

/* ---- removal ---------------------------------------------------------------------- */

static int prune_layer(struct pruner *p, const struct node *n)
{
	const struct ovl_layer *l = n->layer;
	const struct layer_ref ref = {.drv = driver_find(l->driver), .id = l->id};
	struct ovl_pruned gone = {
		.what = "layer",
		.name = l->id.s,
		.bytes = n->bytes,
		.why = l->kind == OVL_IMAGE ? "it has no name" : "writable and unnamed",
		.used = &l->used,
	};
	int rc = p->req->dry_run ?
		0 :
		remove_unneeded(p->st, &ref, &l->used, &p->inuse, p->err);

	if (rc < 0 && (p->err->status == OVL_BUSY || p->err->status == OVL_NOLAYER))
		return 0;
	return rc < 0 ? rc : prune_report(p, &gone);
}

/* Somebody who mounts a layer by hand takes no lock and records no use, so the mounts
 * seen while planning are too old for a removal. */
static void look_again(struct pruner *p, time_t *seen)
{
	struct timespec now;

	if (p->req->dry_run || clock_gettime(CLOCK_MONOTONIC, &now) < 0 ||
		now.tv_sec == *seen)
		return;
	*seen = now.tv_sec;
	inuse_release(&p->inuse);
}

static int carry_out(const struct plan *pl)
{
	struct pruner *p = pl->p;
	time_t seen = -1;

	for (size_t i = 0; i < pl->n; i++) {
		int rc = store_stopped(p->st) ? err_stopped(p->err) : 0;

		if (rc == 0 && !pl->order[i]->kept) {
			look_again(p, &seen);
			rc = prune_go_on(p, prune_layer(p, pl->order[i]));
		}
		if (rc)
			return rc;
	}
	return 0;
}

int prune_layers(struct pruner *p)
{
	struct plan pl = {.p = p};
	int young = 0;
	int rc = read_layers(&pl);

	/* time(2) may be a tick behind the clock by which use is recorded. */
	p->used_before = meta_now().tv_sec - p->req->unused_for;
	if (rc == 0)
		rc = young = choose_candidates(&pl);
	if (rc >= 0) {
		keep_last(&pl);
		rc = measure_all(&pl, false);
	}
	if (rc == 0)
		rc = keep_bytes(&pl);
	if (rc == 0)
		rc = carry_out(&pl);
	if (rc == 0)
		tell_young(p, young);
	inuse_release(&p->inuse);
	free(pl.node);
	free(pl.order);
	ovl_list_free(&pl.list);
	return rc;
}
