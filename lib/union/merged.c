/* SPDX-License-Identifier: ISC */
/* One directory as a mount shows it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "union/merged.h"

void merged_close(struct merged *s)
{
	view_close(&s->dir);
}

struct view merged_lowers(const struct merged *s)
{
	struct view v = s->dir;

	if (s->upper && v.n) {
		v.fd++;
		v.marks++;
		v.n--;
	}
	return v;
}

/* ---- directories ------------------------------------------------------------------ */

/* Opens the merged lower directory that a redirect leads to. */
static int follow_redirect(const struct merged *s, const struct view *lowers,
	const char *to, struct view *out)
{
	if (*to == '/')
		return view_walk(s->root, to + 1, out);
	return view_child(lowers, to, out);
}

int merged_of_upper(const struct merged *s, const struct view *lowers, const char *name,
	struct merged *out, enum merged_kind *how)
{
	const struct xattr_policy *xp = s->dir.xp;
	struct merged made = {.dir = {.xp = xp}, .upper = true, .root = s->root};
	struct view lower = {.xp = xp};
	auto_buf to = {0};
	int fd = fs_open_dir(s->dir.fd[0], name);
	int r;

	if (fd < 0)
		return -1;
	if (view_push(&made.dir, fd) < 0) {
		merged_close(&made);
		return -1;
	}
	*how = made.dir.marks[0] == WH_OPAQUE_Y ? MERGED_OPAQUE : MERGED_MERGES;
	r = wh_redirect(xp, fd, NULL, &to);
	if (r > 0) {
		*how = MERGED_REDIRECTED;
		r = follow_redirect(s, lowers, to.data, &lower);
		if (r == 0)
			r = view_append(&made.dir, &lower);
	}
	if (r < 0) {
		merged_close(&made);
		return -1;
	}
	*out = made;
	return 0;
}

static bool in_upper(const struct merged *s, const char *name)
{
	struct stat st;

	return s->upper && s->dir.n &&
		fstatat(s->dir.fd[0], name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode);
}

int merged_child(const struct merged *s, const char *name, struct merged *out)
{
	struct view lowers = merged_lowers(s);
	struct view lower = {.xp = s->dir.xp};
	struct merged made = {.root = s->root};
	enum merged_kind how;

	if (!in_upper(s, name)) {
		if (view_child(&s->dir, name, &made.dir) < 0)
			return -1;
		*out = made;
		return 0;
	}
	if (merged_of_upper(s, &lowers, name, &made, &how) < 0)
		return -1;
	if (how == MERGED_MERGES &&
		(view_child(&lowers, name, &lower) < 0 ||
			view_append(&made.dir, &lower) < 0)) {
		merged_close(&made);
		return -1;
	}
	*out = made;
	return 0;
}

/* ---- files ------------------------------------------------------------------------ */

static int open_file(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static int open_in(const struct view *v, const char *name)
{
	struct stat st;
	unsigned at;
	int r = view_stat(v, name, &st, &at);

	if (r <= 0 || !S_ISREG(st.st_mode)) {
		errno = r < 0 ? errno : ENOENT;
		return -1;
	}
	return open_file(v->fd[at], name);
}

int merged_open_data(
	const struct view *root, const struct view *lowers, int dirfd, const char *name)
{
	auto_view dir = {.xp = lowers->xp};
	auto_buf to = {0};
	const char *base;
	int r = wh_redirect(lowers->xp, dirfd, name, &to);

	if (r <= 0)
		return r < 0 ? -1 : open_in(lowers, name);
	if (*to.data != '/')
		return open_in(lowers, to.data);
	base = path_base(to.data + 1);
	if (base > to.data + 1)
		to.data[base - to.data - 1] = '\0';
	if (view_walk(root, base > to.data + 1 ? to.data + 1 : "", &dir) < 0)
		return -1;
	return open_in(&dir, base);
}

int merged_open_file(const struct merged *s, unsigned at, const char *name)
{
	struct view lowers = merged_lowers(s);
	int r = at == 0 && s->upper ? wh_is_metacopy(s->dir.xp, s->dir.fd[0], name) : 0;

	if (r < 0)
		return -1;
	return r ? merged_open_data(s->root, &lowers, s->dir.fd[0], name) :
		   open_file(s->dir.fd[at], name);
}
