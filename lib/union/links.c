/* SPDX-License-Identifier: ISC */
/* Links the files of one tree into another. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/inodes.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/walk.h"
#include "union/links.h"

#define TEMP ".link"

void links_begin(struct links *g, int tree, int stage, const struct xattr_policy *xp,
	const atomic_int *stop)
{
	*g = (struct links){.tree = tree, .stage = stage, .how = {xp, stop}};
}

void links_end(struct links *g)
{
	inodes_release(&g->copied);
}

/* ---- files ------------------------------------------------------------------------ */

/* Makes the path of the walk's current name; path is that passed to links_dir(). */
static void path_of(const char *path, const struct walk *w, struct buf *out)
{
	buf_addf(out, "%s%s%s", path, *path && w->path.len ? "/" : "", w->path.data);
}

static int fail_at(const struct links *g, const char *path, const struct walk *w,
	const char *what, struct ovl_err *err)
{
	auto_buf shown = {0};

	if (errno == EINTR && fs_stopped(g->how.stop))
		return err_stopped(err);
	path_of(path, w, &shown);
	return err_sys(err, errno, "cannot %s %s from the layer below", what,
		Q(shown.failed ? w->name : path_shown(shown.data)));
}

static bool cannot_link(int errnum)
{
	return errnum == EMLINK || errnum == EPERM || errnum == EOPNOTSUPP ||
		errnum == ENOSYS || errnum == EXDEV;
}

int links_path(int tree, const char *path, int to, const char *name)
{
	const char *base;
	auto_fd fd = fs_open_parent(tree, path, O_PATH, &base);

	return fd < 0 ? -1 : linkat(fd, base, to, name, 0);
}

/* Links to the copy of the file, if another of its names was copied before: 1 if so, 0 if
 * not. */
static int link_copied(struct links *g, const struct stat *st, int to, const char *name)
{
	const char *first = inodes_path(&g->copied, st);

	if (!first)
		return 0;
	if (links_path(g->tree, first, to, name) == 0)
		return 1;
	return cannot_link(errno) ? 0 : -1;
}

int links_replaced(struct links *g, const struct stat *was, const char *path)
{
	return inodes_add(&g->copied, was, path);
}

static int copy_file(struct links *g, const char *path, const struct walk *w)
{
	auto_buf full = {0};
	struct stat st;
	int r;

	if (fstatat(w->fd[0], w->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	r = st.st_nlink > 1 ? link_copied(g, &st, w->fd[1], w->name) : 0;
	if (r)
		return r < 0 ? -1 : 0;
	/* Some file systems reject links before they look for the name. */
	if (fs_copy(&g->how, w->fd[0], w->name, w->fd[1], w->name) < 0)
		return errno == EEXIST ? 0 : -1;
	if (st.st_nlink == 1)
		return 0;
	path_of(path, w, &full);
	errno = ENOMEM;
	return full.failed ? -1 : links_replaced(g, &st, full.data);
}

static int link_file(
	struct links *g, const char *path, const struct walk *w, struct ovl_err *err)
{
	if (linkat(w->fd[0], w->name, w->fd[1], w->name, 0) == 0 || errno == EEXIST)
		return 0;
	if (!cannot_link(errno))
		return fail_at(g, path, w, "link", err);
	return copy_file(g, path, w) < 0 ? fail_at(g, path, w, "copy", err) : 0;
}

/* ---- directories ------------------------------------------------------------------ */

static bool is_dir(const struct walk *w)
{
	struct stat st;

	if (w->type != DT_UNKNOWN)
		return w->type == DT_DIR;
	return fstatat(w->fd[0], w->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode);
}

/* Finishes a new directory. Its entries exist by now, so they do not inherit from it. */
static int finish_dir(
	struct links *g, const char *path, const struct walk *w, struct ovl_err *err)
{
	const int *in = w->in;

	return fs_copy_meta(in[0], in[1], g->how.xattrs) < 0 ?
		fail_at(g, path, w, "make directory", err) :
		0;
}

static int take(struct links *g, const char *path, struct walk *w, struct ovl_err *err)
{
	if (w->path.len && !is_dir(w))
		return link_file(g, path, w, err);
	if (w->path.len && mkdirat(w->fd[1], w->name, 0700) < 0)
		return errno == EEXIST ? 0 : fail_at(g, path, w, "make directory", err);
	return walk_enter(w) < 0 ? fail_at(g, path, w, "open directory", err) : 0;
}

int links_dir(struct links *g, int from, int to, const char *path, struct ovl_err *err)
{
	auto_walk w = {.trees = 2, .top = {from, to}, .first = "."};
	int rc = 0;
	int r;

	while (rc == 0 && (r = walk_next(&w)) > 0) {
		if (fs_stopped(g->how.stop))
			rc = err_stopped(err);
		else if (r == WALK_NAME)
			rc = take(g, path, &w, err);
		else if (w.path.len)
			rc = finish_dir(g, path, &w, err);
	}
	return rc == 0 && r < 0 ? fail_at(g, path, &w, "read directory", err) : rc;
}

/* ---- names of one file ------------------------------------------------------------- */

/* If the file with this name was copied or replaced, makes the name a link to the new
 * file; for names that were linked before the file had to be copied. 1: done. */
static int rename_one(struct links *g, int dir, const char *name)
{
	const char *copy_of;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	copy_of = inodes_path(&g->copied, &st);
	if (!copy_of)
		return 0;
	if (links_path(g->tree, copy_of, g->stage, TEMP) < 0)
		return cannot_link(errno) ? 0 : -1;
	return renameat(g->stage, TEMP, dir, name) < 0 ? -1 : 1;
}

/* Preserves the times of the directory. */
static int regroup_one(struct links *g, struct walk *w)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat st;
	int r;

	if (is_dir(w))
		return walk_enter(w);
	if (fstat(w->fd[0], &st) < 0)
		return -1;
	r = rename_one(g, w->fd[0], w->name);
	times[1] = st.st_mtim;
	return r > 0 ? futimens(w->fd[0], times) : r;
}

int links_relink(struct links *g, int tree, struct ovl_err *err)
{
	auto_walk w = {.trees = 1, .top = {tree}, .first = "."};
	int r = 0;

	if (!g->copied.n)
		return 0;
	while ((r = walk_next(&w)) > 0) {
		if (r == WALK_LEFT)
			continue;
		r = fs_stopped(g->how.stop) ? (errno = EINTR, -1) : regroup_one(g, &w);
		if (r < 0)
			return fail_at(g, "", &w, "link", err);
	}
	return r < 0 ? fail_at(g, "", &w, "read directory", err) : 0;
}
