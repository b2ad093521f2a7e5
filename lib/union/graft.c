/* SPDX-License-Identifier: ISC */
/* Links the files of one tree into another. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/inodes.h"
#include "base/path.h"
#include "base/quote.h"
#include "union/graft.h"

#define TEMP ".link"

void graft_begin(struct graft *g, int tree, int stage, const struct xattr_policy *xp,
	const atomic_int *stop)
{
	*g = (struct graft){.tree = tree, .stage = stage};
	g->how.keep = xattr_inherits;
	g->how.ctx = (void *)(uintptr_t)xp;
	g->how.stop = stop;
}

void graft_end(struct graft *g)
{
	if (g->copied)
		inodes_release(g->copied);
	free(g->copied);
	g->copied = NULL;
}

static bool stopped(const struct graft *g)
{
	return g->how.stop && *g->how.stop;
}

/* ---- directories still to visit --------------------------------------------------- */

/* Paths, each with its NUL; the next one to visit is the last. */
struct todo {
	struct buf paths;
};

static void push(struct todo *t, const char *dir, const char *name)
{
	buf_addf(&t->paths, "%s%s%s", dir, *dir ? "/" : "", name);
	buf_add(&t->paths, "", 1);
}

/* Moves the last path to out. */
static void pop(struct todo *t, struct buf *out)
{
	size_t at = t->paths.len - 1;

	while (at && t->paths.data[at - 1])
		at--;
	buf_clear(out);
	buf_adds(out, t->paths.data + at);
	buf_cut(&t->paths, at);
}

/* The directory that is visited: what it is filled from, and itself. */
struct place {
	int from;
	int to;
	const char *top; /* path in the tree of what graft_dir() was called for */
	const char *path; /* path of the directory below that */
};

static int failed(const struct graft *g, const struct place *p, const char *what,
	const char *name, struct ovl_err *err)
{
	auto_buf shown = {0};

	if (errno == EINTR && stopped(g))
		return err_stopped(err);
	buf_addf(&shown, "%s%s%s%s%s", p->top, *p->top ? "/" : "", p->path,
		*p->path ? "/" : "", name);
	return err_sys(err, errno, "cannot %s %s from the layer below", what,
		Q(shown.failed ? name : shown.data));
}

/* ---- files ------------------------------------------------------------------------ */

static bool cannot_link(int errnum)
{
	return errnum == EMLINK || errnum == EPERM || errnum == EOPNOTSUPP ||
		errnum == ENOSYS || errnum == EXDEV;
}

/* Makes another name for the file path in the tree. */
static int link_path(const struct graft *g, const char *path, int to, const char *name)
{
	const char *base = path_base(path);
	auto_free char *dir = strndup(path, (size_t)(base - path));
	size_t n = dir ? strlen(dir) : 0;
	auto_fd fd = -1;

	if (!dir)
		return -1;
	if (n)
		dir[n - 1] = '\0';
	fd = fs_open_beneath(g->tree, dir, O_PATH | O_DIRECTORY);
	return fd < 0 ? -1 : linkat(fd, base, to, name, 0);
}

/* Links to the copy of the file under another of its names: 1 done, 0 it was not
 * copied yet. */
static int link_copied(
	struct graft *g, const struct stat *st, const struct place *p, const char *name)
{
	const char *first = g->copied ? inodes_path(g->copied, st) : NULL;

	if (!first)
		return 0;
	if (link_path(g, first, p->to, name) == 0)
		return 1;
	return cannot_link(errno) ? 0 : -1;
}

int graft_replaced(struct graft *g, const struct stat *was, const char *path)
{
	if (!g->copied && !(g->copied = calloc(1, sizeof(*g->copied))))
		return -1;
	return inodes_add(g->copied, was, path);
}

static int note_copy(
	struct graft *g, const struct stat *st, const struct place *p, const char *name)
{
	auto_buf path = {0};

	buf_addf(&path, "%s%s%s%s%s", p->top, *p->top ? "/" : "", p->path,
		*p->path ? "/" : "", name);
	if (path.failed) {
		errno = ENOMEM;
		return -1;
	}
	return graft_replaced(g, st, path.data);
}

static int copy(struct graft *g, const struct place *p, const char *name)
{
	struct stat st;
	int r;

	if (fstatat(p->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	r = st.st_nlink > 1 ? link_copied(g, &st, p, name) : 0;
	if (r)
		return r < 0 ? -1 : 0;
	/* Some file systems reject links before they look for the name. */
	if (fs_copy(&g->how, p->from, name, p->to, name) < 0)
		return errno == EEXIST ? 0 : -1;
	return st.st_nlink > 1 ? note_copy(g, &st, p, name) : 0;
}

static int take_file(
	struct graft *g, const struct place *p, const char *name, struct ovl_err *err)
{
	if (linkat(p->from, name, p->to, name, 0) == 0 || errno == EEXIST)
		return 0;
	if (!cannot_link(errno))
		return failed(g, p, "link", name, err);
	return copy(g, p, name) < 0 ? failed(g, p, "copy", name, err) : 0;
}

/* ---- directories ------------------------------------------------------------------ */

/* Its entries are added later. */
static int take_dir(struct graft *g, const struct place *p, const char *name,
	struct todo *todo, struct ovl_err *err)
{
	if (mkdirat(p->to, name, 0700) < 0)
		return errno == EEXIST ? 0 : failed(g, p, "make directory", name, err);
	push(todo, p->path, name);
	return todo->paths.failed ? err_nomem(err) : 0;
}

static int take_names(
	struct graft *g, const struct place *p, struct todo *todo, struct ovl_err *err)
{
	auto_fsdir d = {.fd = -1};
	unsigned char type;
	const char *name;
	struct stat st;
	int r;

	if (fs_dir_open(&d, p->from, ".") < 0)
		return failed(g, p, "read directory", "", err);
	while ((r = fs_dir_next(&d, &name, &type)) > 0) {
		if (stopped(g))
			return err_stopped(err);
		if (type == DT_UNKNOWN) {
			if (fstatat(p->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				return failed(g, p, "stat", name, err);
			type = S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
		}
		r = type == DT_DIR ? take_dir(g, p, name, todo, err) :
				     take_file(g, p, name, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? failed(g, p, "read directory", "", err) : 0;
}

/* Fills a new directory. Its entries are created first, so that they inherit nothing
 * from it. */
static int fill(
	struct graft *g, const struct place *p, struct todo *todo, struct ovl_err *err)
{
	int rc;

	if (p->from < 0 || p->to < 0)
		return failed(g, p, "open directory", "", err);
	rc = take_names(g, p, todo, err);
	if (rc == 0 && fs_copy_meta(p->from, p->to, g->how.keep, g->how.ctx) < 0)
		rc = failed(g, p, "make directory", "", err);
	return rc;
}

int graft_dir(struct graft *g, int from, int to, const char *path, struct ovl_err *err)
{
	struct place top = {.from = from, .to = to, .top = path, .path = ""};
	struct todo todo = {0};
	auto_buf at = {0};
	int rc = take_names(g, &top, &todo, err);

	while (rc == 0 && todo.paths.len) {
		struct place p = {.top = path};
		auto_fd sub_from = -1;
		auto_fd sub_to = -1;

		pop(&todo, &at);
		if (at.failed) {
			rc = err_nomem(err);
			break;
		}
		p.path = at.data;
		p.from = sub_from = fs_open_beneath(
			from, at.data, O_RDONLY | O_DIRECTORY);
		p.to = sub_to = fs_open_beneath(to, at.data, O_RDONLY | O_DIRECTORY);
		rc = fill(g, &p, &todo, err);
	}
	buf_release(&todo.paths);
	return rc;
}

/* ---- names of one file ------------------------------------------------------------- */

/* If the file that this is still a name of was copied or replaced, makes it a name of
 * the new file; needed for names that were linked before the file had to be copied. 1:
 * done. */
static int rename_one(struct graft *g, const struct place *p, const char *name)
{
	const char *copy_of;
	struct stat st;

	if (fstatat(p->to, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	copy_of = inodes_path(g->copied, &st);
	if (!copy_of)
		return 0;
	if (link_path(g, copy_of, g->stage, TEMP) < 0)
		return cannot_link(errno) ? 0 : -1;
	return renameat(g->stage, TEMP, p->to, name) < 0 ? -1 : 1;
}

/* Handles one directory and keeps its times. */
static int regroup_dir(
	struct graft *g, const struct place *p, struct todo *todo, struct ovl_err *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	auto_fsdir d = {.fd = -1};
	unsigned char type;
	bool changed = false;
	const char *name;
	struct stat st;
	int r;

	if (fstat(p->to, &st) < 0 || fs_dir_open(&d, p->to, ".") < 0)
		return failed(g, p, "read directory", "", err);
	while ((r = fs_dir_next(&d, &name, &type)) > 0) {
		struct stat sub;

		if (type == DT_UNKNOWN &&
			fstatat(p->to, name, &sub, AT_SYMLINK_NOFOLLOW) == 0)
			type = S_ISDIR(sub.st_mode) ? DT_DIR : DT_REG;
		if (type == DT_DIR) {
			push(todo, p->path, name);
			continue;
		}
		r = stopped(g) ? (errno = EINTR, -1) : rename_one(g, p, name);
		if (r < 0)
			return failed(g, p, "link", name, err);
		changed = changed || r;
	}
	times[1] = st.st_mtim;
	if (r < 0 || (changed && futimens(p->to, times) < 0))
		return failed(g, p, "read directory", "", err);
	return todo->paths.failed ? err_nomem(err) : 0;
}

int graft_regroup(struct graft *g, int other, struct ovl_err *err)
{
	struct todo todo = {0};
	auto_buf at = {0};
	int rc = 0;

	if (!g->copied)
		return 0;
	push(&todo, "", "");
	while (rc == 0 && todo.paths.len) {
		struct place p = {.from = -1, .top = ""};
		auto_fd to = -1;

		pop(&todo, &at);
		to = at.failed ? -1 :
				 fs_open_beneath(other, at.data, O_RDONLY | O_DIRECTORY);
		p.to = to;
		p.path = at.failed ? "" : at.data;
		rc = to < 0 ? failed(g, &p, "open directory", "", err) :
			      regroup_dir(g, &p, &todo, err);
	}
	buf_release(&todo.paths);
	return rc;
}

int graft_finish(struct graft *g, struct ovl_err *err)
{
	return graft_regroup(g, g->tree, err);
}
