/* SPDX-License-Identifier: ISC */
/*
 * ovl_check: checks the store. Only writes if it is to repair; never mounts anything.
 */
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
static int check_stray(struct checker *c, const char *kind, int dirfd, const char *name,
	const char *in, const char *text)
{
	bool repair = c->req->repair;
	struct stat st;
	bool gone = repair && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		!S_ISREG(st.st_mode) &&
		unlinkat(dirfd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0;

	return repair && !gone ?
		check_set_aside(c, kind, "", dirfd, name, in, text) :
		check_found(c, OVL_ERROR, kind, "", name, gone, "%s", text);
}

/* Calls fn for each file of a directory of the store, until it returns nonzero. */
static int each_file(struct checker *c, int dirfd, const char *name, const char *what,
	int (*fn)(struct checker *c, const struct driver *drv, int dir, const char *name),
	const struct driver *drv)
{
	auto_fsdir d = fs_dir_at(dirfd, name);
	const char *file;
	int r;

	while ((r = fs_dir_next(&d, &file, NULL)) > 0) {
		r = fn(c, drv, d.fd, file);
		if (r)
			return r;
	}
	return r < 0 ? err_sys(c->err, errno, "cannot read %s", what) : 0;
}

/* ---- layers ----------------------------------------------------------------------- */

struct found {
	struct layer_ref ref;
	unsigned depth; /* UINT32_MAX: its metadata cannot be read */
	uint64_t tar_size;
	bool lost; /* it cannot be read, which was reported */
};

static int by_depth(const void *a, const void *b)
{
	const struct found *x = a;
	const struct found *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return strcmp(x->ref.id.s, y->ref.id.s);
}

struct all {
	struct found *found;
	size_t n;
};

static void look_at_meta(int dir, struct found *f)
{
	auto_fd fd = fs_open_dir(dir, f->ref.id.s);
	struct meta m;
	bool known = fd >= 0 && becoming_meta(fd, f->ref.id.s, &m, NULL) == 0;

	f->depth = known ? m.depth : UINT32_MAX;
	f->tar_size = known ? m.tar_size : 0;
}

static int add_layer(struct all *all, const struct driver *drv, int dir, const char *id)
{
	struct found *f;

	if (!VEC_ROOM(all->found, all->n))
		return -ENOMEM;
	f = &all->found[all->n++];
	f->ref.drv = drv;
	f->lost = false;
	memcpy(f->ref.id.s, id, sizeof(f->ref.id.s));
	look_at_meta(dir, f);
	return 0;
}

struct collecting {
	struct checker *c;
	struct all *all;
};

static int collect(void *ctx, const struct driver *drv, int dir, const char *name)
{
	struct collecting *to = ctx;

	if (id_is_full(name))
		return add_layer(to->all, drv, dir, name) < 0 ? err_nomem(to->c->err) : 0;
	if (drv->links && strcmp(name, drv->links) == 0)
		return 0;
	return check_stray(to->c, "stray", dir, name, drv->name,
		P("an unknown file in '%s'", drv->name));
}

/* Parents first: repeats as long as another layer was restored. */
static int rebuild(struct checker *c, struct all *all)
{
	bool more = true;
	int rc = 0;

	while (more && rc >= 0) {
		more = false;
		for (size_t i = 0; i < all->n && rc >= 0; i++) {
			struct found *f = &all->found[i];

			if (f->depth != UINT32_MAX || f->lost)
				continue;
			rc = store_stopped(c->st) ? err_stopped(c->err) :
						    check_rebuild(c, &f->ref);
			if (rc > 0) {
				more = true;
				look_at_meta(
					store_driver_dir(c->st, f->ref.drv, NULL), f);
			} else if (rc == -EIO && !c->ended) {
				f->lost = true;
				rc = check_unreadable(c, f->ref.id.s);
			}
		}
	}
	return rc < 0 ? rc : 0;
}

static int check_layers(struct checker *c)
{
	struct all all = {0};
	struct collecting to = {.c = c, .all = &all};
	int rc = c->st->look_only ? 0 : layers_finish(c->st, c->err);

	c->holding = true;
	if (rc == 0)
		rc = layers_each(c->st, collect, &to, c->err);
	rc = check_flush(c, rc);
	if (rc == 0 && c->req->repair)
		rc = rebuild(c, &all);
	VEC_SORT(all.found, all.n, by_depth);
	for (size_t i = 0; i < all.n; i++)
		c->total += all.found[i].tar_size;
	for (size_t i = 0; i < all.n && rc == 0; i++) {
		if (store_stopped(c->st))
			rc = err_stopped(c->err);
		else if (!all.found[i].lost)
			rc = check_layer(c, &all.found[i].ref);
	}
	free(all.found);
	return rc;
}

/* ---- links ------------------------------------------------------------------------ */

/* True if a layer in the trash has that short link. */
static bool is_trashed(struct checker *c, const struct driver *drv, const char *link)
{
	auto_fsdir d = fs_dir_at(store_dir(c->st, DIR_TRASH, NULL), ".");
	const char *name;

	while (fs_dir_next(&d, &name, NULL) > 0) {
		char its[SHORT_LEN + 1];

		driver_link_of(drv, d.fd, name, its);
		if (strcmp(its, link) == 0)
			return true;
	}
	return false;
}

/* For a link whose layer does not exist: false if the layer has appeared meanwhile or is
 * being removed, which removes the link too. */
static bool is_dangling(
	struct checker *c, const struct driver *drv, int drv_fd, const char *link)
{
	struct layer_ref ref = {.drv = drv};

	return !is_trashed(c, drv, link) &&
		driver_by_link(drv, drv_fd, link, &ref.id) > 0 &&
		layer_exists(c->st, &ref, NULL) == 0;
}

/* Checks a short link that is not the one its layer has recorded. */
static int check_link(
	struct checker *c, const struct driver *drv, int dir, const char *name)
{
	int drv_fd = store_driver_dir(c->st, drv, NULL);
	struct layer_ref ref = {.drv = drv};
	auto_layer l = LAYER_INIT;
	struct ovl_err why;
	int there = 1;
	int r = id_is_short(name) ? driver_by_link(drv, drv_fd, name, &ref.id) : -EUCLEAN;

	/* Its layer may be about to appear; or a commit has found that another was
	 * faster, and is about to remove its own link. */
	if (r == 0 || (r > 0 && prune_is_young(dir, name)))
		return 0;
	if (r > 0)
		there = layer_exists(c->st, &ref, c->err);
	if (r < 0 && r != -EUCLEAN)
		there = err_sys(c->err, -r, "cannot read it");
	if (there < 0)
		return check_found(c, OVL_ERROR, "unreadable", "", name, OVL_LEFT,
			"the link cannot be examined: %s", c->err->text);
	if (!there)
		return !is_dangling(c, drv, drv_fd, name) ?
			0 :
			check_found(c, OVL_NOTE, "dangling-link", "", name, OVL_LEFT,
				"its layer does not exist; 'ovlctl prune' removes it");
	/* Unreadable layers are reported elsewhere. */
	if (r > 0 &&
		(layer_open_ref(c->st, &ref, 0, ref.id.s, &l, &why) < 0 ||
			strcmp(l.meta.link, name) == 0))
		return 0;
	if (r > 0 && (becoming_unfinished(&l.meta) || fs_exists(dir, name) == 0))
		return 0;
	/* It was left by a process that was killed before the layer appeared; another
	 * process has made the layer. */
	if (r > 0)
		return check_found(c, OVL_NOTE, "duplicate-link", ref.id.s, name,
			OVL_LEFT,
			"a second link to a layer whose own is %s; 'ovlctl prune' removes it",
			l.meta.link);
	return check_stray(
		c, "bad-link", dir, name, drv->links, "it is not a link to a layer");
}

static int check_links(struct checker *c, const struct driver *drv)
{
	return each_file(c, drv->links ? store_driver_dir(c->st, drv, c->err) : -ENOENT,
		drv->links, "the links", check_link, drv);
}

/* ---- names ------------------------------------------------------------------------ */

/* Two seconds for all names together. */
#define LOOKS_MAX 40

static enum name_state locked_state(
	struct checker *c, const char *file, char name[NAME_LEN_MAX + 1])
{
	enum name_state state;

	if (names_lock_shared(c->st, c->err) < 0)
		return NAME_UNREAD;
	state = names_state(c->st, file, name, c->err);
	names_unlock(c->st);
	return state;
}

/* Its state while no process is giving or removing the name. A process that removes a
 * name syncs in between, without the lock. */
static enum name_state confirmed_state(
	struct checker *c, const char *file, char name[NAME_LEN_MAX + 1])
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	enum name_state state = locked_state(c, file, name);

	while (state == NAME_DANGLING && c->looks++ < LOOKS_MAX) {
		nanosleep(&pause, NULL);
		state = locked_state(c, file, name);
	}
	return state;
}

static int check_name_file(
	struct checker *c, const struct driver *drv, int dir, const char *file)
{
	char name[NAME_LEN_MAX + 1] = "";
	enum name_state state = names_state(c->st, file, name, c->err);

	(void)drv;
	if (state != NAME_GOOD)
		state = confirmed_state(c, file, name);
	switch (state) {
	case NAME_GOOD:
	case NAME_GONE: return 0;
	case NAME_UNREAD:
		return check_found(c, OVL_ERROR, "unreadable", "", name, OVL_LEFT, "%s",
			c->err->text);
	case NAME_PASSING:
		return check_found(c, OVL_NOTE, "dangling-name", "", file, OVL_LEFT,
			"the name was never given; 'ovlctl prune' removes it");
	case NAME_DANGLING:
		return check_found(c, OVL_NOTE, "dangling-name", "", name, OVL_LEFT,
			"no layer has this name; 'ovlctl prune' removes it");
	default: break;
	}
	return check_stray(
		c, "bad-name", dir, file, "names", "it is not the name of a layer");
}

/* ---- the rest --------------------------------------------------------------------- */

static int note_left(void *ctx, const struct ovl_pruned *p)
{
	struct checker *c = ctx;

	return check_found(c, OVL_NOTE, p->what, "", p->name, OVL_LEFT,
		"%s; 'ovlctl prune' removes it", p->why);
}

static int check_left(struct checker *c)
{
	const struct ovl_prune dry = {.dry_run = true};

	return prune_dead(c->st, &dry, note_left, c, c->err);
}

/* The directory is used as a lower layer, so its contents would be visible in mounts. */
static int check_in_empty(
	struct checker *c, const struct driver *drv, int dir, const char *name)
{
	(void)drv;
	return check_stray(c, "empty", dir, name, "empty", "an unknown file in 'empty'");
}

static int note_aside(
	struct checker *c, const struct driver *drv, int dir, const char *name)
{
	(void)drv;
	(void)dir;
	return check_found(c, OVL_NOTE, "aside", "", name, OVL_LEFT,
		"set aside by a repair; see ovlctl-check(8), 'What is set aside'");
}

static int check_dir(struct checker *c, enum store_dir which, const char *what,
	int (*fn)(struct checker *c, const struct driver *drv, int dir, const char *name))
{
	return each_file(c, store_dir(c->st, which, c->err), ".", what, fn, NULL);
}

static int check_store(struct checker *c)
{
	int rc;

	if (c->st->foreign)
		return check_foreign(c, NULL);
	rc = check_layers(c);
	for (const struct driver *const *d = c->st->drivers; *d && rc == 0; d++)
		rc = store_covers(c->st, *d) ? check_links(c, *d) : 0;
	if (rc == 0)
		rc = check_dir(c, DIR_NAMES, "the store's names", check_name_file);
	if (rc == 0)
		rc = check_dir(c, DIR_EMPTY, "'empty'", check_in_empty);
	if (rc == 0)
		rc = check_dir(c, DIR_ASIDE, "'aside'", note_aside);
	return rc ? rc : check_left(c);
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
