/* SPDX-License-Identifier: ISC */
/* Walks through a layer and the directory that it is on, in parallel. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "content/carry_own.h"
#include "store/store.h"

/* ---- what is wanted --------------------------------------------------------------- */

bool carry_wants(const struct carry *c, const char *path)
{
	size_t n = strlen(path);
	bool wanted = c->only->n == 0;

	for (;;) {
		size_t i = namelist_find_part(c->only, path, n, '\0');

		if (i < c->only->n) {
			namelist_set_type(c->only, i, true);
			wanted = true;
		}
		if (!n)
			return wanted;
		while (n && path[--n] != '/')
			;
	}
}

static bool is_on_way(const struct carry *c, const char *path)
{
	size_t n = strlen(path);

	return !n || namelist_find_part(c->only, path, n, '/') < c->only->n;
}

/* ---- directories ------------------------------------------------------------------ */

/* A file system mounted in the directory is not part of what the layer was made on.
 * Nothing can be renamed into a btrfs subvolume, which has another device number. */
int carry_open_below(int dirfd, const char *name, int *out)
{
	auto_fd fd = dirfd < 0 ? -1 : fs_open_here(dirfd, name);
	struct stat up;
	struct stat st;

	*out = -1;
	if (fd < 0)
		return dirfd >= 0 && !fs_is_gone(errno) ? -1 : 0;
	if (fstat(dirfd, &up) < 0 || fstat(fd, &st) < 0)
		return -1;
	if (st.st_dev != up.st_dev)
		return fs_fail(EXDEV);
	*out = steal_fd(&fd);
	return 0;
}

int carry_origin(const struct carry *c, int below, int upper, const char *name, int *out)
{
	auto_buf to = {0};
	struct stat st;
	int r;

	if (fstat(upper, &st) < 0)
		return -1;
	*out = c->temp < 0 ? -1 : fs_open_dir(c->temp, CARRY_STAGED(st.st_ino));
	if (*out >= 0)
		return 0;
	r = wh_redirect(&c->l->st->xattrs, upper, NULL, &to);
	if (r < 0)
		return -1;
	if (r == 0)
		return carry_open_below(below, name, out);
	if (*to.data != '/')
		return carry_open_below(below, to.data, out);
	*out = fs_open_beneath(c->on->fd, to.data + 1, O_RDONLY | O_DIRECTORY);
	return *out < 0 && !fs_is_gone(errno) ? -1 : 0;
}

static void pair_close(void *ctx, void *dir)
{
	struct carry_pair *p = dir;

	(void)ctx;
	if (!p->open)
		return;
	close_fdp(&p->upper);
	close_fdp(&p->below);
	p->open = false;
}

/* If there is no handle to compare: a directory that was moved has a later ctime but its
 * old mtime. */
static int was_moved(const struct carry *c, int below)
{
	struct stat st;

	return below < 0 ? 0 : fstat(below, &st) < 0 ? -1 : carry_meta_changed(c, &st);
}

int carry_marks(
	const struct carry *c, struct carry_pair *p, const struct carry_pair *above)
{
	const struct xattr_policy *xp = &c->l->st->xattrs;
	enum wh_origin from;
	int moved = was_moved(c, p->below);

	if (moved < 0 || wh_dir_marks(xp, p->upper, &p->marks) < 0)
		return -1;
	/* The root has no origin, and is never opaque. */
	if (!above)
		return 0;
	if (wh_origin(xp, p->upper, p->below, &from) < 0)
		return -1;
	p->opaque = above->opaque || p->marks == WH_OPAQUE_Y;
	p->fresh = from == WH_ORIGIN_OTHER || (from == WH_ORIGIN_NONE && !p->opaque) ||
		(from != WH_ORIGIN_SAME && (above->fresh || moved));
	return 0;
}

static int pair_open(void *ctx, const void *up, const char *name, void *dir)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	const struct carry *c = ctx;
	const struct carry_pair *above = up;
	struct carry_pair p = {.below = -1, .open = true};
	bool root = strcmp(name, ".") == 0;
	int rc = 0;

	p.upper = root ? openat(c->tree, ".", flags) : fs_open_dir(above->upper, name);
	if (p.upper < 0)
		return -1;
	if (root)
		p.below = openat(c->on->fd, ".", flags);
	else
		rc = carry_origin(c, above->below, p.upper, name, &p.below);
	if (rc < 0 || (root && p.below < 0) ||
		carry_marks(c, &p, root ? NULL : above) < 0) {
		pair_close(NULL, &p);
		return -1;
	}
	*(struct carry_pair *)dir = p;
	return 0;
}

static int pair_names(void *ctx, void *dir, struct namelist *out)
{
	auto_fsdir d = fs_dir_at(((struct carry_pair *)dir)->upper, ".");

	(void)ctx;
	if (namelist_read(out, &d, true) < 0)
		return -1;
	namelist_sort(out);
	return 0;
}

/* ---- walking ---------------------------------------------------------------------- */

static int fail(const struct walk *w, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot read %s", Q(path_shown(w->path.data)));
}

static int visit(struct carry *c, struct walk *w, carry_fn fn, struct ovl_err *err)
{
	struct carry_step s = {.path = w->path.data, .name = w->name, .in = w->dir};
	int r;
	int rc;

	s.wanted = carry_wants(c, s.path);
	if (!s.wanted && !is_on_way(c, s.path))
		return 0;
	if (fstatat(s.in->upper, s.name, &s.st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(w, err);
	r = wh_is_whiteout(&c->l->st->xattrs, s.in->upper, s.name, &s.st, s.in->marks);
	if (r < 0)
		return fail(w, err);
	s.whiteout = r;
	if (!s.wanted && (s.whiteout || !S_ISDIR(s.st.st_mode)))
		return 0;
	rc = fn(c, &s, err);
	if (rc < 0 || s.whiteout || !S_ISDIR(s.st.st_mode))
		return rc;
	return walk_enter(w) < 0 ? fail(w, err) : 0;
}

static int leave(struct carry *c, struct walk *w, carry_fn fn, struct ovl_err *err)
{
	struct carry_step s = {.path = w->path.data,
		.name = w->name,
		.in = w->path.len ? w->dir : NULL,
		.left = w->in,
		.wanted = carry_wants(c, w->path.data)};

	return fstat(s.left->upper, &s.st) < 0 ? fail(w, err) : fn(c, &s, err);
}

int carry_walk(struct carry *c, carry_fn fn, struct ovl_err *err)
{
	static const struct walk_kind pairs = {pair_open, pair_close, pair_names};
	auto_walk w = {.first = ".",
		.kind = &pairs,
		.ctx = c,
		.size = sizeof(struct carry_pair)};
	int rc = 0;
	int r;

	while (rc == 0 && (r = walk_next(&w)) != 0) {
		if (store_stopped(c->l->st))
			rc = err_stopped(err);
		else if (r < 0 || (!w.path.len && r == WALK_NAME && walk_enter(&w) < 0))
			rc = fail(&w, err);
		else if (r == WALK_LEFT)
			rc = leave(c, &w, fn, err);
		else if (w.path.len)
			rc = visit(c, &w, fn, err);
	}
	return rc;
}

/* 1 if it is hidden and wanted, 0 if not, -1 with errno. */
static int is_hidden(struct carry *c, int upper, const char *path, const char *name)
{
	auto_buf full = {0};
	int there = fs_exists(upper, name);

	if (there)
		return there < 0 ? -1 : 0;
	buf_addf(&full, "%s/%s", path, name);
	return full.failed ? fs_fail(ENOMEM) : carry_wants(c, full.data);
}

int carry_hidden(struct carry *c, const struct carry_pair *dir, const char *path,
	int (*fn)(struct carry *c, const struct carry_pair *dir, const char *name,
		struct ovl_err *err),
	struct ovl_err *err)
{
	auto_namelist names = {0};
	auto_fsdir d = {.fd = -1, .why = ENOENT};
	int rc = 0;
	int r;

	if (dir->marks != WH_OPAQUE_Y || dir->below < 0)
		return 0;
	d = fs_dir_at(dir->below, ".");
	r = namelist_read(&names, &d, true);
	for (size_t i = 0; i < names.n && r >= 0 && rc == 0; i++) {
		r = is_hidden(c, dir->upper, path, namelist_name(&names, i));
		if (r > 0)
			rc = fn(c, dir, namelist_name(&names, i), err);
	}
	return r < 0 ? err_sys(err, errno, "cannot read %s", Q(path_shown(path))) : rc;
}
