/* SPDX-License-Identifier: ISC */
/*
 * ovl_check: checks the store. Only writes if it is to repair; never mounts anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/vec.h"
#include "check/check.h"
#include "prune.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/names.h"
#include "store/stamp.h"
#include "store/store.h"

/* Reports a file that does not belong in a directory of the store. A repair removes
 * symlinks and empty directories, and sets other files aside. */
static int check_stray(
	struct checker *c, const struct prune_place *at, const char *in, const char *text)
{
	bool repair = c->req->repair;
	struct stat st;
	bool gone = repair && fstatat(at->dir, at->file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		(S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode)) &&
		unlinkat(at->dir, at->file, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0;

	return repair && !gone ?
		check_set_aside(c, at->kind, "", at->dir, at->file, in, text) :
		check_found(c, OVL_ERROR, at->kind, "", at->file, gone, "%s", text);
}

/* Calls fn for each file of a directory of the store, until it returns nonzero. */
static int each_file(struct checker *c, const struct driver *drv, int dirfd,
	const char *name, const char *what,
	int (*fn)(struct checker *c, struct prune_place *at))
{
	auto_fsdir d = fs_dir_at(dirfd, name);
	struct prune_place at = {.drv = drv, .dir = d.fd};
	int r;

	while ((r = fs_dir_next(&d, &at.file, NULL)) > 0) {
		r = fn(c, &at);
		if (r)
			return r;
	}
	return r < 0 ? err_sys(c->err, errno, "cannot read %s", what) : 0;
}

/* ---- layers ----------------------------------------------------------------------- */

static void look_at_meta(int dir, struct check_known *k)
{
	auto_fd fd = fs_open_dir(dir, k->ref.id.s);

	if (fd < 0 || becoming_meta(fd, k->ref.id.s, &k->meta, NULL) < 0)
		k->meta = (struct meta){.depth = UINT_MAX};
}

static int add_layer(struct checker *c, const struct driver *drv, int dir, const char *id)
{
	struct check_known *k;

	if (!VEC_ROOM(c->known, c->n_known))
		return err_nomem(c->err);
	k = &c->known[c->n_known++];
	k->ref.drv = drv;
	k->lost = false;
	memcpy(k->ref.id.s, id, sizeof(k->ref.id.s));
	look_at_meta(dir, k);
	return 0;
}

static int collect(void *ctx, const struct driver *drv, int dir, const char *name)
{
	const struct prune_place at = {.kind = "stray", .dir = dir, .file = name};
	struct checker *c = ctx;

	if (id_is_full(name))
		return add_layer(c, drv, dir, name);
	if (drv->links && strcmp(name, drv->links) == 0)
		return 0;
	return check_stray(c, &at, drv->name, P("an unknown file in '%s'", drv->name));
}

/* Parents first: repeats as long as another layer was restored. */
static int rebuild(struct checker *c)
{
	bool more = true;
	int rc = 0;

	while (more && rc >= 0) {
		more = false;
		for (size_t i = 0; i < c->n_known && rc >= 0; i++) {
			struct check_known *k = &c->known[i];

			if (k->meta.depth != UINT_MAX || k->lost)
				continue;
			rc = store_stopped(c->st) ? err_stopped(c->err) :
						    check_rebuild(c, &k->ref);
			if (rc > 0) {
				more = true;
				look_at_meta(
					store_driver_dir(c->st, k->ref.drv, NULL), k);
			} else if (rc == -EIO && !c->ended) {
				k->lost = true;
				rc = check_unreadable(c, k->ref.id.s);
			}
		}
	}
	return rc < 0 ? rc : 0;
}

static int check_layers(struct checker *c)
{
	int rc = c->st->look_only ? 0 : layers_finish(c->st, c->err);

	c->holding = true;
	if (rc == 0)
		rc = layers_each(c->st, collect, c, c->err);
	rc = check_flush(c, rc);
	if (rc == 0 && c->req->repair)
		rc = rebuild(c);
	VEC_SORT(c->known, c->n_known, check_order);
	for (size_t i = 0; i < c->n_known; i++)
		c->total += c->known[i].meta.tar_size;
	for (size_t i = 0; i < c->n_known && rc == 0; i++) {
		if (store_stopped(c->st))
			rc = err_stopped(c->err);
		else if (!c->known[i].lost)
			rc = check_layer(c, &c->known[i].ref);
	}
	free(c->known);
	return rc;
}

/* ---- short links and names --------------------------------------------------------- */

/* A young link may be that of a layer that is about to appear; or a commit has found that
 * another was faster, and is about to remove its own. */
static int confirm_link(struct checker *c, struct prune_place *at)
{
	if (!prune_is_young(at->dir, at->file))
		return prune_judge_link(c->st, at, c->err);
	at->kind = NULL;
	return 0;
}

/* Two seconds for all names together. */
#define LOOKS_MAX 40

/* Judges while no process is giving or removing the name. A process that removes a name
 * syncs in between, without the lock. */
static int confirm_name(struct checker *c, struct prune_place *at)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	int rc;

	for (;;) {
		rc = names_lock_shared(c->st, c->err);
		if (rc < 0)
			return rc;
		rc = prune_judge_name(c->st, at, c->err);
		names_unlock(c->st);
		if (rc < 0 || !at->why || at->shown == at->file ||
			c->looks++ >= LOOKS_MAX)
			return rc;
		nanosleep(&pause, NULL);
	}
}

static int check_file(struct checker *c, struct prune_place *at)
{
	const struct driver *drv = at->drv;
	int rc = drv ? prune_judge_link(c->st, at, c->err) :
		       prune_judge_name(c->st, at, c->err);

	if (drv ? rc == 0 && at->why : rc < 0 || at->kind)
		rc = drv ? confirm_link(c, at) : confirm_name(c, at);
	if (rc < 0)
		return check_found(c, OVL_ERROR, "unreadable", "", at->shown, OVL_LEFT,
			"%s", c->err->text);
	if (!at->kind)
		return 0;
	if (at->why)
		return check_found(c, OVL_NOTE, at->kind, "", at->shown, OVL_LEFT,
			"%s; 'ovlctl prune' removes it", at->why);
	return check_stray(c, at, drv ? drv->links : "names",
		drv ? "it is not a link to a layer" : "it is not the name of a layer");
}

/* ---- the rest --------------------------------------------------------------------- */

static int note_left(void *ctx, const struct ovl_pruned *p)
{
	struct checker *c = ctx;

	return check_found(c, OVL_NOTE, p->what, "", p->name, OVL_LEFT,
		"%s; 'ovlctl prune' removes it", p->why);
}

/* The directory is used as a lower layer, so its contents would be visible in mounts. */
static int check_in_empty(struct checker *c, struct prune_place *at)
{
	at->kind = "empty";
	return check_stray(c, at, "empty", "an unknown file in 'empty'");
}

static int note_aside(struct checker *c, struct prune_place *at)
{
	return check_found(c, OVL_NOTE, "aside", "", at->file, OVL_LEFT,
		"set aside by a repair; see ovlctl-check(8), 'What is set aside'");
}

static int check_dir(struct checker *c, enum store_dir which, const char *what,
	int (*fn)(struct checker *c, struct prune_place *at))
{
	return each_file(c, NULL, store_dir(c->st, which, c->err), ".", what, fn);
}

static int check_store(struct checker *c)
{
	const struct ovl_prune dry = {.dry_run = true};
	int rc;

	if (c->st->foreign)
		return check_foreign(c, NULL);
	rc = check_layers(c);
	for (const struct driver *const *d = c->st->drivers; *d && rc == 0; d++) {
		if ((*d)->links && store_covers(c->st, *d))
			rc = each_file(c, *d, store_driver_dir(c->st, *d, c->err),
				(*d)->links, "the links", check_file);
	}
	if (rc == 0)
		rc = check_dir(c, DIR_NAMES, "the store's names", check_file);
	if (rc == 0)
		rc = check_dir(c, DIR_EMPTY, "'empty'", check_in_empty);
	if (rc == 0)
		rc = check_dir(c, DIR_ASIDE, "'aside'", note_aside);
	return rc ? rc : prune_dead(c->st, &dry, note_left, c, c->err);
}

/* Checks one layer, and again after a repair, with its content. */
static int check_only(struct checker *c)
{
	const struct ovl_check *req = c->req;
	struct ovl_check whole = *req;
	struct layer_ref ref;
	int rc = layer_find(c->st, req->layer, &ref, c->err);

	if (rc == 0 && c->st->foreign)
		return check_foreign(c, &ref.id);
	if (rc == 0 && req->from) {
		rc = check_heal(c, &ref, req->fd, req->from);
		whole.content = true;
		c->req = &whole;
	} else if (rc == 0 && req->repair) {
		rc = check_rebuild(c, &ref);
	}
	rc = rc < 0 ? rc : check_layer(c, &ref);
	c->req = req;
	return rc;
}

int ovl_check(struct ovl_store *st, const struct ovl_check *req,
	int (*fn)(void *ctx, const struct ovl_finding *f), void *ctx, unsigned *result,
	struct ovl_err *err)
{
	struct checker c = {.st = st, .req = req, .fn = fn, .ctx = ctx, .err = err};
	int rc = 0;

	*result = 0;
	if (st->fd < 0)
		return err_say(err, ENOENT, "store %s does not exist", Q(st->root));
	if (req->content && st->foreign)
		return err_status(err, OVL_USAGE,
			"--content cannot be used: %s is another program's store, without checksums",
			Q(st->root));
	if (req->repair && owners_check(st, err) < 0)
		return -EPERM;
	st->look_only = !req->repair;
	rc = req->layer ? check_only(&c) : check_store(&c);
	if (c.result && req->repair && st->cfg.sync != OVL_SYNC_NONE &&
		syncfs(st->fd) < 0 && rc == 0)
		rc = err_sys(err, errno, "cannot sync the store");
	st->look_only = false;
	*result = c.result;
	return rc;
}
