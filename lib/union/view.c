/* SPDX-License-Identifier: ISC */
/* Merges a stack of trees without mounting it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/vec.h"
#include "union/view.h"

void view_close(struct view *v)
{
	for (unsigned i = 0; i < v->n; i++)
		close_fdp(&v->fd[i]);
	free(steal(v->fd));
	free(steal(v->marks));
	v->n = 0;
}

int view_push(struct view *v, int fd)
{
	if (!VEC_ROOM(v->fd, v->n) || !VEC_ROOM(v->marks, v->n)) {
		close(fd);
		return fs_fail(ENOMEM);
	}
	v->fd[v->n] = fd;
	if (wh_dir_marks(v->xp, fd, &v->marks[v->n]) < 0) {
		close_fdp(&fd);
		return -1;
	}
	v->n++;
	return 0;
}

int view_push_top(struct view *v, int fd)
{
	enum wh_dir marks;

	if (view_push(v, fd) < 0)
		return -1;
	marks = v->marks[v->n - 1];
	memmove(v->fd + 1, v->fd, (v->n - 1) * sizeof(*v->fd));
	memmove(v->marks + 1, v->marks, (v->n - 1) * sizeof(*v->marks));
	v->fd[0] = fd;
	v->marks[0] = marks;
	return 0;
}

int view_append(struct view *v, struct view *more)
{
	int rc = 0;

	for (unsigned i = 0; i < more->n && rc == 0; i++) {
		rc = view_push(v, more->fd[i]);
		more->fd[i] = -1;
	}
	view_close(more);
	return rc;
}

/*
 * Looks up one directory's part of a merge: 1 if it is a directory (*fd), 0 if there is
 * no such name, 2 if it is something that hides the layers below.
 */
static int look_up(int dirfd, const char *name, int *fd)
{
	*fd = fs_open_dir(dirfd, name);
	if (*fd >= 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	return errno == ENOTDIR || errno == ELOOP ? 2 : -1;
}

int view_child(const struct view *v, const char *name, struct view *out)
{
	auto_view made = {.xp = v->xp};

	for (unsigned i = 0; i < v->n; i++) {
		int fd;
		int r = look_up(v->fd[i], name, &fd);

		if (r < 0)
			return -1;
		if (r == 2)
			break;
		if (r == 0)
			continue;
		if (view_push(&made, fd) < 0)
			return -1;
		if (made.marks[made.n - 1] == WH_OPAQUE_Y)
			break;
	}
	*out = steal(made);
	return 0;
}

static int copy_view(const struct view *v, struct view *out)
{
	auto_view made = {.xp = v->xp};

	for (unsigned i = 0; i < v->n; i++) {
		int fd = fcntl(v->fd[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0 || view_push(&made, fd) < 0)
			return -1;
	}
	*out = steal(made);
	return 0;
}

int view_walk(const struct view *root, const char *path, struct view *out)
{
	auto_view at = {0};

	if (copy_view(root, &at) < 0)
		return -1;
	while (*path && at.n) {
		size_t n = strcspn(path, "/");
		auto_free char *name = strndup(path, n);
		struct view next = {0};

		if (!name || view_child(&at, name, &next) < 0)
			return -1;
		view_close(&at);
		at = next;
		path += n + (path[n] == '/');
	}
	*out = steal(at);
	return 0;
}

int view_stat(const struct view *v, const char *name, struct stat *st, unsigned *at)
{
	for (unsigned i = 0; i < v->n; i++) {
		int r;

		if (fstatat(v->fd[i], name, st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return -1;
			continue;
		}
		if (at)
			*at = i;
		r = wh_is_whiteout(v->xp, v->fd[i], name, st, v->marks[i]);
		return r < 0 ? -1 : !r;
	}
	return 0;
}

/* ---- many names ------------------------------------------------------------------- */

/* A lookup takes about as long as listing this many names. */
#define WORTH 4

/* Indexes a directory: 1 if done, 0 if it has too many names, -1 with errno. Names that
 * may be whiteouts get no type. */
static int index_dir(struct view_index *x, int fd, enum wh_dir marks, size_t most)
{
	auto_fsdir d = fs_dir_at(fd, ".");
	unsigned char type;
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, &type)) > 0) {
		if (x->names.n == most)
			return 0;
		if (type == DT_CHR || (type == DT_REG && marks == WH_OPAQUE_X))
			type = DT_UNKNOWN;
		if (namelist_add(&x->names, type, name) < 0)
			return -1;
	}
	return r < 0 ? -1 : 1;
}

int view_index_make(struct view_index *x, const struct view *v, size_t count)
{
	int r = 1;

	for (unsigned i = 0; i < v->n && r > 0; i++)
		r = index_dir(x, v->fd[i], v->marks[i], WORTH * count);
	if (r <= 0)
		view_index_release(x);
	if (r < 0)
		return -1;
	namelist_sort(&x->names);
	x->made = r > 0;
	return 0;
}

int view_index_find(const struct view_index *x, const char *name)
{
	size_t i = x->made ? namelist_find(&x->names, name) : 0;

	if (!x->made)
		return -1;
	if (i == x->names.n)
		return 0;
	return namelist_type(&x->names, i) == DT_UNKNOWN ? -1 : 1;
}

void view_index_release(struct view_index *x)
{
	namelist_release(&x->names);
	x->made = false;
}

/* ---- all names -------------------------------------------------------------------- */

int view_each(const struct view *v,
	int (*fn)(void *ctx, const char *name, const struct stat *st), void *ctx)
{
	for (unsigned i = 0; i < v->n; i++) {
		auto_fsdir d = fs_dir_at(v->fd[i], ".");
		const char *name;
		int r;

		while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
			struct stat st;
			unsigned at;

			r = view_stat(v, name, &st, &at);
			if (r < 0)
				return -1;
			if (r == 0 || at != i)
				continue;
			r = fn(ctx, name, &st);
			if (r)
				return r;
		}
		if (r < 0)
			return -1;
	}
	return 0;
}

static int add_name(void *ctx, const char *name, const struct stat *st)
{
	return namelist_add(ctx, IFTODT(st->st_mode), name);
}

int view_names(const struct view *v, struct namelist *out)
{
	return view_each(v, add_name, out);
}
