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
	struct ovl_err *err;
	struct dir *dir; /* the current one */
	int fd;
	const struct view *below;
	struct links links;
	struct levels trees; /* of descriptors */
	struct levels belows; /* of struct below, opened only if needed */
	struct buf path; /* scratch */
};

/* The path of the current directory, for messages. */
static const char *path_of(struct finish *w)
{
	dirs_path(w->dir, &w->path);
	return w->path.failed ? "?" : path_shown(w->path.data);
}

static int fail(struct finish *w, const char *what)
{
	int errnum = errno;

	return err_sys(w->err, errnum, "cannot %s %s", what, Q(path_of(w)));
}

static int fail_owner(struct finish *w)
{
	int errnum = errno;

	return err_prefix(w->err, unpack_fail_owner(errnum, path_of(w), 0, 0, w->err),
		"directory without an entry");
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

/* Goes up one level. A mode that keeps the owner out is set now, after everything in the
 * directory. */
static int leave(struct finish *w)
{
	const struct dir *dir = w->dir;
	const int *fd = dir->flags & DIR_MODE ? levels_open(&w->trees, w->trees.n - 1) :
						NULL;
	struct stat st;

	if (dir->flags & DIR_MODE &&
		(!fd || fstat(*fd, &st) < 0 ||
			fchmod(*fd, (st.st_mode & 07077) | (dir->mode & 02700)) < 0))
		return fail(w, "set the mode of");
	levels_pop(&w->belows);
	levels_pop(&w->trees);
	w->dir = dir->up;
	return 0;
}

/* Goes to dir, which is in the current directory or in one above. */
static int descend(struct finish *w, struct dir *dir)
{
	struct below *below;
	int rc = 0;

	while (rc == 0 && w->dir != dir->up)
		rc = leave(w);
	if (rc < 0)
		return rc;
	below = levels_push(&w->belows, dir->name);
	if (!below || !levels_push(&w->trees, dir->name))
		return err_nomem(w->err);
	below->dir = w->dir = dir;
	return 0;
}

/* Gives an implied directory the metadata of the one below, as a copy-up would, or else
 * defaults. */
static int resolve_implied(struct finish *w)
{
	const struct view *below = w->below;
	int fd = w->fd;
	struct stat st;

	if (!below->n || w->dir->flags & DIR_REPLACED) {
		if (fchown(fd, 0, 0) < 0)
			return fail_owner(w);
		return fchmod(fd, 0755) < 0 ? fail(w, "set the mode of") : 0;
	}
	if (fs_copy_meta(below->fd[0], fd, w->u->xattrs) < 0 ||
		fstat(below->fd[0], &st) < 0)
		return fail(w, "copy the metadata of");
	w->dir->mtime = st.st_mtim;
	return 0;
}

/* Removes whiteouts that hide nothing or are no longer needed. */
static int resolve_whiteouts(struct finish *w)
{
	bool all = w->u->flat || w->dir->flags & (DIR_OPAQUE | DIR_REPLACED);
	auto_fsdir d = fs_dir_at(w->fd, ".");
	unsigned char type;
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, &type)) > 0) {
		struct stat st;

		if (fs_stopped(w->u->stop))
			return err_stopped(w->err);
		if (type != DT_CHR && type != DT_UNKNOWN)
			continue;
		if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(w->err, errno, "cannot stat %s", Q(name));
		if (!wh_is_device(&st))
			continue;
		r = all ? 0 : view_stat(w->below, name, &st, NULL);
		if (r < 0 || (r == 0 && unlinkat(w->fd, name, 0) < 0))
			return err_sys(w->err, errno, "cannot resolve the whiteout of %s",
				Q(name));
	}
	return r < 0 ? fail(w, "read directory") : 0;
}

/* Whether something below would become visible. Not if this layer has something other
 * than a directory there. After a stop the answer does not matter. */
static int would_show(void *ctx, const char *name, const struct stat *below)
{
	const struct finish *w = ctx;
	struct stat st;

	(void)below;
	return fs_stopped(w->u->stop) ||
		fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode);
}

static int resolve_opaque(struct finish *w)
{
	int r = view_each(w->below, would_show, w);

	if (r < 0 || (r > 0 && wh_set_opaque(w->u->xattrs, w->fd) < 0))
		return fail(w, "make opaque directory");
	return 0;
}

/* Adds the lower entries of the directory that its whiteouts do not hide. There is only
 * one lower, because a complete layer is on top of another complete layer. */
static int link_below(struct finish *w)
{
	if (!w->below->n || w->dir->flags & (DIR_OPAQUE | DIR_REPLACED))
		return 0;
	dirs_path(w->dir, &w->path);
	return w->path.failed ?
		err_nomem(w->err) :
		links_dir(&w->links, w->below->fd[0], w->fd, w->path.data, w->err);
}

static int resolve_dir(struct finish *w)
{
	unsigned flags = w->dir->flags;
	int rc = w->u->flat ? link_below(w) : 0;

	if (rc == 0 && flags & DIR_IMPLIED)
		rc = resolve_implied(w);
	if (rc == 0 && flags & DIR_HAS_WH)
		rc = resolve_whiteouts(w);
	if (rc == 0 && flags & (DIR_OPAQUE | DIR_REPLACED) && w->dir->up && !w->u->flat)
		rc = resolve_opaque(w);
	return rc;
}

/* Sets what the entry said and the creation of its children would have changed. */
static int set_meta(struct finish *w)
{
	const struct dir *dir = w->dir;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, dir->mtime};

	if (dir->acl &&
		fs_setxattr(w->fd, NULL, XATTR_ACL_DEFAULT, dir->acl, dir->acl_len) < 0)
		return fail(w, "set the default ACL of");
	return futimens(w->fd, times) < 0 ? fail(w, "set the times of") : 0;
}

static int finish_dir(struct finish *w)
{
	const int *fd = levels_open(&w->trees, w->trees.n - 1);
	int rc = 0;

	if (!fd)
		return fail(w, "open directory");
	w->fd = *fd;
	if (w->u->flat || w->dir->flags & DIR_SETTLE) {
		const struct below *b = levels_open(&w->belows, w->belows.n - 1);

		if (!b)
			return fail(w, "look in the layers below for");
		w->below = &b->view;
		rc = resolve_dir(w);
	}
	return rc == 0 ? set_meta(w) : rc;
}

bool unpack_hides_all(const struct unpack *u)
{
	return u->dirs.root && (u->dirs.root->flags & DIR_OPAQUE);
}

/* Makes the first levels, for the root. */
static int open_root(struct finish *w, const struct view *below)
{
	int rc = descend(w, w->u->dirs.root);
	int *fd;

	if (rc < 0)
		return rc;
	fd = levels_at(&w->trees, 0);
	*fd = fs_open_dir(w->u->tree, ".");
	if (*fd < 0)
		return fail(w, "open directory");
	((struct below *)levels_at(&w->belows, 0))->view = *below;
	return 0;
}

int unpack_finish(struct unpack *u, const struct view *below, struct ovl_err *err)
{
	struct finish w = {
		.u = u,
		.err = err,
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
	int rc = open_root(&w, below);

	links_begin(&w.links, u->tree, u->layer, u->xattrs, u->stop);
	while (dir && rc == 0) {
		rc = fs_stopped(u->stop) ? err_stopped(err) : finish_dir(&w);
		dir = dirs_next(&u->dirs, dir);
		if (dir && rc == 0)
			rc = descend(&w, dir);
	}
	if (rc == 0)
		rc = links_relink(&w.links, w.links.tree, err);
	links_end(&w.links);
	/* The caller owns these. */
	if (w.belows.n)
		((struct below *)levels_at(&w.belows, 0))->view = (struct view){0};
	while (rc == 0 && w.dir)
		rc = leave(&w);
	levels_release(&w.belows);
	levels_release(&w.trees);
	buf_release(&w.path);
	return rc;
}
