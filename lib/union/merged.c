/* SPDX-License-Identifier: ISC */
/* A directory as a mount shows it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/levels.h"
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

int merged_of_upper(const struct merged *s, const struct view *lowers, const char *name,
	struct merged *out, enum merged_kind *how)
{
	const struct xattr_policy *xp = s->dir.xp;
	auto_merged made = {.dir = {.xp = xp}, .upper = true, .root = s->root};
	struct view lower = {.xp = xp};
	auto_buf to = {0};
	int fd = fs_open_dir(s->dir.fd[0], name);
	int r;

	if (fd < 0 || view_push(&made.dir, fd) < 0)
		return -1;
	*how = made.dir.marks[0] == WH_OPAQUE_Y ? MERGED_OPAQUE : MERGED_MERGES;
	r = wh_redirect(xp, fd, NULL, &to);
	if (r > 0) {
		*how = MERGED_REDIRECTED;
		r = *to.data == '/' ? view_walk(s->root, to.data + 1, &lower) :
				      view_child(lowers, to.data, &lower);
		if (r == 0)
			r = view_append(&made.dir, &lower);
	}
	if (r < 0)
		return -1;
	*out = steal(made);
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
	auto_merged made = {.root = s->root};
	enum merged_kind how = MERGED_OPAQUE;

	/* If the upper does not have the directory, it is that of the lowers. */
	if ((in_upper(s, name) ? merged_of_upper(s, &lowers, name, &made, &how) :
				 view_child(&s->dir, name, &made.dir)) < 0)
		return -1;
	if (how == MERGED_MERGES &&
		(view_child(&lowers, name, &lower) < 0 ||
			view_append(&made.dir, &lower) < 0))
		return -1;
	*out = steal(made);
	return 0;
}

/* ---- paths ------------------------------------------------------------------------ */

#define MOST_LINKS 40 /* the kernel's limit for one lookup */
#define NEAR       4

/* The state of a path lookup. */
struct lookup {
	const struct merged *root;
	struct levels dirs; /* of struct merged, from the root down */
	struct buf rest; /* the names still to be looked up begin at at */
	size_t at;
	struct buf *out; /* the path of the last of dirs */
	unsigned links;
};

static int open_level(void *ctx, const void *up, const char *name, void *dir)
{
	(void)ctx;
	if (merged_child(up, name, dir) < 0)
		return -1;
	return ((struct merged *)dir)->dir.n ? 0 : fs_fail(ENOENT);
}

static void close_level(void *ctx, void *dir)
{
	const struct lookup *l = ctx;
	struct merged *m = dir;

	if (m->dir.fd != l->root->dir.fd)
		merged_close(m);
}

static void to_parent(struct lookup *l)
{
	const char *slash = strrchr(l->out->data, '/');

	if (l->dirs.n == 1)
		return;
	levels_pop(&l->dirs);
	buf_cut(l->out, slash ? (size_t)(slash - l->out->data) : 0);
}

/* Inserts a symlink's target before the rest. */
static int follow(struct lookup *l, int dirfd, const char *name)
{
	auto_buf target = {0};

	if (++l->links > MOST_LINKS)
		return fs_fail(ELOOP);
	if (fs_readlink(dirfd, name, 1 << 16, &target) < 0)
		return -1;
	while (*target.data == '/' && l->dirs.n > 1)
		to_parent(l);
	buf_adds(&target, l->rest.data + l->at);
	if (target.failed)
		return fs_fail(ENOMEM);
	buf_release(&l->rest);
	l->rest = steal(target);
	l->at = 0;
	return 0;
}

static int look_up(struct lookup *l, const char *name)
{
	const struct merged *in = levels_open(&l->dirs, l->dirs.n - 1);
	bool last = !l->rest.data[l->at];
	struct stat st;
	unsigned at;
	int r;

	if (!in)
		return -1;
	r = view_stat(&in->dir, name, &st, &at);
	if (r <= 0)
		return r < 0 ? -1 : fs_fail(ENOENT);
	if (S_ISLNK(st.st_mode) && !last)
		return follow(l, in->dir.fd[at], name);
	if (!S_ISDIR(st.st_mode) && !last)
		return fs_fail(ENOTDIR);
	if (S_ISDIR(st.st_mode) && !levels_push(&l->dirs, name))
		return -1;
	path_add(l->out, name);
	return 0;
}

/* The next name of the rest, which the caller frees; "" at the end. NULL: out of
 * memory. */
static char *next_name(struct lookup *l)
{
	const char *p = l->rest.data + l->at;
	size_t slashes = strspn(p, "/");
	size_t n = strcspn(p + slashes, "/");

	l->at += slashes + n;
	return strndup(p + slashes, n);
}

static int look_up_all(struct lookup *l)
{
	int lost = 0;

	for (;;) {
		auto_free char *name = next_name(l);
		bool up = name && strcmp(name, "..") == 0;

		if (!name)
			return fs_fail(ENOMEM);
		if (!*name || (up && lost))
			return lost ? fs_fail(lost) : 0;
		if (up)
			to_parent(l);
		else if (strcmp(name, ".") == 0)
			continue;
		else if (!lost && look_up(l, name) < 0 && (lost = errno) != ENOENT &&
			lost != ENOTDIR)
			return -1;
		if (lost)
			path_add(l->out, name);
	}
}

int merged_resolve(const struct merged *root, const char *path, struct buf *out)
{
	struct lookup l = {.root = root,
		.out = out,
		.dirs = {.size = sizeof(struct merged),
			.near = NEAR,
			.open = open_level,
			.close = close_level,
			.ctx = &l}};
	struct merged *top = levels_push(&l.dirs, "");
	int rc = top ? 0 : -1;

	buf_clear(out);
	buf_add(out, "", 0);
	buf_adds(&l.rest, path);
	if (out->failed || l.rest.failed)
		rc = fs_fail(ENOMEM);
	if (rc == 0) {
		*top = *root;
		rc = look_up_all(&l);
	}
	levels_release(&l.dirs);
	buf_release(&l.rest);
	return out->failed ? fs_fail(ENOMEM) : rc;
}

/* ---- files ------------------------------------------------------------------------ */

static int open_in(const struct view *v, const char *name)
{
	struct stat st;
	unsigned at;
	int r = view_stat(v, name, &st, &at);

	if (r <= 0 || !S_ISREG(st.st_mode))
		return r < 0 ? -1 : fs_fail(ENOENT);
	return fs_open_file(v->fd[at], name, O_NONBLOCK);
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
		   fs_open_file(s->dir.fd[at], name, O_NONBLOCK);
}
