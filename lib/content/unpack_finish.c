/* SPDX-License-Identifier: ISC */
/*
 * Does what is possible only after all entries of a layer: what depends on the stack
 * below (implied directories, whiteouts, opaque marks), and times of directories. Visits
 * parents first, each with the merged view of what is below.
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
#include "base/path.h"
#include "base/quote.h"
#include "content/unpack.h"
#include "union/graft.h"
#include "union/whiteout.h"

/* This many levels stay open, so that a directory can be opened by name in its parent. */
#define KEEP_OPEN 64

/* The directories from the root to the current one. */
struct level {
	const struct dir *dir;
	int fd; /* -1: not kept open */
	struct view below; /* the stack's directory of that name, if visible */
	bool known; /* below was looked up, which is done only if needed */
};

struct walk {
	struct unpack *u;
	struct graft graft;
	struct level *level;
	unsigned n;
	unsigned size;
	struct buf path; /* scratch */
};

/* The path of the current one, for messages. */
static const char *shown(struct walk *w)
{
	dirs_path(w->level[w->n - 1].dir, &w->path);
	return w->path.failed ? "?" : w->path.data;
}

static void pop(struct walk *w)
{
	w->n--;
	view_close(&w->level[w->n].below);
	close_fdp(&w->level[w->n].fd);
}

/* Moves to dir. */
static int descend(struct walk *w, const struct dir *dir, struct ovl_err *err)
{
	struct level next = {.dir = dir, .fd = -1, .below = {.xp = w->u->xattrs}};

	while (w->n && w->level[w->n - 1].dir != dir->up)
		pop(w);
	if (w->n == w->size) {
		unsigned size = w->size ? w->size * 2 : 32;
		struct level *level = realloc(w->level, size * sizeof(*level));

		if (!level)
			return err_nomem(err);
		w->level = level;
		w->size = size;
	}
	w->level[w->n++] = next;
	return 0;
}

/*
 * A view holds a descriptor for each lower, so only some of the levels above i keep
 * theirs, the fewer the farther they are: getting one back is no more work than it was to
 * come down from there.
 */
static bool stays_known(unsigned i, unsigned level)
{
	unsigned step = 1;

	while (step * 4 <= i - level)
		step *= 2;
	return level % step == 0;
}

/* Unless it is kept, or is the root. */
static void forget_view(struct walk *w, unsigned i, unsigned level)
{
	if (!level || !w->level[level].known || stays_known(i, level))
		return;
	view_close(&w->level[level].below);
	w->level[level].known = false;
}

/* Looks up what is below the directory of level i, as far as its parents in this layer
 * let it be visible: nothing if one of them is opaque. */
static int look_below(struct walk *w, unsigned i, struct ovl_err *err)
{
	unsigned known = i;

	while (!w->level[known].known)
		known--;
	for (; known < i; known++) {
		const struct level *up = &w->level[known];
		struct level *to = &w->level[known + 1];

		if (!(up->dir->flags & (DIR_OPAQUE | DIR_REPLACED)) &&
			view_child(&up->below, to->dir->name, &to->below) < 0)
			return err_sys(err, errno,
				"cannot look up %s in the layers below", Q(shown(w)));
		to->known = true;
		forget_view(w, i, known);
	}
	for (unsigned up = 1; up < i; up++)
		forget_view(w, i, up);
	return 0;
}

/* Gives an implied directory the metadata that copy-up would: those of the one below,
 * else defaults. */
static int settle_implied(struct walk *w, struct dir *dir, int fd,
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

/* For this part; entries are stopped by their reader. */
static bool stopped(const struct unpack *u)
{
	return u->stop && *u->stop;
}

/* Removes whiteouts that hide nothing, or are no longer needed. */
static int settle_whiteouts(struct walk *w, const struct dir *dir, int fd,
	const struct view *below, struct ovl_err *err)
{
	bool all = w->u->whole || dir->flags & (DIR_OPAQUE | DIR_REPLACED);
	auto_fsdir d = {.fd = -1};
	unsigned char type;
	const char *name;
	int r;

	if (fs_dir_open(&d, fd, ".") < 0)
		return err_sys(err, errno, "cannot read directory %s", Q(shown(w)));
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
				err, errno, "cannot settle the whiteout of %s", Q(name));
	}
	return r < 0 ? err_sys(err, errno, "cannot read directory %s", Q(shown(w))) : 0;
}

struct looking {
	const struct unpack *u;
	int fd;
};

/* Would something below become visible? Not if it is replaced here by something other
 * than a directory. After a stop the answer does not matter. */
static bool would_show(void *ctx, const char *name)
{
	const struct looking *s = ctx;
	struct stat st;

	return stopped(s->u) || fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		S_ISDIR(st.st_mode);
}

static int settle_opaque(
	struct walk *w, int fd, const struct view *below, struct ovl_err *err)
{
	struct looking s = {.u = w->u, .fd = fd};
	int r = view_has_any(below, would_show, &s);

	if (r < 0 || (r > 0 && wh_set_opaque(w->u->xattrs, fd) < 0))
		return err_sys(
			err, errno, "cannot make directory %s opaque", Q(shown(w)));
	return 0;
}

/* Adds the lower entries of the directory that its whiteouts do not hide. There is one
 * lower: complete layers are on top of a complete layer. */
static int take_below(struct walk *w, const struct dir *dir, int fd,
	const struct view *below, struct ovl_err *err)
{
	if (!below->n || dir->flags & (DIR_OPAQUE | DIR_REPLACED))
		return 0;
	shown(w);
	return w->path.failed ? err_nomem(err) :
				graft_dir(&w->graft, below->fd[0], fd, w->path.data, err);
}

static int settle(struct walk *w, struct dir *dir, int fd, const struct view *below,
	struct ovl_err *err)
{
	int rc = w->u->whole ? take_below(w, dir, fd, below, err) : 0;

	if (rc == 0 && dir->flags & DIR_IMPLIED)
		rc = settle_implied(w, dir, fd, below, err);
	if (rc == 0 && (dir->flags & DIR_HAS_WH))
		rc = settle_whiteouts(w, dir, fd, below, err);
	if (rc == 0 && (dir->flags & (DIR_OPAQUE | DIR_REPLACED)) && dir->up &&
		!w->u->whole)
		rc = settle_opaque(w, fd, below, err);
	return rc;
}

/* Sets what the entry said and creating children would have changed. */
static int complete(struct walk *w, const struct dir *dir, int fd, struct ovl_err *err)
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

/* Opens the directory of the last level. */
static int open_level(struct walk *w, const struct dir *dir, struct ovl_err *err)
{
	struct level *up = w->n > 1 ? &w->level[w->n - 2] : NULL;
	int fd;

	if (up && up->fd < 0) {
		dirs_path(up->dir, &w->path);
		if (w->path.failed)
			return err_nomem(err);
		up->fd = fs_open_beneath(
			w->u->tree, w->path.data, O_RDONLY | O_DIRECTORY);
	}
	fd = fs_open_dir(up ? up->fd : w->u->tree, up ? dir->name : ".");
	if (fd < 0)
		return err_sys(err, errno, "cannot open directory %s", Q(shown(w)));
	return fd;
}

static int finish_dir(struct walk *w, struct dir *dir, struct ovl_err *err)
{
	auto_fd fd = open_level(w, dir, err);
	int rc = fd < 0 ? fd : 0;

	if (rc == 0 && (w->u->whole || dir->flags & DIR_SETTLE)) {
		rc = look_below(w, w->n - 1, err);
		if (rc == 0)
			rc = settle(w, dir, fd, &w->level[w->n - 1].below, err);
	}
	if (rc == 0)
		rc = complete(w, dir, fd, err);
	if (rc == 0 && dir->child) {
		w->level[w->n - 1].fd = steal_fd(&fd);
		if (w->n > KEEP_OPEN)
			close_fdp(&w->level[w->n - 1 - KEEP_OPEN].fd);
	}
	return rc;
}

bool unpack_hides_all(const struct unpack *u)
{
	return u->dirs.root && (u->dirs.root->flags & DIR_OPAQUE);
}

int unpack_finish(struct unpack *u, const struct view *below, struct ovl_err *err)
{
	struct walk w = {.u = u};
	struct dir *dir = u->dirs.root;
	int rc;

	graft_begin(&w.graft, u->tree, u->layer, u->xattrs, u->stop);
	rc = descend(&w, dir, err);
	if (rc < 0)
		return rc;
	w.level[0].known = true;
	if (view_walk(below, "", &w.level[0].below) < 0)
		rc = err_sys(err, errno, "cannot open the layers below");
	while (dir && rc == 0) {
		rc = stopped(u) ? err_stopped(err) : finish_dir(&w, dir, err);
		dir = dirs_next(&u->dirs, dir);
		if (dir && rc == 0)
			rc = descend(&w, dir, err);
	}
	if (rc == 0)
		rc = graft_finish(&w.graft, err);
	graft_end(&w.graft);
	while (w.n)
		pop(&w);
	free(w.level);
	buf_release(&w.path);
	return rc;
}
