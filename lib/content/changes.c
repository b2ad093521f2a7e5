/* SPDX-License-Identifier: ISC */
/* Compares a layer with the layers below it, or with another layer. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "content/changes.h"
#include "store/driver.h"
#include "store/store.h"
#include "union/differ.h"
#include "union/frame.h"
#include "union/whiteout.h"

struct changes {
	const struct layer *l;
	struct view lowers; /* the layer's root: absolute redirects start here */
	struct view base_lowers; /* the same for the base */
	bool live; /* it may be mounted and change during the walk */
	struct frame *frame; /* the directory that fn is called for */
	unsigned depth;
	struct buf path;
	change_fn fn;
	void *ctx;
	struct ovl_err *err;
};

static int fail(struct changes *w, const char *what)
{
	return err_sys(
		w->err, errno, "cannot %s %s", what, Q(w->path.len ? w->path.data : "/"));
}

/* The same for a single name: in a layer that may be mounted, what has disappeared is
 * skipped. */
static int lost(struct changes *w, const char *what)
{
	return w->live && fs_is_gone(errno) ? 0 : fail(w, what);
}

static int collect(struct changes *w, const struct frame *f, struct items *list)
{
	return frame_items(f, list) < 0 ? lost(w, "read directory") : 0;
}

/* ---- going down ------------------------------------------------------------------- */

/* The lowers of a directory, as a view that owns nothing. */
static struct view lowers_of(const struct frame *f)
{
	struct view v = f->base.dir;

	if (f->all)
		return side_lowers(&f->me);
	if (f->cut)
		v.n = 0;
	return v;
}

/* Opens a subdirectory of an upper, and finds out how it merges with the base. */
static int child_of_upper(const struct frame *f, const char *name, struct frame *out)
{
	struct view beside = lowers_of(f);
	enum side_merge how;

	if (side_of_upper(&f->me, &beside, name, &out->me, &how) < 0)
		return -1;
	if (how == SIDE_REDIRECTED)
		out->all = true;
	if (how != SIDE_MERGES)
		out->cut = true;
	return 0;
}

static int child_frame(const struct frame *f, const char *name, struct frame *out)
{
	struct frame c = {
		.all = f->all,
		.cut = f->cut,
		.compare = f->compare,
		.live = f->live,
	};
	int rc = side_child(&f->base, name, &c.base);

	if (rc == 0)
		rc = f->all ? side_child(&f->me, name, &c.me) :
			      child_of_upper(f, name, &c);
	if (rc < 0) {
		frame_close(&c);
		return -1;
	}
	*out = c;
	return 0;
}

/* Would this name of the base be visible without the opaque mark? A socket hides it
 * here, but cannot be in a tar. */
static bool would_show(void *ctx, const char *name)
{
	const struct frame *c = ctx;
	struct stat st;

	return view_stat(&c->me.dir, name, &st, NULL) <= 0 || S_ISDIR(st.st_mode) ||
		S_ISSOCK(st.st_mode);
}

/* 1 if the base has a visible file of that name, 0 if not, -1. */
static int in_base(const struct frame *f, const char *name)
{
	struct stat st;
	int r = view_index_find(&f->below, name);

	return r < 0 ? view_stat(&f->base.dir, name, &st, NULL) : r;
}

/* ---- telling ---------------------------------------------------------------------- */

static int tell(struct changes *w, struct frame *f, struct change *c)
{
	struct frame *outer = w->frame;
	int rc;

	c->path = w->path.data;
	c->path_len = w->path.len;
	w->frame = f;
	rc = w->fn(w->ctx, w, c, w->err);
	w->frame = outer;
	return rc;
}

/* Finds the directory of the file that is visible as name. */
static int locate(const struct frame *f, const char *name, int *dirfd)
{
	struct stat st;
	unsigned at = 0;

	if (f->all) {
		int r = view_stat(&f->me.dir, name, &st, &at);

		if (r == 0)
			errno = ENOENT;
		if (r <= 0)
			return -1;
	}
	*dirfd = f->me.dir.fd[at];
	return 0;
}

static int tell_file(
	struct changes *w, struct frame *f, const struct item *it, bool opaque)
{
	struct change c = {
		.kind = 'A',
		.by_opaque = f->cut && !f->compare,
		.opaque = opaque,
		.dirfd = -1,
		.name = it->name,
	};
	int r = in_base(f, it->name);

	if (r < 0 || locate(f, it->name, &c.dirfd) < 0)
		return lost(w, "stat");
	if (r > 0)
		c.kind = 'C';
	if (f->compare && r > 0) {
		r = differ(&f->me, &f->base, it->name, &w->l->st->xattrs,
			w->l->st->cfg.stop);
		if (r < 0 && store_stopped(w->l->st))
			return err_stopped(w->err);
		if (r < 0)
			return lost(w, "compare");
		if (r == 0 && !it->dir)
			return 0;
		c.only_inside = r == 0;
	}
	return tell(w, f, &c);
}

static int tell_gone(struct changes *w, struct frame *f, const struct item *it)
{
	struct change c = {
		.kind = 'D',
		.by_opaque = f->cut && !f->compare,
		.dirfd = -1,
		.name = it->name,
	};
	int r = it->gone ? 1 : in_base(f, it->name);

	if (r < 0)
		return lost(w, "stat");
	return r ? tell(w, f, &c) : 0;
}

/* ---- walking ---------------------------------------------------------------------- */

static int walk_frame(struct changes *w, struct frame *f);

/* A directory is opened for its first item, and again for its second if another
 * directory came between. */
struct kept {
	const char *name; /* whose */
	struct frame frame;
};

static void kept_drop(struct kept *k)
{
	if (k->name)
		frame_close(&k->frame);
	k->name = NULL;
}

/* k->name stays NULL if the directory has disappeared. */
static int keep(
	struct changes *w, const struct frame *f, struct kept *k, const char *name)
{
	if (k->name == name)
		return 0;
	kept_drop(k);
	if (child_frame(f, name, &k->frame) < 0)
		return lost(w, "open directory");
	if (k->frame.me.dir.n)
		k->name = name;
	else
		frame_close(&k->frame);
	return 0;
}

static int one(struct changes *w, struct frame *f, const struct item *it, struct kept *k)
{
	bool opaque = false;
	int rc;

	if (it->whiteout || it->gone)
		return tell_gone(w, f, it);
	if (!it->dir)
		return tell_file(w, f, it, false);
	rc = keep(w, f, k, it->name);
	if (rc < 0 || !k->name)
		return rc;
	if (it->inside)
		return walk_frame(w, &k->frame);
	if (k->frame.cut && !f->cut) {
		rc = view_has_any(&k->frame.base.dir, would_show, &k->frame);
		if (rc < 0)
			return lost(w, "read the layers below of directory");
		opaque = rc > 0;
	}
	return tell_file(w, f, it, opaque);
}

/* With this many names, list the base's names instead of looking each up. */
#define MANY 8

static int walk_frame(struct changes *w, struct frame *f)
{
	size_t len = w->path.len;
	auto_items list = {0};
	struct kept k = {0};
	int rc = w->depth++ < FS_MAX_DEPTH ?
		collect(w, f, &list) :
		err_say(w->err, ENAMETOOLONG, "%s is nested too deep", Q(w->path.data));

	/* Two compared layers may both change meanwhile. */
	if (rc == 0 && list.n >= MANY && !f->compare &&
		view_index_make(&f->below, &f->base.dir, list.n) < 0)
		rc = lost(w, "read the layers below of directory");
	for (size_t i = 0; i < list.n && rc == 0; i++) {
		if (store_stopped(w->l->st)) {
			rc = err_stopped(w->err);
			break;
		}
		if (len)
			buf_add(&w->path, "/", 1);
		buf_adds(&w->path, list.item[i].name);
		rc = w->path.failed ? err_nomem(w->err) : one(w, f, &list.item[i], &k);
		buf_cut(&w->path, len);
	}
	kept_drop(&k);
	w->depth--;
	return rc;
}

/* ---- the root --------------------------------------------------------------------- */

/* The merged view of a layer's parent, even if the layer hides it. */
static int parent_view(const struct layer *l, struct view *out, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = l->drv};
	auto_layer parent = LAYER_INIT;
	int rc;

	if (!l->meta.has_parent)
		return 0;
	if (l->meta.lowers)
		return layer_view(l, false, out, err);
	ref.id = l->meta.parent;
	rc = layer_open_ref(l->st, &ref, LOCK_SH, ref.id.s, &parent, err);
	return rc < 0 ? rc : layer_view(&parent, true, out, err);
}

/* Opens the merged root of a layer, and its lowers without it. */
static int whole(
	const struct layer *l, struct side *out, struct view *lowers, struct ovl_err *err)
{
	int rc = layer_view(l, false, lowers, err);

	out->upper = l->meta.kind == OVL_WRITABLE;
	out->root = lowers;
	return rc < 0 ? rc : layer_view(l, true, &out->dir, err);
}

static int root_frame(struct changes *w, const struct layer *base, struct frame *f)
{
	int rc;

	w->live = w->l->meta.kind == OVL_WRITABLE;
	if (base) {
		w->live = w->live || base->meta.kind == OVL_WRITABLE;
		f->all = true;
		f->cut = true;
		f->compare = true;
		f->live = w->live;
		rc = whole(w->l, &f->me, &w->lowers, w->err);
		return rc < 0 ? rc : whole(base, &f->base, &w->base_lowers, w->err);
	}
	f->cut = w->l->meta.has_parent && !w->l->meta.lowers;
	f->live = w->live;
	f->me.upper = true;
	f->me.root = &w->lowers;
	rc = layer_view(w->l, false, &w->lowers, w->err);
	if (rc == 0)
		rc = layer_tree(w->l, w->err);
	if (rc < 0)
		return rc;
	if (view_push(&f->me.dir, rc) < 0)
		return fail(w, "read the xattrs of");
	return parent_view(w->l, &f->base.dir, w->err);
}

static int tell_root(struct changes *w, struct frame *f)
{
	struct change c = {.kind = 'C', .dirfd = f->me.dir.fd[0], .name = "."};

	if (f->compare)
		return 0;
	if (f->cut) {
		int r = view_has_any(&f->base.dir, would_show, f);

		if (r < 0)
			return fail(w, "read the layers below of directory");
		c.opaque = r > 0;
	}
	return tell(w, f, &c);
}

bool changes_compared(const struct layer *l)
{
	return l->drv->whole && l->meta.kind == OVL_IMAGE && l->meta.has_parent;
}

int changes_walk(const struct layer *l, const struct layer *base, change_fn fn, void *ctx,
	struct ovl_err *err)
{
	const struct xattr_policy *xp = &l->st->xattrs;
	struct changes w = {.l = l, .fn = fn, .ctx = ctx, .err = err};
	struct frame f = {.me = {.dir = {.xp = xp}}, .base = {.dir = {.xp = xp}}};
	int rc = root_frame(&w, base, &f);

	buf_add(&w.path, "", 0);
	if (rc == 0)
		rc = tell_root(&w, &f);
	if (rc == 0)
		rc = walk_frame(&w, &f);
	frame_close(&f);
	view_close(&w.lowers);
	view_close(&w.base_lowers);
	buf_release(&w.path);
	return rc;
}

/* ---- metacopy --------------------------------------------------------------------- */

int changes_open_data(struct changes *w, const struct change *c)
{
	struct view beside = lowers_of(w->frame);

	return side_open_data(&w->lowers, &beside, c->dirfd, c->name);
}
