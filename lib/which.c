/* SPDX-License-Identifier: ISC */
/*
 * ovl_which: the layers that a path comes from.
 *
 * The path is resolved in the merged view. Then each layer's own tree is asked what it
 * has there, and from the bottom up that is compared with what was visible until then.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/vec.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/names.h"
#include "store/ondir.h"
#include "store/store.h"
#include "union/differ.h"
#include "union/merged.h"

/* A layer of the stack, or the directory that a layer is on. */
struct part {
	struct layer_ref ref; /* without a driver: the directory */
	char link[SHORT_LEN + 1];
	unsigned first; /* index of the first of its own trees in which.trees */
	unsigned n; /* number of these */
	bool whole; /* its tree also has everything of the layers below, as hard links */
	bool cut; /* it hides all layers below */
	int what; /* enum ovl_effect for the current path; -1: nothing */
};

struct which {
	struct ovl_store *st;
	const struct ovl_which *req;
	struct view trees; /* of all layers, nearest first */
	unsigned mounted; /* number of trees in the layer's mount */
	bool upper; /* the first tree may have redirects and metacopies */
	struct part *part;
	size_t n;
	struct ondir on; /* if the layer is on a directory */
	int failed; /* negative errno of the last path that failed; err has the text */
	struct ovl_err *err;
};

/* ---- the stack -------------------------------------------------------------------- */

static int damaged(const struct which *w)
{
	return err_see_check(w->err,
		err_say(w->err, EUCLEAN, "the stack of layer %s is damaged",
			Q(w->req->layer)));
}

static unsigned trees_so_far(const struct which *w)
{
	return w->n ? w->part[w->n - 1].first + w->part[w->n - 1].n : 0;
}

/* l NULL: adds the directory. */
static int add_part(struct which *w, const struct layer *l, unsigned n)
{
	struct part p = {.first = trees_so_far(w), .n = n};

	if (l) {
		p.ref = layer_ref_of(l);
		memcpy(p.link, l->meta.link, sizeof(p.link));
		p.whole = l->drv->flat && l->meta.kind == OVL_IMAGE && l->meta.has_parent;
		p.cut = l->meta.has_parent && !l->meta.lowers;
	}
	if (p.first + n > w->trees.n)
		return damaged(w);
	if (!VEC_ROOM(w->part, w->n))
		return err_nomem(w->err);
	w->part[w->n++] = p;
	return 0;
}

/* Adds the trees of a layer's mount, unless a layer above already has them in its
 * mount. */
static int add_trees(struct which *w, const struct layer *l)
{
	struct view more = {0};
	int rc;

	if (w->trees.n > trees_so_far(w))
		return 0;
	rc = layer_view(l, true, &more, w->err);
	if (rc == 0 && view_append(&w->trees, &more) < 0)
		rc = err_sys(w->err, errno, "cannot open the trees of layer %s",
			Q(w->req->layer));
	if (rc == 0 && !w->n)
		w->mounted = w->trees.n;
	return rc;
}

/* Adds a layer and opens its parent: 1; 0 if it has none. */
static int add_layer(struct which *w, const struct layer *l, struct layer *parent)
{
	bool has = l->meta.has_parent;
	unsigned n = has ? 1 : l->meta.lowers + 1;
	int rc = add_trees(w, l);

	if (rc == 0 && has)
		rc = layer_open_parent(l, LOCK_SH, parent, w->err);
	if (rc < 0)
		return rc;
	if (has && l->meta.lowers > parent->meta.lowers)
		n = l->meta.lowers - parent->meta.lowers;
	rc = add_part(w, l, n);
	return rc < 0 ? rc : has;
}

static int open_stack(struct which *w, const struct layer *top)
{
	auto_layer below = LAYER_INIT;
	const struct layer *l = top;
	int rc = 1;

	while (rc > 0) {
		auto_layer parent = LAYER_INIT;

		rc = w->n > top->meta.depth ? damaged(w) : add_layer(w, l, &parent);
		layer_close(&below);
		below = parent;
		parent.fd = -1;
		l = &below;
	}
	if (rc < 0 || !top->meta.on_dir)
		return rc;
	rc = ondir_read(top->fd, &w->on, w->err);
	return rc == 0 ? add_part(w, NULL, 1) : rc;
}

/* The n trees beginning with first, as a view that owns nothing. */
static struct view some_trees(const struct which *w, unsigned first, unsigned n)
{
	struct view v = w->trees;

	v.fd += first;
	v.marks += first;
	v.n = n;
	return v;
}

/* ---- one layer -------------------------------------------------------------------- */

/* The result of looking up a path in a layer. */
struct found {
	/* HIDES: it hides the path in the layers below. */
	enum { NOTHING, HIDES, HAS } is;
	bool opaque; /* the path does not merge with the same path in the layers below */
	bool metacopy; /* its data is in a layer below */
	bool renamed; /* it has a redirect, so its name is new */
	struct differ_at at; /* HAS */
	struct view in; /* the directory that contains it; empty: it is the root */
};

static void found_close(struct found *f)
{
	view_close(&f->in);
}
#define auto_found __attribute__((cleanup(found_close))) struct found

/*
 * Adds to below the name that the layers below the upper have for it, which differs if
 * dir or a metacopied file has a redirect.
 */
static int go_below(const struct which *w, const struct view *dir, const char *name,
	struct found *f, struct buf *below)
{
	const struct xattr_policy *xp = w->trees.xp;
	auto_buf plain = {0};
	auto_buf to = {0};
	int r = 0;

	if (dir->n) {
		r = wh_redirect(xp, dir->fd[0], NULL, &to);
	} else if (f->is == HAS && S_ISREG(f->at.st.st_mode)) {
		r = wh_is_metacopy(xp, f->at.dirfd, name);
		f->metacopy = r > 0;
		if (r > 0)
			r = wh_redirect(xp, f->at.dirfd, name, &to);
	}
	if (r < 0)
		return -1;
	buf_add(&plain, below->data, below->len);
	path_add(&plain, name);
	if (r > 0 && *to.data == '/') {
		buf_clear(below);
		f->opaque = false;
	}
	path_add(below, r > 0 ? to.data + (*to.data == '/') : name);
	if (plain.failed || below->failed)
		return fs_fail(ENOMEM);
	f->renamed = strcmp(plain.data, below->data) != 0;
	return 0;
}

/* Looks up a name in a directory; if it is a directory, *dir is opened. */
static int look_up(
	const struct view *in, const char *name, struct found *f, struct view *dir)
{
	unsigned at = UINT_MAX;
	int r = view_stat(in, *name ? name : ".", &f->at.st, &at);

	f->is = r > 0 ? HAS : at == UINT_MAX ? NOTHING : HIDES;
	f->at.dirfd = at == UINT_MAX ? -1 : in->fd[at];
	if (r > 0 && *name && S_ISDIR(f->at.st.st_mode))
		r = view_child(in, name, dir);
	if (dir->n && dir->marks[dir->n - 1] == WH_OPAQUE_Y)
		f->opaque = true;
	return r < 0 ? -1 : 0;
}

/* Looks up a path in layer i. If that is an upper, below, which is empty at first, gets
 * the path in the layers below. */
static int look(const struct which *w, size_t i, const char *path, struct found *f,
	struct buf *below)
{
	const struct part *p = &w->part[i];
	struct view root = some_trees(w, p->first, p->n);
	const struct view *in = &root;

	f->at.name = *path ? path_base(path) : ".";
	f->opaque = p->cut;
	for (;;) {
		auto_free char *name = strndup(path, strcspn(path, "/"));
		auto_view dir = {0};

		if (!name)
			return fs_fail(ENOMEM);
		path += strlen(name);
		if (look_up(in, name, f, &dir) < 0 ||
			(below && *name && go_below(w, &dir, name, f, below) < 0))
			return -1;
		if (f->is == HAS && *path && !S_ISDIR(f->at.st.st_mode))
			f->is = HIDES;
		if (f->is != HAS || !*path)
			break;
		path++;
		view_close(&f->in);
		f->in = steal(dir);
		in = &f->in;
	}
	if (below)
		buf_adds(below, path);
	return below && below->failed ? fs_fail(ENOMEM) : 0;
}

/* ---- all layers ------------------------------------------------------------------- */

/* Compares a layer's file with the one below. *same: they are the same inode. */
static int compare(
	const struct which *w, const struct found *f, const struct found *was, bool *same)
{
	bool dirs = S_ISDIR(f->at.st.st_mode) && S_ISDIR(was->at.st.st_mode);
	bool one = fs_same(&f->at.st, &was->at.st);
	bool all = w->req->all && !f->metacopy;
	int r = one ? 0 :
		      differ_what(&f->at, &was->at, all ? DIFFER_ALL : DIFFER_META,
			      w->trees.xp, w->st->cfg.stop);

	*same = one || (dirs && r == 0);
	return r >= 0 && dirs && f->opaque ? r | OVL_OPAQUE : r;
}

/* Puts a layer's file on top of what was visible below it, and sets what this changes. */
static int put_over(
	const struct which *w, struct part *p, struct found *f, struct found *seen)
{
	bool same = false;

	p->what = -1;
	if (f->is == NOTHING && p->whole)
		f->is = HIDES;
	if (f->is == NOTHING && !f->opaque)
		return 0;
	if (f->is == HAS && (seen->is != HAS || f->renamed))
		p->what = OVL_ADDED;
	else if (f->is == HAS && (p->what = compare(w, f, seen, &same)) < 0)
		return -1;
	else if (f->is != HAS && seen->is == HAS)
		p->what = f->is == HIDES ? OVL_DELETED : OVL_OPAQUE;
	if (p->whole && same)
		p->what = -1;
	view_close(&seen->in);
	*seen = *f;
	f->in = (struct view){0};
	return 0;
}

/* Finds what each layer does to a path without symlinks: 1 if it exists, 0 if not, -1. */
static int trace(struct which *w, const char *path)
{
	auto_buf below = {0};
	auto_found top = {0};
	auto_found seen = {0};
	int rc;

	buf_add(&below, "", 0);
	if (below.failed)
		return fs_fail(ENOMEM);
	rc = look(w, 0, path, &top, w->upper ? &below : NULL);
	for (size_t i = w->n - 1; rc == 0 && i > 0; i--) {
		auto_found f = {0};

		rc = look(w, i, w->upper ? below.data : path, &f, NULL);
		if (rc == 0)
			rc = put_over(w, &w->part[i], &f, &seen);
	}
	if (rc == 0)
		rc = put_over(w, &w->part[0], &top, &seen);
	return rc < 0 ? rc : seen.is == HAS;
}

/* ---- reports ---------------------------------------------------------------------- */

/* Sets the layer's name, or the first digits of its id. */
static int set_label(
	const struct which *w, const struct part *p, char label[NAME_LEN_MAX + 1])
{
	int r = names_first(w->st, &p->ref, label);

	if (r == 0)
		snprintf(label, NAME_LEN_MAX + 1, "%.12s", p->ref.id.s);
	return r < 0 ?
		err_sys(w->err, -r, "cannot read the names of layer %.12s", p->ref.id.s) :
		0;
}

static int list_layers(
	const struct which *w, struct ovl_traced *t, struct ovl_origin *layer)
{
	int rc;

	t->layer = layer;
	for (size_t i = 0; i < w->n && (w->req->all || !t->n); i++) {
		const struct part *p = &w->part[i];
		struct ovl_origin *o = &layer[t->n];

		if (p->what < 0)
			continue;
		o->id = p->ref.id;
		memcpy(o->link, p->link, sizeof(o->link));
		o->what = (unsigned)p->what;
		t->n++;
		if (!p->ref.drv) {
			o->dir = w->on.path.data;
			continue;
		}
		rc = set_label(w, p, o->label);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Records the failure of a path, and reports the one before. why: errno, or 0 if the path
 * does not exist. */
static void fail(struct which *w, const struct ovl_traced *t, int why)
{
	const char *layer = w->req->layer;

	if (w->failed)
		store_problem(w->st, w->err);
	if (store_stopped(w->st))
		w->failed = err_stopped(w->err);
	else if (why)
		w->failed = err_sys(w->err, why, "cannot look up %s in layer %s",
			Q(t->path), Q(layer));
	else if (!t->n)
		w->failed = err_say(w->err, ENOENT,
			"%s does not exist in layer %s, nor in any below it", Q(t->path),
			Q(layer));
	else
		w->failed = err_say(w->err, ENOENT,
			"%s does not exist in layer %s: layer %s %s", Q(t->path),
			Q(layer), Q(t->layer->label),
			t->layer->what == OVL_DELETED ?
				"deleted it" :
				"hides it by an opaque directory");
}

static int which_path(struct which *w, const char *path)
{
	auto_free struct ovl_origin *layer = calloc(w->n, sizeof(*layer));
	struct merged root = {.dir = some_trees(w, 0, w->mounted), .upper = w->upper};
	struct view lowers = merged_lowers(&root);
	struct ovl_traced t = {.path = path};
	auto_buf real = {0};
	int why;
	int rc;
	int r;

	if (!layer)
		return err_nomem(w->err);
	root.root = &lowers;
	why = merged_resolve(&root, path, &real) < 0 ? errno : 0;
	r = why == 0 || why == ENOENT || why == ENOTDIR ? trace(w, real.data) : -1;
	if (r < 0 && !why)
		why = errno;
	/* Nothing can lie below a file. */
	if (r == 0 || (r > 0 && !why)) {
		why = 0;
		rc = list_layers(w, &t, layer);
		if (rc < 0)
			return rc;
	}
	t.exists = r > 0 && !why;
	if (!t.exists)
		fail(w, &t, why);
	return err_is_system(-why) ? w->failed : w->req->fn(w->req->ctx, &t);
}

int ovl_which(struct ovl_store *st, const struct ovl_which *req, struct ovl_err *err)
{
	struct which w = {.st = st,
		.req = req,
		.trees = {.xp = &st->xattrs},
		.on = ONDIR_INIT,
		.err = err};
	auto_layer l = LAYER_INIT;
	int rc = layer_open(st, req->layer, LOCK_SH, &l, err);

	w.upper = l.meta.kind == OVL_WRITABLE;
	if (rc == 0)
		rc = open_stack(&w, &l);
	for (char *const *path = req->paths; rc == 0 && *path; path++)
		rc = store_stopped(st) ? err_stopped(err) : which_path(&w, *path);
	free(w.part);
	view_close(&w.trees);
	ondir_close(&w.on);
	return rc == 0 ? w.failed : rc;
}
