/* SPDX-License-Identifier: ISC */
/*
 * Does what is possible only after all entries of a layer: what depends on the stack
 * below (implied directories, whiteouts, opaque directories), and the times of
 * directories. Visits parents first, each with the merged view of the layers below.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/levels.h"
#include "base/path.h"
#include "base/quote.h"
#include "content/unpack.h"
#include "union/links.h"
#include "union/whiteout.h"

/* A directory between the root and the current one, with the stack's directory of the
 * same path; none if a parent in this layer is opaque. */
struct below {
	const struct dir *dir;
	struct view view;
};

struct finish {
	struct unpack *u;
	struct links links;
	struct levels trees; /* of descriptors */
	struct levels belows; /* of struct below, opened only if needed */
	struct buf path; /* scratch */
};

/* Opens the directory of the last level. */
static const struct dir *current(const struct finish *w)
{
	return ((const struct below *)levels_at(&w->belows, w->belows.n - 1))->dir;
}

/* Its path, for messages. */
static const char *shown(struct finish *w)
{
	dirs_path(current(w), &w->path);
	return w->path.failed ? "?" : w->path.data;
}

static int open_tree(void *ctx, const void *up, const char *name, void *dir)
{
	int fd = fs_open_dir(*(const int *)up, name);

	(void)ctx;
	*(int *)dir = fd;
	return fd;
}

static void close_tree(void *ctx, void *dir)
{
	(void)ctx;
	close_fdp(dir);
}

static int open_below(void *ctx, const void *up, const char *name, void *dir)
{
	const struct below *above = up;
	struct below *to = dir;

	(void)ctx;
	if (above->dir->flags & (DIR_OPAQUE | DIR_REPLACED))
		return 0;
	return view_child(&above->view, name, &to->view);
}

static void close_below(void *ctx, void *dir)
{
	struct below *b = dir;

	(void)ctx;
	view_close(&b->view);
}

/* Goes down to dir. */
static int descend(struct finish *w, const struct dir *dir, struct ovl_err *err)
{
	struct below *below;

	while (w->belows.n && current(w) != dir->up) {
		levels_pop(&w->belows);
		levels_pop(&w->trees);
	}
	below = levels_push(&w->belows, dir->name);
	if (!below || !levels_push(&w->trees, dir->name))
		return err_nomem(err);
	below->dir = dir;
	return 0;
}

/* Gives an implied directory the metadata of the one below, as a copy-up would, or else
 * defaults. */
static int resolve_implied(struct finish *w, struct dir *dir, int fd,
	const struct view *below, struct ovl_err *err)
{
	struct stat st;

	if (below->n && !(dir->flags & DIR_REPLACED)) {
		if (fs_copy_meta(below->fd[0], fd, xattr_inherits,
			    (void *)(uintptr_t)w->u->xattrs) < 0 ||
			fstat(below->fd[0], &st) < 0)
			return err_sys(
				err, errno, "cannot make directory %s", Q(shown(w)));
		dir->mtime = st.st_mtim;
		return 0;
	}
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)
		return err_sys(err, errno, "cannot make directory %s", Q(shown(w)));
	return 0;
}

/* Only for this part; while entries are read, their reader checks for a stop. */
static bool stopped(const struct unpack *u)
{
	return u->stop && *u->stop;
}

/* Removes whiteouts that hide nothing or are no longer needed. */
static int resolve_whiteouts(struct finish *w, const struct dir *dir, int fd,
	const struct view *below, struct ovl_err *err)
{
	bool all = w->u->flat || dir->flags & (DIR_OPAQUE | DIR_REPLACED);
	auto_fsdir d = fs_dir_at(fd, ".");
	unsigned char type;
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, &type)) > 0) {
		struct stat st;

		if (stopped(w->u))
			return err_stopped(err);
		if (type != DT_CHR && type != DT_UNKNOWN)
			continue;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "cannot stat %s", Q(name));
		if (!wh_is_device(&st))
			continue;
		r = all ? 0 : view_stat(below, name, &st, NULL);
		if (r < 0 || (r == 0 && unlinkat(fd, name, 0) < 0))
			return err_sys(
				err, errno, "cannot resolve the whiteout of %s", Q(name));
	}
	return r < 0 ? err_sys(err, errno, "cannot read directory %s", Q(shown(w))) : 0;
}

struct looking {
	const struct unpack *u;
	int fd;
};

/* Whether something below would become visible. Not if this layer has something other
 * than a directory there. After a stop the answer does not matter. */
static int would_show(void *ctx, const char *name, const struct stat *below)
{
	const struct looking *s = ctx;
	struct stat st;

	(void)below;
	return stopped(s->u) || fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		S_ISDIR(st.st_mode);
}

static int resolve_opaque(
	struct finish *w, int fd, const struct view *below, struct ovl_err *err)
{
	struct looking s = {.u = w->u, .fd = fd};
	int r = view_each(below, would_show, &s);

	if (r < 0 || (r > 0 && wh_set_opaque(w->u->xattrs, fd) < 0))
		return err_sys(
			err, errno, "cannot make directory %s opaque", Q(shown(w)));
	return 0;
}

/* Adds the lower entries of the directory that its whiteouts do not hide. There is only
 * one lower, because a complete layer is on top of another complete layer. */
static int link_below(struct finish *w, const struct dir *dir, int fd,
	const struct view *below, struct ovl_err *err)
{
	if (!below->n || dir->flags & (DIR_OPAQUE | DIR_REPLACED))
		return 0;
	shown(w);
	return w->path.failed ? err_nomem(err) :
				links_dir(&w->links, below->fd[0], fd, w->path.data, err);
}

static int resolve_dir(struct finish *w, struct dir *dir, int fd,
	const struct view *below, struct ovl_err *err)
{
	int rc = w->u->flat ? link_below(w, dir, fd, below, err) : 0;

	if (rc == 0 && dir->flags & DIR_IMPLIED)
		rc = resolve_implied(w, dir, fd, below, err);
	if (rc == 0 && (dir->flags & DIR_HAS_WH))
		rc = resolve_whiteouts(w, dir, fd, below, err);
	if (rc == 0 && (dir->flags & (DIR_OPAQUE | DIR_REPLACED)) && dir->up &&
		!w->u->flat)
		rc = resolve_opaque(w, fd, below, err);
	return rc;
}

/* Sets what the entry said and the creation of its children would have changed. */
static int set_meta(struct finish *w, const struct dir *dir, int fd, struct ovl_err *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, dir->mtime};
	struct stat st;

	if (dir->flags & DIR_SETGID) {
		if (fstat(fd, &st) < 0 || fchmod(fd, (st.st_mode & 07777) | S_ISGID) < 0)
			return err_sys(
				err, errno, "cannot set the mode of %s", Q(shown(w)));
	}
	if (dir->acl &&
		fs_setxattr(fd, NULL, XATTR_ACL_DEFAULT, dir->acl, dir->acl_len) < 0)
		return err_sys(
			err, errno, "cannot set the default ACL of %s", Q(shown(w)));
	if (futimens(fd, times) < 0)
		return err_sys(err, errno, "cannot set the times of %s", Q(shown(w)));
	return 0;
}

static int finish_dir(struct finish *w, struct dir *dir, struct ovl_err *err)
{
	const int *fd = levels_open(&w->trees, w->trees.n - 1);
	int rc = 0;

	if (!fd)
		return err_sys(err, errno, "cannot open directory %s", Q(shown(w)));
	if (w->u->flat || dir->flags & DIR_SETTLE) {
		const struct below *b = levels_open(&w->belows, w->belows.n - 1);

		rc = b ? resolve_dir(w, dir, *fd, &b->view, err) :
			 err_sys(err, errno, "cannot look up %s in the layers below",
				 Q(shown(w)));
	}
	return rc == 0 ? set_meta(w, dir, *fd, err) : rc;
}

bool unpack_hides_all(const struct unpack *u)
{
	return u->dirs.root && (u->dirs.root->flags & DIR_OPAQUE);
}

/* Makes the first levels, for the root. */
static int open_root(struct finish *w, const struct view *below, struct ovl_err *err)
{
	int rc = descend(w, w->u->dirs.root, err);
	struct below *b;
	int *fd;

	if (rc < 0)
		return rc;
	fd = levels_at(&w->trees, 0);
	b = levels_at(&w->belows, 0);
	*fd = fs_open_dir(w->u->tree, ".");
	if (*fd < 0)
		return err_sys(err, errno, "cannot open directory %s", Q(shown(w)));
	b->view = *below;
	return 0;
}

int unpack_finish(struct unpack *u, const struct view *below, struct ovl_err *err)
{
	struct finish w = {
		.u = u,
		.trees = {.size = sizeof(int),
			.near = 16,
			.open = open_tree,
			.close = close_tree},
		/* A view uses a descriptor for each lower. */
		.belows = {.size = sizeof(struct below),
			.near = 4,
			.open = open_below,
			.close = close_below},
	};
	struct dir *dir = u->dirs.root;
	int rc = open_root(&w, below, err);

	links_begin(&w.links, u->tree, u->layer, u->xattrs, u->stop);
	while (dir && rc == 0) {
		rc = stopped(u) ? err_stopped(err) : finish_dir(&w, dir, err);
		dir = dirs_next(&u->dirs, dir);
		if (dir && rc == 0)
			rc = descend(&w, dir, err);
	}
	if (rc == 0)
		rc = links_relink(&w.links, w.links.tree, err);
	links_end(&w.links);
	/* The caller owns these. */
	if (w.belows.n)
		((struct below *)levels_at(&w.belows, 0))->view = (struct view){0};
	levels_release(&w.belows);
	levels_release(&w.trees);
	buf_release(&w.path);
	return rc;
}
