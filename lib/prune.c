/* SPDX-License-Identifier: ISC */
/*
 * prune: removes what killed processes have left and, with layers, layers that no name or
 * other layer needs. A running process has locked what it works on in staging/ and
 * trash/, so whatever can be locked there is a leftover.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "prune.h"
#include "prune_priv.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/lock.h"
#include "store/names.h"
#include "store/store.h"
#include "store/trash.h"

/* ---- directories of killed processes ---------------------------------------------- */

/* 1 if no process uses it, with its lock in *fd; 0 if one does; negative errno. */
static int is_dead(int dir, const char *name, int *fd)
{
	int r;

	*fd = fs_open_dir(dir, name);
	if (*fd < 0)
		return fs_is_gone(errno) ? 0 : -errno;
	r = lock_try(*fd, LOCK_EX);
	if (r > 0 && fs_is(dir, name, *fd) > 0)
		return 1;
	close_fdp(fd);
	return r < 0 ? r : 0;
}

bool prune_is_young(int dirfd, const char *name)
{
	struct stat st;
	time_t age;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	age = time(NULL) - st.st_mtim.tv_sec;
	return age > -60 && age < 60;
}

static bool is_empty(int fd)
{
	auto_fsdir d = fs_dir_at(fd, ".");
	const char *name;

	return fs_dir_next(&d, &name, NULL) == 0;
}

static int report(struct pruner *p, const char *what, const char *name, uint64_t bytes,
	const char *why)
{
	const struct ovl_pruned gone = {
		.what = what, .name = name, .bytes = bytes, .why = why};

	return prune_report(p, &gone);
}

static int prune_tree(
	struct pruner *p, const char *what, int dir, const char *name, const char *why)
{
	uint64_t before = p->blocks.freed;
	uint64_t bytes;
	int rc;

	/* A failure only makes the report incomplete. */
	fs_tree_blocks(&p->blocks, dir, name);
	bytes = p->blocks.freed - before;
	rc = p->req->dry_run ? 0 : trash_remove(p->st, dir, name, p->err);
	/* Files that had a hard link there now have fewer links. */
	if (!p->req->dry_run)
		fs_blocks_release(&p->blocks);
	return rc < 0 ? rc : report(p, what, name, bytes, why);
}

/* staging/W is needed until the commit that made it is finished. 1 if so, 0 if not,
 * negative errno. */
static int leads_on(struct pruner *p, const char *name)
{
	struct layer_ref from = {0};
	struct layer_ref to;
	int r = id_take(name, from.id.s) ? becoming_read(p->st, name, &to) : 0;

	if (r <= 0)
		return r;
	from.drv = to.drv;
	return becoming_find(p->st, &from, &to);
}

/* 1 if it is a leftover, with its lock in *fd; 0 if not; negative errno. */
static int is_left(struct pruner *p, int dir, const char *name, int *fd)
{
	bool staged = dir == store_dir(p->st, DIR_STAGING, NULL);
	int r = staged ? leads_on(p, name) : 0;

	if (r)
		return r < 0 ? r : 0;
	r = is_dead(dir, name, fd);
	if (r <= 0 || !staged)
		return r;
	/* It was just created, and is about to be locked. */
	if (p->req->dry_run && is_empty(*fd) && prune_is_young(dir, name))
		return 0;
	/* The commit may have ended just before its lock was released. */
	r = leads_on(p, name);
	return r < 0 ? r : r == 0 && fs_is(dir, name, *fd) > 0;
}

/*
 * To see whether a directory is locked is to lock it for a moment. The store's lock keeps
 * it from becoming a layer between open and lock, which would then be in use. A process
 * that only looks does not wait for that lock for long, and takes the directory as used.
 */
static int prune_dir(
	struct pruner *p, const char *what, int dir, const char *name, const char *why)
{
	auto_fd fd = -1;
	int r = p->req->dry_run ? store_lock_brief(p->st, p->err) :
				  store_lock(p->st, LOCK_EX, p->err);

	if (r == -EBUSY && p->req->dry_run)
		return 0;
	/* One who may read the store may not be permitted to lock it. */
	if (r < 0 && (r != -EACCES || !p->req->dry_run))
		return r;
	r = is_left(p, dir, name, &fd);
	store_unlock(p->st);
	if (r == -EACCES && p->req->dry_run)
		return report(p, what, name, 0, "it cannot be opened");
	if (r < 0)
		return err_sys(p->err, -r, "cannot examine '%s/%.12s'", what, name);
	return r ? prune_tree(p, what, dir, name, why) : 0;
}

static int prune_dirs(struct pruner *p, enum store_dir which, const char *what,
	int (*fn)(struct pruner *p, const char *what, int dir, const char *name,
		const char *why),
	const char *why)
{
	int dir = store_dir(p->st, which, p->err);
	auto_fsdir d = fs_dir_at(dir, ".");
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		r = prune_go_on(p, fn(p, what, dir, name, why));
		if (r)
			return r;
	}
	return r < 0 ? err_sys(p->err, errno, "cannot read '%s'", what) : 0;
}

/* ---- dangling links, names and hints ---------------------------------------------- */

static int lock(struct pruner *p, bool names)
{
	if (!names)
		return store_lock(p->st, LOCK_EX, p->err);
	return p->req->dry_run ? names_lock_shared(p->st, p->err) :
				 names_lock(p->st, p->err);
}

/*
 * A process that makes a layer appear or gives a name creates dangling links for a
 * moment, while it holds the lock. So whatever seems to be a leftover is checked again
 * under the lock.
 */
static int prune_one(
	struct pruner *p, struct prune_place *at, prune_judge judge, bool names)
{
	int rc = judge(p->st, at, p->err);

	if (rc < 0 || !at->why)
		return rc;
	rc = lock(p, names);
	if (rc < 0)
		return rc;
	rc = judge(p->st, at, p->err);
	if (rc == 0 && at->why && !p->req->dry_run &&
		unlinkat(at->dir, at->file, 0) < 0 && errno != ENOENT)
		rc = err_sys(
			p->err, errno, "cannot remove %s '%.40s'", at->what, at->file);
	if (names)
		names_unlock(p->st);
	else
		store_unlock(p->st);
	if (rc < 0 || !at->why)
		return rc;
	return report(p, at->what, at->shown, 0, at->why);
}

/* Prunes all files in the directory name, which at describes. */
static int prune_files(struct pruner *p, int dirfd, const char *name,
	struct prune_place *at, prune_judge judge, bool names)
{
	auto_fsdir d = fs_dir_at(dirfd, name);
	int r;

	if (d.fd < 0 && fs_is_gone(d.why))
		return 0;
	at->dir = d.fd;
	while ((r = fs_dir_next(&d, &at->file, NULL)) > 0) {
		r = prune_one(p, at, judge, names);
		if (r)
			return r;
	}
	return r < 0 ? err_sys(p->err, errno, "cannot read the %ss", at->what) : 0;
}

int prune_judge_link(struct ovl_store *st, struct prune_place *at, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = at->drv};
	auto_layer l = LAYER_INIT;
	struct ovl_err no;
	int r = -EUCLEAN;

	at->shown = at->file;
	at->kind = at->why = NULL;
	if (id_is_short(at->file))
		r = driver_by_link(
			at->drv, store_driver_dir(st, at->drv, NULL), at->file, &ref.id);
	if (r == -EUCLEAN)
		at->kind = "bad-link";
	else if (r < 0)
		return err_sys(err, -r, "cannot read link '%s'", at->file);
	if (r <= 0)
		return 0;
	r = layer_exists(st, &ref, err);
	if (r == 0 && !trash_is_going(st, ref.id.s)) {
		at->kind = "dangling-link";
		at->why = "its layer does not exist";
	} else if (r > 0 && layer_open_ref(st, &ref, 0, ref.id.s, &l, &no) == 0 &&
		strcmp(l.meta.link, at->file) != 0 && !becoming_unfinished(&l.meta)) {
		at->kind = "duplicate-link";
		at->why = "its layer has another link";
	}
	return r < 0 ? r : 0;
}

static int prune_links(struct pruner *p, const struct driver *drv, int drv_fd)
{
	struct prune_place at = {.what = "link", .drv = drv};

	return drv->links ?
		prune_files(p, drv_fd, drv->links, &at, prune_judge_link, false) :
		0;
}

static int judge_hint(struct ovl_store *st, struct prune_place *at, struct ovl_err *err)
{
	struct layer_ref child = {.drv = at->drv};
	int there;

	at->shown = at->file;
	at->why = NULL;
	if (!id_take(at->file, child.id.s))
		return 0;
	there = layer_exists(st, &child, err);
	if (there == 0 && !aside_has(st, at->drv->name, child.id.s) &&
		!trash_is_going(st, child.id.s))
		at->why = "it refers to a layer that does not exist";
	return there < 0 ? there : 0;
}

/* The note of a name that no layer has may be the only trace of it, so it is removed only
 * if the layer has another name. */
static int judge_note(struct ovl_store *st, struct prune_place *at, struct ovl_err *err)
{
	struct layer_ref self = {.drv = at->drv};
	struct layer_ref owner;
	char other[NAME_LEN_MAX + 1];
	bool valid = name_decode(at->file, at->name);
	int r = valid ? names_lookup(st, at->name, &owner, err) : 0;
	int noted;

	at->shown = at->file;
	at->why = NULL;
	memcpy(self.id.s, at->id, sizeof(self.id.s));
	/* A commit renames a layer together with its notes, which then belong to the
	 * image layer. */
	noted = names_noted_here(st, &self, at->file);
	if (noted < 0)
		return err_sys(err, -noted, "cannot read note '%.60s'", at->file);
	if (noted == 0)
		return 0;
	if (r > 0 ? !layer_ref_same(&owner, &self) :
		    r == 0 &&
				(!valid || names_note_is_pending(at->dir, at->file) ||
					names_first(st, &self, other) > 0))
		at->why = "the layer does not have this name";
	return r < 0 ? r : 0;
}

/* Prunes the notes of names and the hints of children (see layer.h) in one layer. */
static int prune_in_layer(
	struct pruner *p, const struct driver *drv, int drv_fd, const char *id)
{
	struct prune_place note = {.what = "note", .drv = drv, .id = id};
	struct prune_place hint = {.what = "hint", .drv = drv, .id = id};
	const char *hints = P("%s/" LAYER_CHILDREN, id);
	int r = prune_files(p, drv_fd, P("%s/" NAMES_NOTES, id), &note, judge_note, true);

	if (r == 0)
		r = prune_files(p, drv_fd, hints, &hint, judge_hint, false);
	/* Without hints the directory is not needed. */
	if (r == 0 && !p->req->dry_run)
		unlinkat(drv_fd, hints, AT_REMOVEDIR);
	return r;
}

static int prune_in_layers(struct pruner *p, const struct driver *drv, int drv_fd)
{
	auto_fsdir d = fs_dir_at(drv_fd, ".");
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		r = id_is_full(name) ? prune_in_layer(p, drv, drv_fd, name) : 0;
		if (r)
			return r;
	}
	return r < 0 ? err_sys(p->err, errno, "cannot read the store") : 0;
}

int prune_judge_name(struct ovl_store *st, struct prune_place *at, struct ovl_err *err)
{
	at->shown = at->name;
	at->kind = at->why = NULL;
	switch (names_state(st, at->file, at->name, err)) {
	case NAME_UNREAD: return -EIO;
	case NAME_PASSING:
		at->shown = at->file;
		at->why = "the name was never given";
		break;
	case NAME_DANGLING: at->why = "no layer has this name"; break;
	case NAME_BAD:
		at->shown = at->file;
		at->kind = "bad-name";
		break;
	default: break;
	}
	if (at->why)
		at->kind = "dangling-name";
	return 0;
}

static int prune_nowhere(struct pruner *p)
{
	struct prune_place at = {.what = "name"};
	int names = store_dir(p->st, DIR_NAMES, p->err);
	int r = prune_files(p, names, ".", &at, prune_judge_name, true);

	for (const struct driver *const *d = driver_list; *d && r == 0; d++) {
		int drv_fd = store_covers(p->st, *d) ?
			store_driver_dir(p->st, *d, p->err) :
			-ENOENT;

		r = prune_links(p, *d, drv_fd);
		if (r == 0)
			r = prune_in_layers(p, *d, drv_fd);
	}
	return r;
}

/* ---- all steps -------------------------------------------------------------------- */

/* Finishes killed commits, wherever there are traces of them. */
static int finish_commits(struct pruner *p)
{
	int rc = layers_finish(p->st, p->err);

	for (const struct driver *const *d = driver_list; *d && rc == 0; d++) {
		auto_fsdir dir = fs_dir_at(store_covers(p->st, *d) ?
				store_driver_dir(p->st, *d, NULL) :
				-ENOENT,
			".");
		const char *name;

		while (fs_dir_next(&dir, &name, NULL) > 0) {
			struct layer_ref ref = {.drv = *d};

			/* Killed while the writable layer was being put back. */
			if (id_take(name, ref.id.s) &&
				fs_exists(dir.fd, P("%s/" BECOMING_IMAGE, name)) > 0)
				layer_finish(p->st, &ref);
		}
	}
	return rc;
}

static int dead(struct pruner *p)
{
	int rc = p->req->dry_run ? 0 : finish_commits(p);

	if (rc == 0)
		rc = prune_dirs(p, DIR_STAGING, "staging", prune_dir,
			"the process that made it was killed");
	return rc ? rc :
		    prune_dirs(p, DIR_TRASH, "trash", prune_dir,
			    "its removal was interrupted");
}

/* Returns the first failure. */
static int prune_status(struct pruner *p)
{
	if (p->rc < 0)
		*p->err = p->why;
	return p->rc;
}

static struct pruner pruner_of(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err)
{
	return (struct pruner){
		.st = st,
		.req = req,
		.fn = fn,
		.ctx = ctx,
		.err = err,
		.blocks.stop = st->cfg.stop,
	};
}

int prune_dead(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err)
{
	struct pruner p = pruner_of(st, req, fn, ctx, err);
	int rc = dead(&p);

	fs_blocks_release(&p.blocks);
	return rc == 0 ? prune_status(&p) : rc;
}

int ovl_prune(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err)
{
	struct pruner p = pruner_of(st, req, fn, ctx, err);
	int rc;

	if (st->fd < 0)
		return 0;
	st->look_only = req->dry_run;
	rc = dead(&p);
	if (rc == 0 && req->aside)
		rc = prune_dirs(
			&p, DIR_ASIDE, "aside", prune_tree, "set aside by a repair");
	if (rc == 0)
		rc = prune_nowhere(&p);
	if (rc == 0 && req->layers)
		rc = prune_layers(&p);
	if (rc == 0 && st->cfg.sync == OVL_SYNC_ALL && !req->dry_run)
		rc = store_sync(st, st->fd, err);
	st->look_only = false;
	fs_blocks_release(&p.blocks);
	return rc == 0 ? prune_status(&p) : rc;
}
