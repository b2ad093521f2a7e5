/* SPDX-License-Identifier: ISC */
/* Applies the changes of a layer to the directory that it is on. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/vec.h"
#include "content/carry_own.h"
#include "store/store.h"
#include "union/links.h"

int carry_begin(struct carry *c, struct ovl_err *err)
{
	c->tree = layer_tree(c->l, err);
	if (c->tree < 0)
		return c->tree;
	snprintf(c->temp_name, sizeof(c->temp_name), ONDIR_TEMP "%s", c->l->meta.link);
	return 0;
}

void carry_end(struct carry *c)
{
	close_fdp(&c->tree);
	close_fdp(&c->temp);
	inodes_release(&c->placed);
	inodes_release(&c->counted);
	for (size_t i = 0; i < c->n_moved; i++) {
		free(c->moved[i].path);
		free(c->moved[i].from);
		free(c->moved[i].dir);
	}
	free(c->moved);
	namelist_release(&c->gone);
	free(c->note);
	buf_release(&c->new_notes);
	free(c->opened);
	free(c->conflict);
}

static int fail(const struct carry *c, const struct carry_step *s, const char *what,
	struct ovl_err *err)
{
	if (errno == EINTR && store_stopped(c->l->st))
		return err_stopped(err);
	return err_sys(err, errno, "cannot %s %s in %s", what, Q(path_shown(s->path)),
		Q(c->on->path.data));
}

/* ---- making room ------------------------------------------------------------------ */

/* An ordinary user needs these mode bits on a directory of their own until the walk
 * leaves it. */
static int make_writable(struct carry *c, int dir)
{
	struct stat st;

	if (geteuid() == 0 || fstat(dir, &st) < 0 || (st.st_mode & 0700) == 0700)
		return 0;
	if (!VEC_ROOM(c->opened, c->n_opened))
		return -1;
	c->opened[c->n_opened++] = (struct carry_opened){st.st_ino, st.st_mode & 07777};
	return fchmod(dir, (st.st_mode & 07777) | 0700);
}

/* set: it has been given another mode meanwhile. */
static int restore_mode(struct carry *c, int dir, bool set)
{
	struct stat st;

	if (!c->n_opened)
		return 0;
	if (fstat(dir, &st) < 0)
		return -1;
	if (c->opened[c->n_opened - 1].inode != st.st_ino)
		return 0;
	c->n_opened--;
	return set ? 0 : fchmod(dir, c->opened[c->n_opened].mode);
}

/* A directory disappears in one step, so that nobody sees it half removed. */
static int move_away(const struct carry *c, int dirfd, const char *name)
{
	auto_fd fd = -1;

	if (fs_rename(dirfd, name, c->temp, CARRY_GONE, 0) == 0)
		return 0;
	if (errno != EACCES)
		return -1;
	fd = fs_open_unmounted(dirfd, name, O_PATH | O_CLOEXEC);
	if (fd < 0 || fs_chmod_path(fd, 0700) < 0)
		return -1;
	return fs_rename(dirfd, name, c->temp, CARRY_GONE, 0);
}

static int clear(const struct carry *c, int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISDIR(st.st_mode))
		return unlinkat(dirfd, name, 0);
	return move_away(c, dirfd, name) < 0 ?
		-1 :
		fs_rmtree(c->temp, CARRY_GONE, c->l->st->cfg.stop);
}

static int clear_hidden(struct carry *c, const struct carry_pair *dir, const char *name,
	struct ovl_err *err)
{
	return clear(c, dir->below, name) < 0 ?
		err_sys(err, errno, "cannot remove %s", Q(name)) :
		0;
}

/* ---- placing ---------------------------------------------------------------------- */

static int copy_meta(const struct carry *c, int upper, int below)
{
	if (fs_copy_meta(upper, below, &c->l->st->xattrs) < 0)
		return -1;
	return carry_unescape(c, below, NULL);
}

static int new_dir(struct carry *c, const struct carry_step *s, int upper)
{
	auto_fd dir = fs_new_dir(c->temp, CARRY_NEW, 0700);

	if (dir < 0 || copy_meta(c, upper, dir) < 0 || make_writable(c, dir) < 0)
		return -1;
	return fs_rename(c->temp, CARRY_NEW, s->in->below, s->name, 0);
}

/* Makes sure that there is a directory, without the entries that the layer hides. */
static int make_dir(struct carry *c, const struct carry_step *s, int upper)
{
	const char *staged = CARRY_STAGED(s->st.st_ino);
	int is_staged = fs_exists(c->temp, staged);
	struct stat st;
	bool there;

	if (is_staged < 0)
		return -1;
	there = fstatat(s->in->below, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!there && errno != ENOENT)
		return -1;
	if (there && !is_staged && S_ISDIR(st.st_mode))
		return 0;
	if (there && clear(c, s->in->below, s->name) < 0)
		return -1;
	return is_staged ? fs_rename(c->temp, staged, s->in->below, s->name, 0) :
			   new_dir(c, s, upper);
}

static int place_dir(struct carry *c, const struct carry_step *s, struct ovl_err *err)
{
	auto_fd upper = fs_open_dir(s->in->upper, s->name);
	auto_fd below = -1;
	struct carry_pair dir = {.upper = upper};

	if (upper < 0 || wh_dir_marks(&c->l->st->xattrs, upper, &dir.marks) < 0 ||
		make_dir(c, s, upper) < 0 ||
		carry_open_below(s->in->below, s->name, &below) < 0 ||
		make_writable(c, below) < 0)
		return fail(c, s, "make directory", err);
	dir.below = below;
	return carry_hidden(c, &dir, s->path, clear_hidden, err);
}

/* The new file is in the temporary directory under the name *as; if it was staged, *as is
 * set to that name first. */
static int make_file(struct carry *c, const struct carry_step *s, const char **as)
{
	const char *first = s->st.st_nlink > 1 ? inodes_path(&c->placed, &s->st) : NULL;
	const char *staged = *as;
	int there;

	*as = CARRY_NEW;
	if (first)
		return links_path(c->on->fd, first, c->temp, CARRY_NEW);
	there = S_ISREG(s->st.st_mode) ? fs_exists(c->temp, staged) : 0;
	if (there == 0)
		return carry_copy(c, s->in->upper, s->in->below, s->name);
	*as = staged;
	return there < 0 ? -1 : 0;
}

static int place_file(struct carry *c, const struct carry_step *s)
{
	const char *as = CARRY_STAGED(s->st.st_ino);
	struct stat st;

	if (make_file(c, s, &as) < 0)
		return -1;
	if (fstatat(s->in->below, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode) && clear(c, s->in->below, s->name) < 0)
		return -1;
	if (fs_rename(c->temp, as, s->in->below, s->name, 0) < 0)
		return -1;
	return s->st.st_nlink > 1 ? inodes_add(&c->placed, &s->st, s->path) : 0;
}

/* ---- directories that are done ---------------------------------------------------- */

static int drop_extra(const struct carry *c, int upper, int below)
{
	auto_buf names = {0};
	int rc = fs_listxattr(below, NULL, &names);

	for (size_t at = 0; rc == 0 && at < names.len;
		at += strlen(names.data + at) + 1) {
		const char *attr = names.data + at;

		if (xattr_inherits(&c->l->st->xattrs, attr) &&
			fs_getxattr(upper, NULL, attr, NULL, 0) < 0)
			rc = errno == ENODATA ? fs_removexattr(below, NULL, attr) : -1;
	}
	return rc;
}

/* If only something in it was asked for, a directory gets only the times. */
static int finish_dir(struct carry *c, const struct carry_step *s)
{
	const struct timespec times[2] = {s->st.st_atim, s->st.st_mtim};
	int below = s->left->below;
	struct stat st;

	/* It may contain files staged by an apply that was killed. */
	if (!s->in && unlinkat(c->on->fd, c->temp_name, AT_REMOVEDIR) < 0 &&
		errno != ENOTEMPTY && errno != EEXIST)
		return -1;
	if (s->wanted &&
		(drop_extra(c, s->left->upper, below) < 0 ||
			copy_meta(c, s->left->upper, below) < 0))
		return -1;
	if (restore_mode(c, below, s->wanted) < 0 ||
		(!s->wanted && futimens(below, times) < 0))
		return -1;
	if (!c->only->n)
		return 0;
	return fstat(below, &st) < 0 ? -1 : carry_note_add(c, &st, true);
}

static int place(struct carry *c, const struct carry_step *s, struct ovl_err *err)
{
	if (s->left)
		return finish_dir(c, s) < 0 ? fail(c, s, "finish directory", err) : 0;
	if (s->whiteout)
		return clear(c, s->in->below, s->name) < 0 ? fail(c, s, "remove", err) :
							     0;
	if (S_ISDIR(s->st.st_mode))
		return place_dir(c, s, err);
	return place_file(c, s) < 0 ? fail(c, s, "write", err) : 0;
}

int carry_out(struct carry *c, struct ovl_err *err)
{
	int rc = carry_notes_write(c, err);

	if (rc == 0 && make_writable(c, c->on->fd) < 0)
		rc = err_sys(err, errno, "cannot write to %s", Q(c->on->path.data));
	if (rc == 0)
		rc = carry_temp(c, true, err);
	if (rc == 0)
		rc = carry_stage(c, err);
	if (rc == 0)
		rc = carry_walk(c, place, err);
	if (rc < 0 && c->temp >= 0) {
		fs_rmtree(c->temp, CARRY_NEW, NULL);
		unlinkat(c->on->fd, c->temp_name, AT_REMOVEDIR);
	}
	return rc == 0 ? carry_notes_write(c, err) : rc;
}
