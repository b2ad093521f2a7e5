/* SPDX-License-Identifier: ISC */
/* Layers that are being removed, or were set aside; see trash.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/quote.h"
#include "store/lock.h"
#include "store/store.h"
#include "store/trash.h"
#include "tar/recipe.h"

void trash_close(struct trashed *t)
{
	close_fdp(&t->fd);
}

static int move(struct ovl_store *st, int dirfd, const char *name, const char *what,
	struct trashed *out, struct ovl_err *err)
{
	int trash = store_dir_make(st, DIR_TRASH, err);
	struct ovl_id id;
	bool own = id_take(name, id.s);
	int rc;

	if (trash < 0)
		return trash;
	rc = own ? fs_rename(dirfd, name, trash, id.s, RENAME_NOREPLACE) : -1;
	if (!own || (rc < 0 && errno == EEXIST))
		rc = id_random(&id) < 0 ?
			-1 :
			fs_rename(dirfd, name, trash, id.s, RENAME_NOREPLACE);
	if (rc < 0)
		return err_sys(err, errno, "cannot move %s to the trash", Q(what));
	out->st = st;
	out->dir = trash;
	memcpy(out->name, id.s, sizeof(out->name));
	return 0;
}

int trash_move(struct ovl_store *st, int dirfd, const char *name, struct trashed *out,
	struct ovl_err *err)
{
	auto_fd fd = fs_open_dir(dirfd, name);
	int rc;

	if (fd < 0)
		return errno == ENOENT ? 0 :
					 err_sys(err, errno, "cannot open %s", Q(name));
	lock_try(fd, LOCK_EX);
	rc = move(st, dirfd, name, name, out, err);
	if (rc == 0)
		out->fd = steal_fd(&fd);
	return rc;
}

bool trash_is_going(struct ovl_store *st, const char *id)
{
	auto_fd fd = fs_open_dir(store_dir(st, DIR_TRASH, NULL), id);

	return fd >= 0 && lock_try(fd, LOCK_EX) == 0;
}

int trash_take(
	struct layer *l, const char *what, struct trashed *out, struct ovl_err *err)
{
	int rc = move(l->st, l->drv_fd, l->id.s, what, out, err);

	if (rc < 0)
		return rc;
	/* The lock is kept, as its absence means that the remover has died. It becomes
	 * shared, so that processes that wait to read the layer find it gone at once, not
	 * only when its last file is removed. */
	out->fd = steal_fd(&l->fd);
	lock_try(out->fd, LOCK_SH); /* fails if prune has it, which is harmless now */
	return 0;
}

int trash_in_place(struct layer *l, struct trashed *out, struct ovl_err *err)
{
	const char *const parts[] = {META_NAME, l->drv->work, RECIPE_NAME};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (fs_rmtree(l->fd, parts[i], NULL) < 0)
			return err_sys(err, errno, "cannot remove '%s' of layer %.12s",
				parts[i], l->id.s);
	}
	*out = (struct trashed){.st = l->st, .fd = steal_fd(&l->fd), .dir = l->drv_fd};
	memcpy(out->name, l->id.s, sizeof(out->name));
	return 0;
}

static void removed_one(void *ctx)
{
	struct ovl_store *st = ctx;
	struct ovl_progress p = {.entries = ++st->removed};

	/* A layer has a few files more than its tar has entries. */
	if (st->to_remove)
		p.all_entries = st->to_remove > p.entries ? st->to_remove : p.entries;
	if (pace_due(&st->pace, &st->cfg))
		st->cfg.progress(st->cfg.ctx, &p);
}

int trash_remove(struct ovl_store *st, int dir, const char *name, struct ovl_err *err)
{
	struct fs_remover how = {.stop = st->cfg.stop, .gone = removed_one, .ctx = st};
	int rc = fs_rmtree_by(&how, dir, name) < 0 ? -errno : 0;
	const char *path = how.stuck.len && !how.stuck.failed ? how.stuck.data : name;

	if (rc == -EINTR && store_stopped(st))
		err_stopped(err);
	else if (rc == -EXDEV || rc == -EBUSY)
		rc = err_say(err, EBUSY, "cannot remove %s: something is mounted there",
			Q(path));
	else if (how.flagged)
		err_say(err, EPERM,
			"cannot remove %s: it is immutable or append-only; run 'chattr "
			"-ia' and then 'ovlctl prune'",
			Q(path));
	else if (rc < 0)
		err_sys(err, -rc, "cannot remove %s", Q(path));
	buf_release(&how.stuck);
	return rc;
}

int trash_empty(struct trashed *t, struct ovl_err *err)
{
	return trash_remove(t->st, t->dir, t->name, err);
}

/* ---- setting aside ----------------------------------------------------------------- */

int aside_move(struct ovl_store *st, int dirfd, const char *name, const char *where,
	char out[ASIDE_NAME_MAX], struct ovl_err *err)
{
	int aside = store_dir_make(st, DIR_ASIDE, err);
	char unique[SHORT_LEN + 1];

	if (aside < 0)
		return aside;
	/* The name may be too long, or an earlier layer may have taken it. */
	snprintf(out, ASIDE_NAME_MAX, "%s.%s", where, name);
	if (strlen(where) + 1 + strlen(name) <= NAME_MAX &&
		fs_rename(dirfd, name, aside, out, RENAME_NOREPLACE) == 0)
		return 0;
	id_short_new(unique);
	snprintf(out, ASIDE_NAME_MAX, "%s.%.100s.%s", where, name, unique);
	if (fs_rename(dirfd, name, aside, out, RENAME_NOREPLACE) == 0)
		return 0;
	return err_sys(err, errno, "cannot set %s aside", Q(name));
}

bool aside_has(struct ovl_store *st, const char *driver, const char *id)
{
	int aside = store_dir(st, DIR_ASIDE, NULL);
	char name[ASIDE_NAME_MAX];

	snprintf(name, sizeof(name), "%s.%s", driver, id);
	return aside >= 0 && fs_exists(aside, name) != 0;
}
