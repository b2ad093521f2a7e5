/* SPDX-License-Identifier: ISC */
/* The temporary directory of apply, and what is moved to it first. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "content/carry_own.h"
#include "store/store.h"

/* ---- the temporary directory ------------------------------------------------------ */

int carry_temp(struct carry *c, bool make, struct ovl_err *err)
{
	struct stat st;

	if (make && c->temp < 0 && fs_mkdir(c->on->fd, c->temp_name, 0700) < 0)
		return err_sys(
			err, errno, "cannot make a directory in %s", Q(c->on->path.data));
	if (c->temp < 0)
		c->temp = fs_open_dir(c->on->fd, c->temp_name);
	if (c->temp < 0 && errno == ENOENT && !make)
		return 0;
	if (c->temp < 0 || fstat(c->temp, &st) < 0)
		return err_sys(err, errno, "cannot open %s", Q(c->temp_name));
	if (st.st_uid != geteuid())
		return err_say(err, EPERM, "%s in %s belongs to another user",
			Q(c->temp_name), Q(c->on->path.data));
	if (!make)
		return 0;
	if (fs_drop_acls(c->temp, NULL) < 0 ||
		fs_rmtree(c->temp, CARRY_NEW, c->l->st->cfg.stop) < 0 ||
		fs_rmtree(c->temp, CARRY_GONE, c->l->st->cfg.stop) < 0)
		return err_sys(err, errno, "cannot prepare %s", Q(c->temp_name));
	return 0;
}

/* ---- files ------------------------------------------------------------------------ */

int carry_unescape(const struct carry *c, int dirfd, const char *name)
{
	auto_buf names = {0};
	auto_buf value = {0};

	if (fs_listxattr(dirfd, name, &names) < 0)
		return -1;
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1) {
		const char *attr = names.data + at;
		char as[XATTR_MAX_NAME + 16];

		if (!xattr_out(&c->l->st->xattrs, attr, as) || strcmp(as, attr) == 0)
			continue;
		if (fs_getxattr_buf(dirfd, name, attr, &value) < 0 ||
			fs_setxattr(dirfd, name, as, value.data, value.len) < 0 ||
			fs_removexattr(dirfd, name, attr) < 0)
			return -1;
	}
	return 0;
}

static int copy_metacopy(struct carry *c, const struct fs_copier *how, int upper,
	int below, const char *name)
{
	auto_buf to = {0};
	auto_fd dir = -1;
	auto_fd from = -1;
	auto_fd made = -1;
	int r = wh_redirect(&c->l->st->xattrs, upper, name, &to);
	const char *data = r > 0 ? to.data : name;

	if (r < 0)
		return -1;
	if (*data == '/')
		below = dir = fs_open_parent(c->on->fd, data + 1, O_RDONLY, &data);
	if (below < 0)
		return fs_fail(ENOENT);
	if (fs_copy(how, below, data, c->temp, CARRY_NEW) < 0)
		return -1;
	from = openat(upper, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	made = openat(c->temp, CARRY_NEW, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || made < 0 || fs_drop_xattrs(made) < 0)
		return -1;
	return fs_copy_meta(from, made, how->xattrs);
}

int carry_copy(struct carry *c, int upper, int below, const char *name)
{
	struct ovl_store *st = c->l->st;
	const struct fs_copier how = {&st->xattrs, st->cfg.stop};
	int r = wh_is_metacopy(&st->xattrs, upper, name);

	if (r < 0)
		return -1;
	r = r ? copy_metacopy(c, &how, upper, below, name) :
		fs_copy(&how, upper, name, c->temp, CARRY_NEW);
	return r < 0 ? -1 : carry_unescape(c, c->temp, CARRY_NEW);
}

/* ---- staging ---------------------------------------------------------------------- */

static int stage_file(struct carry *c, const struct carry_moved *m)
{
	const char *name;
	auto_fd upper = fs_open_parent(c->tree, m->path, O_RDONLY, &name);
	auto_fd below = -1;
	int r = fs_exists(c->temp, CARRY_STAGED(m->inode));

	if (r)
		return r < 0 ? -1 : 0;
	if (upper < 0)
		return -1;
	if (m->dir)
		below = fs_open_beneath(c->on->fd, m->dir, O_RDONLY | O_DIRECTORY);
	if ((m->dir && below < 0) || carry_copy(c, upper, below, name) < 0)
		return -1;
	return fs_rename(c->temp, CARRY_NEW, c->temp, CARRY_STAGED(m->inode), 0);
}

static int stage_dir(struct carry *c, const struct carry_moved *m)
{
	const char *name;
	auto_fd dir = m->from ? fs_open_parent(c->on->fd, m->from, O_RDONLY, &name) : -1;

	if (!m->from)
		return 0;
	return dir < 0 ? -1 : fs_rename(dir, name, c->temp, CARRY_STAGED(m->inode), 0);
}

static int drop_mark(struct carry *c, const struct carry_moved *m)
{
	const char *name;
	auto_fd upper = fs_open_parent(c->tree, m->path, O_RDONLY, &name);

	return upper < 0 ? -1 : wh_drop_redirect(&c->l->st->xattrs, upper, name);
}

/* Files first, while the directories they refer to are in place; then directories, inner
 * ones first. */
int carry_stage(struct carry *c, struct ovl_err *err)
{
	int (*const step[])(struct carry *, const struct carry_moved *) = {
		stage_file, stage_dir, drop_mark};
	int rc = 0;

	for (int k = 0; c->n_moved && k < 3 && rc == 0; k++) {
		for (size_t i = 0; i < c->n_moved && rc == 0; i++) {
			const struct carry_moved *m = &c->moved[i];

			if (k < 2 && m->file != (k == 0))
				continue;
			if (step[k](c, m) < 0)
				rc = err_sys(err, errno, "cannot move %s", Q(m->path));
		}
		/* Synced so that after a power cut every directory whose xattr is gone is
		 * staged, and no file is placed whose xattr still exists. */
		if (rc == 0 && k)
			rc = store_sync(c->l->st, k == 1 ? c->temp : c->tree, err);
	}
	return rc;
}
