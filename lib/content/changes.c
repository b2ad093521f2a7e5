/* SPDX-License-Identifier: ISC */
/* Compares a layer with the layers below it, or with another layer. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/walk.h"
#include "content/changes.h"
#include "store/driver.h"
#include "store/layer_foreign.h"
#include "store/store.h"
#include "union/differ.h"
#include "union/diffdir.h"
#include "union/whiteout.h"

struct changes {
	const struct layer *l;
	struct view lowers; /* at the layer's root, where absolute redirects start */
	struct view base_lowers; /* the same for the base */
	bool live; /* it may be mounted and change during the walk */
	struct walk walk; /* of frames */
	/* A directory is opened to report it. It is kept until its contents are visited,
	 * unless another directory comes first. */
	struct diffdir kept;
	struct buf kept_path;
	change_fn fn;
	void *ctx;
	struct ovl_err *err;
};

static int fail(struct changes *w, const char *what)
{
	return err_sys(
		w->err, errno, "cannot %s %s", what, Q(path_shown(w->walk.path.data)));
}

/* The same for a single name, which is skipped if it has disappeared from a layer that
 * may be mounted. */
static int lost(struct changes *w, const char *what)
{
	return w->live && fs_is_gone(errno) ? 0 : fail(w, what);
}

/* ---- going down ------------------------------------------------------------------- */

/* The lower directories, as a view that owns nothing. */
static struct view lowers_of(const struct diffdir *f)
{
	struct view v = f->base.dir;

	if (f->all)
		return merged_lowers(&f->me);
	if (f->opaque)
		v.n = 0;
	return v;
}

/* Opens a subdirectory of an upper, and finds out how it merges with the base. */
static int child_of_upper(const struct diffdir *f, const char *name, struct diffdir *out)
{
	struct view lowers = lowers_of(f);
	enum merged_kind how;

	if (merged_of_upper(&f->me, &lowers, name, &out->me, &how) < 0)
		return -1;
	if (how == MERGED_REDIRECTED)
		out->all = true;
	if (how != MERGED_MERGES)
		out->opaque = true;
	return 0;
}

static int child_dir(const struct diffdir *f, const char *name, struct diffdir *out)
{
	struct diffdir c = {
		.all = f->all,
		.opaque = f->opaque,
		.compare = f->compare,
		.live = f->live,
	};
	int rc = merged_child(&f->base, name, &c.base);

	if (rc == 0)
		rc = f->all ? merged_child(&f->me, name, &c.me) :
			      child_of_upper(f, name, &c);
	if (rc == 0 && !c.me.dir.n)
		rc = fs_fail(ENOENT);
	if (rc < 0) {
		diffdir_close(&c);
		return -1;
	}
	*out = c;
	return 0;
}

static void kept_drop(struct changes *w)
{
	diffdir_close(&w->kept);
	w->kept = (struct diffdir){0};
}

/* Opens the directory that the walk has reached. */
static int keep_dir(struct changes *w)
{
	struct buf *path = &w->kept_path;

	kept_drop(w);
	buf_clear(path);
	buf_add(path, w->walk.path.data, w->walk.path.len);
	if (path->failed)
		return fs_fail(ENOMEM);
	return child_dir(w->walk.dir, w->walk.name, &w->kept);
}

static int open_frame(void *ctx, const void *up, const char *name, void *dir)
{
	struct changes *w = ctx;

	if (!w->kept.me.dir.n || strcmp(w->kept_path.data, w->walk.path.data) != 0)
		return child_dir(up, name, dir);
	*(struct diffdir *)dir = w->kept;
	w->kept = (struct diffdir){0};
	return 0;
}

static void close_frame(void *ctx, void *dir)
{
	(void)ctx;
	diffdir_close(dir);
}

/* With this many names, list the base's names instead of looking each up. */
#define MANY 8

static int names_of(void *ctx, void *dir, struct namelist *out)
{
	struct diffdir *f = dir;

	(void)ctx;
	if (frame_names(f, out) < 0)
		return -1;
	/* Not if two layers are compared: both may change meanwhile. */
	return out->n >= MANY && !f->compare ?
		view_index_make(&f->below, &f->base.dir, out->n) :
		0;
}

/* Whether this name of the base would be visible if the directory were not opaque. A
 * socket hides it, but cannot be in a tar. */
static int would_show(void *ctx, const char *name, const struct stat *below)
{
	const struct diffdir *c = ctx;
	struct stat st;

	(void)below;
	return view_stat(&c->me.dir, name, &st, NULL) <= 0 || S_ISDIR(st.st_mode) ||
		S_ISSOCK(st.st_mode);
}

/* 1 if the base has a visible file of that name, 0 if not, -1 with errno. */
static int in_base(const struct diffdir *f, const char *name)
{
	struct stat st;
	int r = view_index_find(&f->below, name);

	return r < 0 ? view_stat(&f->base.dir, name, &st, NULL) : r;
}

/* ---- telling ---------------------------------------------------------------------- */

static int report(struct changes *w, struct change *c)
{
	c->path = w->walk.path.data;
	c->path_len = w->walk.path.len;
	c->walk = w;
	return w->fn(w->ctx, c, w->err);
}

/* Finds the directory whose file is visible as name. */
static int locate(const struct diffdir *f, const char *name, int *dirfd)
{
	struct stat st;
	unsigned at = 0;

	if (f->all) {
		int r = view_stat(&f->me.dir, name, &st, &at);

		if (r <= 0)
			return r ? -1 : fs_fail(ENOENT);
	}
	*dirfd = f->me.dir.fd[at];
	return 0;
}

static int report_file(struct changes *w, bool dir, bool opaque)
{
	const struct diffdir *f = w->walk.dir;
	const char *name = w->walk.name;
	struct change c = {
		.kind = 'A',
		.by_opaque = f->opaque && !f->compare,
		.opaque = opaque,
		.dirfd = -1,
		.name = name,
	};
	int r = in_base(f, name);

	if (r < 0 || locate(f, name, &c.dirfd) < 0)
		return lost(w, "stat");
	if (r > 0)
		c.kind = 'C';
	if (f->compare && r > 0) {
		r = differ_file(
			&f->me, &f->base, name, &w->l->st->xattrs, w->l->st->cfg.stop);
		if (r < 0 && store_stopped(w->l->st))
			return err_stopped(w->err);
		if (r < 0)
			return lost(w, "compare");
		if (r == 0 && !dir)
			return 0;
		c.only_inside = r == 0;
	}
	return report(w, &c);
}

static int report_gone(struct changes *w, bool known)
{
	const struct diffdir *f = w->walk.dir;
	const char *name = w->walk.name;
	struct change c = {
		.kind = 'D',
		.by_opaque = f->opaque && !f->compare,
		.dirfd = -1,
		.name = name,
	};
	int r = known ? 1 : in_base(f, name);

	if (r < 0)
		return lost(w, "stat");
	return r ? report(w, &c) : 0;
}

/* ---- walking ---------------------------------------------------------------------- */

/* 1 if the kept directory hides something below, 0 if not, -1 with errno. */
static int kept_hides(struct changes *w)
{
	return w->kept.opaque ? view_each(&w->kept.base.dir, would_show, &w->kept) : 0;
}

/* The directory may have disappeared by now. */
static int tell_dir(struct changes *w)
{
	const struct diffdir *f = w->walk.dir;
	int opaque;

	if (keep_dir(w) < 0)
		return lost(w, "open directory");
	opaque = f->opaque ? 0 : kept_hides(w);
	return opaque < 0 ? lost(w, "read the layers below of directory") :
			    report_file(w, true, opaque);
}

static int report_root(struct changes *w)
{
	const struct diffdir *f = &w->kept;
	struct change c = {.kind = 'C', .dirfd = f->me.dir.fd[0], .name = "."};
	int opaque;

	if (f->compare)
		return 0;
	opaque = kept_hides(w);
	if (opaque < 0)
		return fail(w, "read the layers below of directory");
	c.opaque = opaque;
	return report(w, &c);
}

static int tell_name(struct changes *w)
{
	unsigned char type = w->walk.type;
	int rc = 0;

	if (!w->walk.path.len) {
		rc = report_root(w);
		type = DIFFDIR_INSIDE;
	}
	if (rc)
		return rc;
	switch (type) {
	case DIFFDIR_GONE:
	case DIFFDIR_WHITEOUT: return report_gone(w, type == DIFFDIR_GONE);
	case DIFFDIR_INSIDE:
		return walk_enter(&w->walk) < 0 ? lost(w, "open directory") : 0;
	case DIFFDIR_DIR: return tell_dir(w);
	default: return report_file(w, false, false);
	}
}

/* ---- the root --------------------------------------------------------------------- */

/* The merged view of a layer's parent, even if the layer hides all of it. */
static int parent_view(const struct layer *l, struct view *out, struct ovl_err *err)
{
	auto_layer parent = LAYER_INIT;
	int rc;

	if (!l->meta.has_parent && !l->meta.lowers && !l->meta.on_dir)
		return 0;
	if (l->meta.lowers || l->meta.on_dir)
		return layer_view(l, false, out, err);
	rc = layer_open_parent(l, LOCK_SH, &parent, err);
	return rc < 0 ? rc : layer_view(&parent, true, out, err);
}

/* Opens the merged root of a layer, and a view of its lowers only. */
static int open_merged(const struct layer *l, struct merged *out, struct view *lowers,
	struct ovl_err *err)
{
	int rc = layer_view(l, false, lowers, err);

	out->upper = l->meta.kind == OVL_WRITABLE;
	out->root = lowers;
	return rc < 0 ? rc : layer_view(l, true, &out->dir, err);
}

static int root_dir(struct changes *w, const struct layer *base, struct diffdir *f)
{
	int rc;

	w->live = w->l->meta.kind == OVL_WRITABLE;
	if (base) {
		w->live = w->live || base->meta.kind == OVL_WRITABLE;
		f->all = true;
		f->opaque = true;
		f->compare = true;
		f->live = w->live;
		rc = open_merged(w->l, &f->me, &w->lowers, w->err);
		return rc < 0 ? rc : open_merged(base, &f->base, &w->base_lowers, w->err);
	}
	f->opaque = w->l->meta.has_parent && !w->l->meta.lowers;
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

/* A merged directory takes a descriptor for each layer that has it. */
static unsigned near_of(const struct diffdir *root)
{
	unsigned fds = root->me.dir.n + root->base.dir.n;

	return fds <= 8 ? 16 : fds <= 32 ? 8 : 4;
}

bool changes_compared(const struct layer *l)
{
	return l->drv->flat && l->meta.kind == OVL_IMAGE && l->meta.has_parent;
}

static int walk_all(struct changes *w)
{
	int rc = 0;
	int r;

	while (rc == 0 && (r = walk_next(&w->walk)) != 0) {
		if (store_stopped(w->l->st))
			rc = err_stopped(w->err);
		else if (r < 0)
			rc = lost(w, "read directory");
		else if (r == WALK_NAME)
			rc = tell_name(w);
	}
	return rc;
}

int changes_walk(const struct layer *l, const struct layer *base, change_fn fn, void *ctx,
	struct ovl_err *err)
{
	static const struct walk_kind frames = {open_frame, close_frame, names_of};
	const struct xattr_policy *xp = &l->st->xattrs;
	struct changes w = {.l = l,
		.kept = {.me = {.dir = {.xp = xp}}, .base = {.dir = {.xp = xp}}},
		.fn = fn,
		.ctx = ctx,
		.err = err};
	int rc = root_dir(&w, base, &w.kept);

	w.walk = (struct walk){.first = ".",
		.kind = &frames,
		.ctx = &w,
		.size = sizeof(struct diffdir),
		.near = near_of(&w.kept)};
	buf_add(&w.kept_path, "", 0);
	if (rc == 0)
		rc = w.kept_path.failed ? err_nomem(err) : walk_all(&w);
	walk_end(&w.walk);
	kept_drop(&w);
	view_close(&w.lowers);
	view_close(&w.base_lowers);
	buf_release(&w.kept_path);
	rc = layer_foreign_failed(l->st, l->foreign, rc, err);
	return base ? layer_foreign_failed(l->st, base->foreign, rc, err) : rc;
}

/* ---- telling ---------------------------------------------------------------------- */

int changes_tell(int (*fn)(void *ctx, const struct ovl_change *c), void *ctx, char kind,
	const char *path, struct ovl_err *err)
{
	auto_buf full = {0};

	if (!*path)
		return 0;
	buf_addf(&full, "/%s", path);
	if (full.failed)
		return err_nomem(err);
	return fn(ctx, &(struct ovl_change){.kind = kind, .path = full.data});
}

/* ---- metacopy --------------------------------------------------------------------- */

int changes_open_data(const struct change *c)
{
	const struct changes *w = c->walk;
	struct view lowers = lowers_of(w->walk.dir);

	return merged_open_data(&w->lowers, &lowers, c->dirfd, c->name);
}
