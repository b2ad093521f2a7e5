/* SPDX-License-Identifier: ISC */
/*
 * Finds conflicts: everything that a layer would replace or remove in the directory that
 * it is on, and that has changed there since the layer was made, unless it already is as
 * the layer has it. A change is a later ctime for which carry_note.c knows no other
 * reason. Adding or removing a name also changes the ctime of a directory, together with
 * its mtime; this counts only if the layer changes the directory's metadata, because it
 * may hide an earlier chmod.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/vec.h"
#include "content/carry_own.h"
#include "store/store.h"
#include "union/differ.h"

static int fail(const char *path, struct ovl_err *err)
{
	if (errno == EXDEV)
		return err_say(err, EXDEV,
			"%s is a mount point or a subvolume, which is not part of the layer; "
			"unmount it, or apply other paths",
			Q(path));
	return err_sys(err, errno, "cannot look at %s", Q(path_shown(path)));
}

/* ---- conflicts -------------------------------------------------------------------- */

/* Reports each conflict when the next one is found; the last one becomes the error. */
static int conflict(struct carry *c, const char *path, struct ovl_err *err)
{
	char *last = strdup(path_shown(path));

	if (!last)
		return err_nomem(err);
	if (c->conflicts++ && !c->force)
		store_note(c->l->st, OVL_PROBLEM,
			"%s has changed in %s since the layer was made", Q(c->conflict),
			Q(c->on->path.data));
	free(c->conflict);
	c->conflict = last;
	return 0;
}

/* The file is about to lose a name, which changes the ctime of its other names. */
static int note_file(struct carry *c, const struct stat *st)
{
	return S_ISDIR(st->st_mode) || st->st_nlink == 1 ? 0 :
							   carry_note_add(c, st, false);
}

/* 1 if the file differs from that of the layer, 0 if not, -1 with errno. */
static int file_differs(const struct carry *c, const struct carry_step *s)
{
	const struct xattr_policy bare = {.user = c->l->st->xattrs.user, .bare = true};
	const struct xattr_policy *xp = &bare;
	enum wh_dir none[2] = {WH_MERGES, WH_MERGES};
	int fd[2] = {s->in->upper, s->in->below};
	int top = c->on->fd;
	struct view root = {.n = 1, .fd = &top, .marks = none, .xp = xp};
	struct merged upper = {.dir = {.n = 2, .fd = fd, .marks = none, .xp = xp},
		.upper = true,
		.root = &root};
	struct merged below = {.dir = {.n = 1, .fd = fd + 1, .marks = none, .xp = xp}};

	return differ_file(&upper, &below, s->name, xp, c->l->st->cfg.stop);
}

static int check_file(struct carry *c, const struct carry_step *s,
	const struct stat *have, struct ovl_err *err)
{
	int r = s->in->fresh || carry_changed(c, have);

	if (r && s->wanted)
		r = file_differs(c, s);
	if (r < 0 || note_file(c, have) < 0)
		return store_stopped(c->l->st) ? err_stopped(err) : fail(s->path, err);
	return r ? conflict(c, s->path, err) : 0;
}

static int check_meta(struct carry *c, const struct carry_pair *dir, const char *path,
	bool wanted, struct ovl_err *err)
{
	const struct xattr_policy bare = {.user = c->l->st->xattrs.user, .bare = true};
	struct stat st;
	int r;

	if (fstat(dir->below, &st) < 0)
		return fail(path, err);
	r = wanted && carry_changed(c, &st);
	if (r)
		r = differ_dir(dir->upper, dir->below, &bare);
	if (r < 0 || carry_note_add(c, &st, false) < 0)
		return fail(path, err);
	return r ? conflict(c, path, err) : 0;
}

/* ---- what goes -------------------------------------------------------------------- */

static int by_from(const void *a, const void *b)
{
	const char *x = ((const struct carry_moved *)a)->from;
	const char *y = ((const struct carry_moved *)b)->from;

	/* Deeper paths come first. */
	return strcmp(y ? y : "", x ? x : "");
}

/* Remembers a path that will be removed. It is checked when all moves are known, because
 * parts of it may be moved elsewhere first. */
static int note_gone(struct carry *c, const struct carry_pair *dir, const char *name,
	struct ovl_err *err)
{
	auto_buf path = {0};

	if (fs_path_below(c->on->fd, dir->below, &path) < 0)
		return fail(name, err);
	buf_addf(&path, "%s%s", path.len ? "/" : "", name);
	if (path.failed || namelist_add(&c->gone, dir->fresh, path.data) < 0)
		return err_nomem(err);
	return 0;
}

/* The time of birth is that of the directory, even if it came from elsewhere. */
static bool is_new_dir(const struct carry *c, int dirfd, const char *name)
{
	struct timespec born;
	struct statx sx;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &sx) < 0 ||
		!(sx.stx_mask & STATX_BTIME))
		return false;
	born.tv_sec = sx.stx_btime.tv_sec;
	born.tv_nsec = sx.stx_btime.tv_nsec;
	return ondir_is_later(c->on, &born);
}

/* If its owner may not move a directory, its mode is changed before it is removed. */
static int note_going(struct carry *c, const struct stat *st, bool top)
{
	if (top && S_ISDIR(st->st_mode) && (st->st_mode & 0700) != 0700)
		return carry_note_add(c, st, false);
	return note_file(c, st);
}

static int check_going(struct carry *c, struct walk *w, const char *path, bool fresh,
	struct ovl_err *err)
{
	const struct carry_moved moved = {.from = (char *)(uintptr_t)path};
	struct stat st;
	bool changed;

	if (VEC_FIND(c->moved, c->n_moved, &moved, by_from))
		return 0;
	if (fstatat(w->fd[0], w->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(path, err);
	if (note_going(c, &st, !w->path.len) < 0)
		return err_nomem(err);
	changed = fresh || carry_changed(c, &st);
	if (S_ISDIR(st.st_mode)) {
		/* Only changes of its entries count; but if the directory was moved here,
		 * all of them are new. */
		changed = changed &&
			(carry_meta_changed(c, &st) ||
				(w->path.len && is_new_dir(c, w->fd[0], w->name)));
		if (walk_enter(w) < 0)
			return fail(path, err);
	}
	return changed ? conflict(c, path, err) : 0;
}

static int check_gone(struct carry *c, const char *top, bool fresh, struct ovl_err *err)
{
	const char *base;
	auto_fd dir = fs_open_parent(c->on->fd, top, O_RDONLY, &base);
	auto_walk w = {.trees = 1, .top = {dir}, .first = base, .open = fs_open_here};
	auto_buf path = {0};
	int rc = 0;
	int r = dir < 0 ? -1 : 0;

	while (dir >= 0 && rc == 0 && (r = walk_next(&w)) > 0) {
		buf_clear(&path);
		buf_addf(&path, "%s%s%s", top, w.path.len ? "/" : "", w.path.data);
		if (path.failed)
			return err_nomem(err);
		if (store_stopped(c->l->st))
			rc = err_stopped(err);
		else if (r == WALK_NAME)
			rc = check_going(c, &w, path.data, fresh, err);
	}
	return rc == 0 && r < 0 ? fail(top, err) : rc;
}

/* ---- the walk --------------------------------------------------------------------- */

/* below: the open directory that a directory was, or that a file was in, before; -1: it
 * does not exist. */
static int note_moved(
	struct carry *c, const struct carry_step *s, int below, struct ovl_err *err)
{
	struct carry_moved m = {.inode = s->st.st_ino, .file = !S_ISDIR(s->st.st_mode)};
	auto_buf from = {0};
	size_t n = strlen(c->temp_name);
	bool staged;

	if (below >= 0 && fs_path_below(c->on->fd, below, &from) < 0)
		return fail(s->path, err);
	if (!VEC_ROOM(c->moved, c->n_moved))
		return err_nomem(err);
	m.path = strdup(s->path);
	staged = from.len && strncmp(from.data, c->temp_name, n) == 0 &&
		from.data[n] == '/';
	if (from.data && m.file)
		m.dir = buf_steal(&from);
	else if (from.data && !staged)
		m.from = buf_steal(&from);
	c->moved[c->n_moved++] = m;
	return m.path ? 0 : err_nomem(err);
}

/* Checks the directory of the host that dir of the layer changes; have: what is in its
 * place now. */
static int check_merge(struct carry *c, const struct carry_step *s,
	const struct carry_pair *dir, const struct stat *have, struct ovl_err *err)
{
	struct stat st;
	int rc = 0;

	if (dir->below >= 0 && fstat(dir->below, &st) < 0)
		return fail(s->path, err);
	if (have && !S_ISDIR(have->st_mode))
		rc = check_file(c, s, have, err);
	else if (have && (dir->below < 0 || st.st_ino != have->st_ino))
		rc = note_gone(c, s->in, s->name, err);
	if (rc == 0 && dir->below >= 0)
		rc = check_meta(c, dir, s->path, s->wanted, err);
	return rc == 0 ? carry_hidden(c, dir, s->path, note_gone, err) : rc;
}

static int check_dir(struct carry *c, const struct carry_step *s, const struct stat *have,
	struct ovl_err *err)
{
	const struct xattr_policy *xp = &c->l->st->xattrs;
	auto_fd upper = fs_open_dir(s->in->upper, s->name);
	auto_fd below = -1;
	auto_buf to = {0};
	struct carry_pair dir = {.upper = upper};
	int r = upper < 0 ? -1 : wh_redirect(xp, upper, NULL, &to);
	int rc = 0;

	if (r < 0 || carry_origin(c, s->in->below, upper, s->name, &below) < 0)
		return fail(s->path, err);
	dir.below = below;
	if (carry_marks(c, &dir, s->in) < 0)
		return fail(s->path, err);
	if (r > 0)
		rc = note_moved(c, s, below, err);
	return rc == 0 ? check_merge(c, s, &dir, have, err) : rc;
}

/* Checks a file whose data is at another path. */
static int check_metacopy(
	struct carry *c, const struct carry_step *s, struct ovl_err *err)
{
	const struct xattr_policy *xp = &c->l->st->xattrs;
	auto_buf to = {0};
	int r = 0;

	if (S_ISREG(s->st.st_mode) && s->st.st_size)
		r = wh_is_metacopy(xp, s->in->upper, s->name);
	if (r > 0)
		r = wh_redirect(xp, s->in->upper, s->name, &to);
	if (r < 0)
		return fail(s->path, err);
	return r ? note_moved(c, s, s->in->below, err) : 0;
}

/* Counts what the directory will not get; of a file with several names, once. */
static int note_lost(struct carry *c, const struct carry_step *s, struct ovl_err *err)
{
	const struct xattr_policy *xp = &c->l->st->xattrs;
	uint64_t seen = 1;

	if (!S_ISDIR(s->st.st_mode) && s->st.st_nlink > 1)
		seen = inodes_count(&c->counted, &s->st);
	if (seen == 1) {
		pack_note_lost(xp, s->in->upper, s->name, "protattr", &c->lost);
		pack_note_lost(xp, s->in->upper, s->name, "nlink", &c->lost);
	}
	return seen ? 0 : err_nomem(err);
}

static int check_one(struct carry *c, const struct carry_step *s, struct ovl_err *err)
{
	struct stat have;
	bool there;
	int rc;

	if (s->left)
		return s->in ? 0 : check_meta(c, s->left, s->path, s->wanted, err);
	if (s->wanted && !s->whiteout && note_lost(c, s, err) < 0)
		return -ENOMEM;
	there = s->in->below >= 0 &&
		fstatat(s->in->below, s->name, &have, AT_SYMLINK_NOFOLLOW) == 0;
	if (!there && s->in->below >= 0 && !fs_is_gone(errno))
		return fail(s->path, err);
	if (!s->whiteout && S_ISDIR(s->st.st_mode))
		return check_dir(c, s, there ? &have : NULL, err);
	rc = s->whiteout ? 0 : check_metacopy(c, s, err);
	if (rc < 0 || !there)
		return rc;
	if (s->whiteout || S_ISDIR(have.st_mode))
		return note_gone(c, s->in, s->name, err);
	return check_file(c, s, &have, err);
}

static int check_paths(const struct carry *c, struct ovl_err *err)
{
	for (size_t i = 0; i < c->only->n; i++) {
		const char *path = namelist_name(c->only, i);

		/* The same path may have been given twice. */
		if (!namelist_type(c->only, namelist_find(c->only, path)))
			return err_status(err, OVL_FAILED,
				"the layer has no change at %s", Q(path));
	}
	if (c->only->n && c->n_moved)
		return err_say(err, EINVAL,
			"%s was renamed in a mount with redirect_dir=on or metacopy=on; "
			"such a layer can only be applied without paths",
			Q(c->moved[0].path));
	return 0;
}

int carry_check(struct carry *c, struct ovl_err *err)
{
	int rc = carry_temp(c, false, err);

	if (rc == 0)
		rc = carry_notes_read(c, err);
	if (rc == 0)
		rc = carry_walk(c, check_one, err);
	if (rc == 0)
		rc = check_paths(c, err);
	if (rc == 0)
		VEC_SORT(c->moved, c->n_moved, by_from);
	for (size_t i = 0; i < c->gone.n && rc == 0; i++)
		rc = check_gone(
			c, namelist_name(&c->gone, i), namelist_type(&c->gone, i), err);
	if (rc < 0 || !c->conflicts || c->force)
		return rc;
	return err_say(err, ESTALE,
		"%s has changed in %s since the layer was made; --force overrides this",
		Q(c->conflict), Q(c->on->path.data));
}
