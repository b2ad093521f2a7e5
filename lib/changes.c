#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "changes.h"
#include "cleanup.h"
#include "differ.h"
#include "driver.h"
#include "frame.h"
#include "fs.h"
#include "path.h"
#include "quote.h"
#include "store.h"
#include "whiteout.h"

struct changes {
	const struct layer *l;
	const struct xattr_policy *xp;
	struct view lowers; /* the layer's, at the root: absolute redirects start here */
	struct frame *frame; /* the one fn is called in */
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

static int collect(struct changes *w, const struct frame *f, struct items *list)
{
	if (frame_items(f, list) < 0)
		return fail(w, "read directory");
	return 0;
}

/* ---- going down ------------------------------------------------------------------- */

/* The lowers of a frame as a view that owns nothing. */
static struct view lowers_of(const struct frame *f)
{
	struct view v = f->base;

	if (f->all) {
		unsigned skip = f->upper ? 1 : 0;

		v = f->me;
		v.fd += skip;
		v.marks += skip;
		v.n -= skip;
	} else if (f->cut) {
		v.n = 0;
	}
	return v;
}

/* The merged lower directory that a redirect leads to: an absolute one from the root, a
 * relative one beside the directory itself (overlayfs.rst, "redirect_dir"). */
static int follow_redirect(
	struct changes *w, const struct frame *f, const char *to, struct view *out)
{
	struct view beside = lowers_of(f);

	if (*to == '/')
		return view_walk(&w->lowers, to + 1, out);
	return view_child(&beside, to, out);
}

/* Moves the directories of more behind those of v. */
static int append(struct view *v, struct view *more)
{
	int rc = 0;

	for (unsigned i = 0; i < more->n && rc == 0; i++) {
		rc = view_push(v, more->fd[i]);
		more->fd[i] = -1;
	}
	for (unsigned i = 0; i < more->n; i++)
		close_fdp(&more->fd[i]);
	more->n = 0;
	view_close(more);
	return rc;
}

/* A directory of the upper with all it merges with, where a redirect is involved. */
static int redirected(
	struct changes *w, const struct frame *f, const char *to, struct frame *out)
{
	struct view lower = {.xp = w->xp};

	if (follow_redirect(w, f, to, &lower) < 0)
		return -1;
	out->all = true;
	out->cut = true;
	return append(&out->me, &lower);
}

/* Of an upper directory: what it merges with. */
static int child_of_upper(
	struct changes *w, const struct frame *f, const char *name, struct frame *out)
{
	auto_buf to = {0};
	struct view beside = lowers_of(f);
	struct view lower = {.xp = w->xp};
	int fd = fs_open_dir(f->me.fd[0], name);
	int r;

	if (fd < 0)
		return -1;
	out->upper = true;
	if (view_push(&out->me, fd) < 0)
		return -1;
	r = wh_redirect(w->xp, fd, NULL, &to);
	if (r)
		return r < 0 ? -1 : redirected(w, f, to.data, out);
	if (out->me.marks[0] == WH_OPAQUE_Y) {
		out->cut = true;
		return 0;
	}
	if (!f->all)
		return 0;
	if (view_child(&beside, name, &lower) < 0)
		return -1;
	return append(&out->me, &lower);
}

static bool in_upper(const struct frame *f, const char *name)
{
	struct stat st;

	return f->upper && fstatat(f->me.fd[0], name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int child_frame(
	struct changes *w, const struct frame *f, const char *name, struct frame *out)
{
	struct frame c = {
		.me = {.xp = w->xp},
		.base = {.xp = w->xp},
		.all = f->all,
		.cut = f->cut,
		.compare = f->compare,
	};
	int rc = view_child(&f->base, name, &c.base);

	if (rc == 0 && (!f->all || in_upper(f, name)))
		rc = child_of_upper(w, f, name, &c);
	else if (rc == 0)
		rc = view_child(&f->me, name, &c.me);
	if (rc < 0) {
		frame_close(&c);
		return -1;
	}
	*out = c;
	return 0;
}

/* Would this name of the base be seen but for the cut? */
static bool would_show(void *ctx, const char *name)
{
	const struct frame *c = ctx;
	struct stat st;

	return view_stat(&c->me, name, &st, NULL) <= 0 || S_ISDIR(st.st_mode);
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

/* Where the file is that is seen under name. */
static int locate(const struct frame *f, const char *name, int *dirfd)
{
	struct stat st;
	unsigned at = 0;

	if (f->all && view_stat(&f->me, name, &st, &at) <= 0)
		return -1;
	*dirfd = f->me.fd[at];
	return 0;
}

static int tell_file(
	struct changes *w, struct frame *f, const struct item *it, bool opaque)
{
	struct change c = {.kind = 'A', .opaque = opaque, .dirfd = -1, .name = it->name};
	struct stat st;
	int r = view_stat(&f->base, it->name, &st, NULL);

	if (r < 0 || locate(f, it->name, &c.dirfd) < 0)
		return fail(w, "stat");
	if (r > 0)
		c.kind = 'C';
	if (f->compare && r > 0) {
		r = differ(&f->me, &f->base, it->name, w->xp);
		if (r < 0)
			return fail(w, "compare");
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
	struct stat st;
	int r = it->gone ? 1 : view_stat(&f->base, it->name, &st, NULL);

	if (r < 0)
		return fail(w, "stat");
	return r ? tell(w, f, &c) : 0;
}

/* ---- walking ---------------------------------------------------------------------- */

static int walk_frame(struct changes *w, struct frame *f);

/* The frame of a directory is made at its first turn, and again at its second if another
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

static int keep(
	struct changes *w, const struct frame *f, struct kept *k, const char *name)
{
	if (k->name == name)
		return 0;
	kept_drop(k);
	if (child_frame(w, f, name, &k->frame) < 0)
		return fail(w, "open directory");
	k->name = name;
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
	if (rc < 0)
		return rc;
	if (it->inside)
		return walk_frame(w, &k->frame);
	if (k->frame.cut && !f->cut) {
		rc = view_has_any(&k->frame.base, would_show, &k->frame);
		if (rc < 0)
			return fail(w, "read the layers below of directory");
		opaque = rc > 0;
	}
	return tell_file(w, f, it, opaque);
}

static int walk_frame(struct changes *w, struct frame *f)
{
	size_t len = w->path.len;
	auto_items list = {0};
	struct kept k = {0};
	int rc = collect(w, f, &list);

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
	return rc;
}

/* ---- the root --------------------------------------------------------------------- */

/* The merged view of the layer that a layer is on, whether it hides it or not. */
static int parent_view(const struct layer *l, struct view *out, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = (unsigned)driver_index(l->drv->name)};
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

static int root_frame(struct changes *w, const struct layer *base, struct frame *f)
{
	int rc;

	f->upper = true;
	if (base) {
		f->all = true;
		f->cut = true;
		f->compare = true;
		rc = layer_view(w->l, true, &f->me, w->err);
		return rc < 0 ? rc : layer_view(base, true, &f->base, w->err);
	}
	f->cut = w->l->meta.has_parent && !w->l->meta.lowers;
	rc = layer_tree(w->l, w->err);
	if (rc < 0)
		return rc;
	if (view_push(&f->me, rc) < 0)
		return err_nomem(w->err);
	return parent_view(w->l, &f->base, w->err);
}

static int tell_root(struct changes *w, struct frame *f)
{
	struct change c = {.kind = 'C', .dirfd = f->me.fd[0], .name = "."};

	if (f->compare)
		return 0;
	if (f->cut) {
		int r = view_has_any(&f->base, would_show, f);

		if (r < 0)
			return fail(w, "read the layers below of directory");
		c.opaque = r > 0;
	}
	return tell(w, f, &c);
}

int changes_walk(const struct layer *l, const struct layer *base, change_fn fn, void *ctx,
	struct ovl_err *err)
{
	const struct xattr_policy *xp = &l->st->xattrs;
	struct changes w = {.l = l, .xp = xp, .fn = fn, .ctx = ctx, .err = err};
	struct frame f = {.me = {.xp = xp}, .base = {.xp = xp}};
	int rc = layer_view(l, false, &w.lowers, err);

	buf_add(&w.path, "", 0);
	if (rc == 0)
		rc = root_frame(&w, base, &f);
	if (rc == 0)
		rc = tell_root(&w, &f);
	if (rc == 0)
		rc = walk_frame(&w, &f);
	frame_close(&f);
	view_close(&w.lowers);
	buf_release(&w.path);
	return rc;
}

/* ---- metacopy --------------------------------------------------------------------- */

static int open_in(const struct view *v, const char *name)
{
	struct stat st;
	unsigned at;
	int r = view_stat(v, name, &st, &at);

	if (r <= 0 || !S_ISREG(st.st_mode)) {
		errno = r < 0 ? errno : ENOENT;
		return -1;
	}
	return openat(v->fd[at], name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

int changes_open_data(struct changes *w, const struct change *c)
{
	struct view beside = lowers_of(w->frame);
	auto_view dir = {.xp = w->xp};
	auto_buf to = {0};
	const char *base;
	int r = wh_redirect(w->xp, c->dirfd, c->name, &to);

	if (r <= 0)
		return r < 0 ? -1 : open_in(&beside, c->name);
	if (*to.data != '/')
		return open_in(&beside, to.data);
	base = path_base(to.data + 1);
	if (base > to.data + 1)
		to.data[base - to.data - 1] = '\0';
	if (view_walk(&w->lowers, base > to.data + 1 ? to.data + 1 : "", &dir) < 0)
		return -1;
	return open_in(&dir, base);
}
