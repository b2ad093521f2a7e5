/*
 * prune: what the dead have left, and with layers what nothing names or needs.
 *
 * A living process holds a lock on what it works on in staging/ and trash/, so what can be
 * locked there is nobody's. Links, names and hints of layers that are not there may belong
 * to a layer that is about to appear: who makes one appear holds the store's lock shared
 * (or that of the names) between the two, so they are looked for under it, exclusively.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "fs.h"
#include "layer.h"
#include "lock.h"
#include "names.h"
#include "prune.h"
#include "pruner.h"
#include "store.h"
#include "trash.h"

int prune_tell(struct pruner *p, const char *what, const char *name, uint64_t bytes,
	const char *why)
{
	const struct ovl_pruned out = {
		.what = what, .name = name, .bytes = bytes, .why = why};

	size_t len = p->later.len;

	if (!p->holding) {
		p->ended = p->fn ? p->fn(p->ctx, &out) : 0;
		return p->ended;
	}
	buf_add(&p->later, what, strlen(what) + 1);
	buf_add(&p->later, name, strlen(name) + 1);
	buf_add(&p->later, why, strlen(why) + 1);
	if (!p->later.failed)
		return 0;
	buf_cut(&p->later, len);
	return err_nomem(p->err);
}

/* The lock is given back: tells what was held back, also when r says that more failed. */
static int tell_later(struct pruner *p, int r)
{
	int rc = 0;

	p->holding = false;
	for (size_t at = 0; at < p->later.len && rc == 0;) {
		const char *what = p->later.data + at;
		const char *name = what + strlen(what) + 1;
		const char *why = name + strlen(name) + 1;

		rc = prune_tell(p, what, name, 0, why);
		at = (size_t)(why + strlen(why) + 1 - p->later.data);
	}
	buf_release(&p->later);
	return r ? r : rc;
}

int prune_go_on(struct pruner *p, int r)
{
	if (r >= 0 || p->ended || store_stopped(p->st))
		return r;
	if (p->rc == 0) {
		p->rc = r;
		p->why = *p->err;
	}
	return 0;
}

/* ---- directories of the dead ------------------------------------------------------ */

/* Is it nobody's? 1 and its lock, held in *fd; 0; negative errno. */
static int is_dead(int dir, const char *name, int *fd)
{
	struct stat named;
	struct stat open;
	int r;

	*fd = fs_open_dir(dir, name);
	if (*fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
	r = lock_try(*fd, LOCK_EX);
	if (r > 0 && fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		fstat(*fd, &open) == 0 && named.st_ino == open.st_ino)
		return 1;
	close_fdp(fd);
	return r < 0 ? r : 0;
}

static int prune_tree(
	struct pruner *p, const char *what, int dir, const char *name, const char *why)
{
	uint64_t bytes = 0;

	if (fs_tree_bytes(dir, name, &bytes) < 0)
		return err_sys(p->err, errno, "cannot read '%s/%.12s'", what, name);
	if (!p->req->dry_run &&
		fs_rmtree_told(dir, name, p->st->cfg.stop, trash_gone, p->st) < 0)
		return store_stopped(p->st) ?
			err_stopped(p->err) :
			err_sys(p->err, errno, "cannot remove '%s/%.12s'", what, name);
	return prune_tell(p, what, name, bytes, why);
}

static int prune_dir(
	struct pruner *p, const char *what, int dir, const char *name, const char *why)
{
	auto_fd fd = -1;
	int r = is_dead(dir, name, &fd);

	if (r < 0)
		return err_sys(p->err, -r, "cannot look at '%s/%.12s'", what, name);
	return r ? prune_tree(p, what, dir, name, why) : 0;
}

static int prune_dirs(struct pruner *p, enum store_dir which, const char *what,
	int (*fn)(struct pruner *p, const char *what, int dir, const char *name,
		const char *why),
	const char *why)
{
	auto_fsdir d = {.fd = -1};
	int dir = store_dir(p->st, which, p->err);
	const char *name;
	int r;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	if (fs_dir_open(&d, dir, ".") < 0)
		return err_sys(p->err, errno, "cannot read '%s'", what);
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		r = prune_go_on(p, fn(p, what, dir, name, why));
		if (r)
			return r;
	}
	return r < 0 ? err_sys(p->err, errno, "cannot read '%s'", what) : 0;
}

/* ---- what leads nowhere ----------------------------------------------------------- */

/* Removes a name from a directory, unless this is only to see. */
static int drop(struct pruner *p, int dir, const char *file, const char *what,
	const char *shown, const char *why)
{
	if (!p->req->dry_run && unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		return err_sys(p->err, errno, "cannot remove %s '%.40s'", what, shown);
	return prune_tell(p, what, shown, 0, why);
}

/* Why a link is not needed; NULL if it is. One that is no link of ours is for check.
 * Negative errno: that cannot be told now. */
static int link_is_left(struct pruner *p, const struct driver *drv, int drv_fd,
	const char *name, const char **out)
{
	struct layer_ref ref = {.drv = drv};
	auto_layer l = LAYER_INIT;
	struct ovl_err why;
	int there;

	*out = NULL;
	if (!id_is_short(name))
		return 0;
	there = drv->by_link(drv_fd, name, &ref.id);
	if (there < 0 && there != -EUCLEAN)
		return err_sys(p->err, -there, "cannot read link '%s'", name);
	if (there <= 0)
		return 0;
	there = layer_exists(p->st, &ref, p->err);
	if (there < 0)
		return there;
	if (!there)
		*out = "its layer is not there";
	else if (layer_open_ref(p->st, &ref, 0, ref.id.s, &l, &why) == 0 &&
		strcmp(l.meta.link, name) != 0)
		*out = "its layer has another";
	return 0;
}

static int prune_links(struct pruner *p, const struct driver *drv, int drv_fd)
{
	auto_fsdir links = {.fd = -1};
	const char *name;
	int r;

	if (!drv->links)
		return 0;
	if (fs_dir_open(&links, drv_fd, drv->links) < 0)
		return errno == ENOENT ?
			0 :
			err_sys(p->err, errno, "cannot read '%s'", drv->links);
	while ((r = fs_dir_next(&links, &name, NULL)) > 0) {
		const char *why;

		r = link_is_left(p, drv, drv_fd, name, &why);
		if (r == 0 && why)
			r = drop(p, links.fd, name, "link", name, why);
		if (r)
			return r;
	}
	return r < 0 ? err_sys(p->err, errno, "cannot read '%s'", drv->links) : 0;
}

/* Hints of children in one layer; see layer.h. */
static int prune_hints(
	struct pruner *p, const struct driver *drv, int drv_fd, const char *id)
{
	struct layer_ref child = {.drv = drv};
	auto_fsdir d = {.fd = -1};
	const char *name;
	int r;

	r = layer_hints_open(drv_fd, id, &d);
	if (r <= 0)
		return 0;
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (!id_is_full(name))
			continue;
		memcpy(child.id.s, name, sizeof(child.id.s));
		r = layer_exists(p->st, &child, p->err);
		if (r < 0)
			return r;
		if (r)
			continue;
		r = drop(p, d.fd, name, "hint", name,
			"the child it tells of is not there");
		if (r)
			return r;
	}
	if (r < 0)
		return err_sys(
			p->err, errno, "cannot read the children of layer %.12s", id);
	if (!p->req->dry_run)
		layer_hints_done(drv_fd, id);
	return 0;
}

static int prune_driver(struct pruner *p, const struct driver *drv)
{
	int drv_fd = store_driver_dir(p->st, drv, p->err);
	auto_fsdir d = {.fd = -1};
	const char *name;
	int r;

	if (drv_fd < 0)
		return drv_fd == -ENOENT ? 0 : drv_fd;
	r = prune_links(p, drv, drv_fd);
	if (r)
		return r;
	if (fs_dir_open(&d, drv_fd, ".") < 0)
		return err_sys(p->err, errno, "cannot read the store");
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		r = id_is_full(name) ? prune_hints(p, drv, drv_fd, name) : 0;
		if (r)
			return r;
	}
	return r < 0 ? err_sys(p->err, errno, "cannot read the store") : 0;
}

/* Notes of names that are not the layer's, in one layer. Under the lock of the names,
 * which who gives one holds from the note to the name. */
static int prune_notes(
	struct pruner *p, const struct driver *drv, int drv_fd, const char *id)
{
	auto_fsdir d = {.fd = -1};
	const char *file;
	int r = names_notes_open(drv_fd, id, &d);

	while (r > 0 && (r = fs_dir_next(&d, &file, NULL)) > 0) {
		char name[NAME_LEN_MAX + 1];
		struct layer_ref owner;

		r = name_decode(file, name) ? names_lookup(p->st, name, &owner, p->err) :
					      0;
		if (r > 0 && owner.drv == drv && strcmp(owner.id.s, id) == 0)
			continue;
		if (r >= 0)
			r = drop(p, d.fd, file, "note", file,
				"the name is not this layer's");
		if (r)
			return r;
		r = 1;
	}
	if (r == 0 || r == 1)
		return 0;
	return err_sys(p->err, errno, "cannot read the names of layer %.12s", id);
}

static int prune_all_notes(struct pruner *p)
{
	for (const struct driver *const *drv = driver_list; *drv; drv++) {
		int drv_fd = store_driver_dir(p->st, *drv, p->err);
		auto_fsdir d = {.fd = -1};
		const char *name;
		int r;

		if (drv_fd < 0 || !store_covers(p->st, *drv))
			continue;
		if (fs_dir_open(&d, drv_fd, ".") < 0)
			return err_sys(p->err, errno, "cannot read the store");
		while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
			r = id_is_full(name) ? prune_notes(p, *drv, drv_fd, name) : 0;
			if (r)
				return r;
		}
		if (r < 0)
			return err_sys(p->err, errno, "cannot read the store");
	}
	return 0;
}

static int prune_names(struct pruner *p)
{
	auto_fsdir d = {.fd = -1};
	int names = store_dir(p->st, DIR_NAMES, p->err);
	const char *file;
	int r;

	if (names < 0)
		return names == -ENOENT ? 0 : names;
	r = names_lock(p->st, p->err);
	if (r < 0)
		return r;
	p->holding = true;
	if (fs_dir_open(&d, names, ".") < 0)
		r = err_sys(p->err, errno, "cannot read the store's names");
	while (r >= 0) {
		char name[NAME_LEN_MAX + 1];

		r = fs_dir_next(&d, &file, NULL);
		if (r < 0)
			r = err_sys(p->err, errno, "cannot read the store's names");
		if (r <= 0)
			break;
		switch (names_state(p->st, file, name, p->err)) {
		case NAME_UNREAD: r = -EIO; break;
		case NAME_PASSING:
			r = drop(p, names, file, "name", file, "it was never given");
			break;
		case NAME_DANGLING:
			r = drop(p, names, file, "name", name, "no layer has it");
			break;
		default: r = 0;
		}
		if (r)
			break;
	}
	if (r == 0)
		r = prune_all_notes(p);
	names_unlock(p->st);
	return tell_later(p, r);
}

static int prune_nowhere(struct pruner *p)
{
	int r = prune_names(p);

	if (r == 0)
		r = store_lock(p->st, LOCK_EX, p->err);
	if (r)
		return r;
	p->holding = true;
	for (const struct driver *const *d = driver_list; *d && r == 0; d++)
		r = store_covers(p->st, *d) ? prune_driver(p, *d) : 0;
	store_unlock(p->st);
	return tell_later(p, r);
}

/* ---- all of it -------------------------------------------------------------------- */

static int dead(struct pruner *p)
{
	int rc = prune_dirs(
		p, DIR_STAGING, "staging", prune_dir, "who was making it has ended");

	return rc ? rc :
		    prune_dirs(p, DIR_TRASH, "trash", prune_dir,
			    "who was removing it has ended");
}

/* What went wrong on the way. */
static int told(struct pruner *p)
{
	if (p->rc < 0)
		*p->err = p->why;
	return p->rc;
}

int prune_dead(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err)
{
	struct pruner p = {.st = st, .req = req, .fn = fn, .ctx = ctx, .err = err};

	int rc = dead(&p);

	return rc == 0 ? told(&p) : rc;
}

int ovl_prune(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err)
{
	struct pruner p = {.st = st, .req = req, .fn = fn, .ctx = ctx, .err = err};
	int rc;

	if (st->fd < 0)
		return 0;
	rc = dead(&p);
	if (rc == 0 && req->aside)
		rc = prune_dirs(
			&p, DIR_ASIDE, "aside", prune_tree, "a repair put it aside");
	if (rc == 0)
		rc = prune_nowhere(&p);
	if (rc == 0 && req->layers)
		rc = prune_layers(&p);
	if (rc == 0 && st->cfg.sync == OVL_SYNC_ALL && !req->dry_run)
		rc = store_sync(st, st->fd, err);
	return rc == 0 ? told(&p) : rc;
}
