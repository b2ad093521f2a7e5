/* SPDX-License-Identifier: ISC */
/*
 * Gives a name to a layer, or removes it. Other processes often need the lock of the
 * names, so it is not held during a sync: what must be on disk before the next step is
 * written under the lock, synced without it, and checked again under the lock. If it has
 * changed meanwhile, everything starts over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/quote.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/names.h"
#include "store/store.h"

int names_noted_in(struct ovl_store *st, const struct layer_ref *ref,
	const struct layer_ref *leads, const char *file)
{
	int fd = -1;

	if (!layer_ref_same(ref, leads) && names_noted_here(st, ref, file) == 0)
		fd = fs_open_dir(store_dir(st, DIR_STAGING, NULL),
			P("%s/" BECOMING_GIVES, leads->id.s));
	return fd >= 0 ? fd :
			 fs_open_dir(store_driver_dir(st, ref->drv, NULL), ref->id.s);
}

static int names_dir(struct ovl_store *st)
{
	return store_dir(st, DIR_NAMES, NULL);
}

/* ---- given ------------------------------------------------------------------------ */

/*
 * A name that moves is always somebody's:
 *
 *	1  a note in the layer that is to have it, and the one in the layer that has it,
 *	   are pending			-> synced
 *	2  the symlink leads there	-> synced: it is given
 *	3  the first note is settled, the second one goes
 *
 * A kill after 1 or 2 leaves a pending note in a layer that does not have the name, which
 * says nothing to anybody.
 */
struct giving {
	const struct layer *l;
	const char *name;
	const char *config;
	bool force;
	bool durable;
	char file[256];
	struct layer_ref self;
	struct layer_ref owner; /* the previous owner, if any */
	struct layer_ref leads; /* see names_find */
	bool had;
	bool mine; /* self had it already */
	bool made; /* created a note in self */
	int old; /* the owner's note */
};

/* Checks whether the name may be given. */
static int look(struct giving *g, struct ovl_err *err)
{
	struct ovl_store *st = g->l->st;
	int r = names_owner(st, names_dir(st), g->file, &g->owner, &g->leads);

	if (r < 0 && r != -EUCLEAN)
		return err_sys(err, -r, "cannot read name %s", Q(g->name));
	g->had = r > 0;
	g->mine = g->had && layer_ref_same(&g->owner, &g->self);
	return g->mine   ? 0 :
		g->force ? names_refuse_id(st, g->name, &g->self, err) :
			   names_check(st, g->name, &g->self, false, err);
}

static int open_old(struct giving *g)
{
	auto_fd layer = names_noted_in(g->l->st, &g->owner, &g->leads, g->file);
	auto_fd dir = layer < 0 ? -1 : fs_open_dir(layer, NAMES_NOTES);

	g->old = dir < 0 ? -1 : names_note_open(dir, g->file);
	return g->old < 0 ? -1 : names_note_set(g->old, true);
}

static int announce(void *ctx, struct ovl_err *err)
{
	struct giving *g = ctx;
	int rc;

	close_fdp(&g->old);
	rc = look(g, err);
	if (rc < 0)
		return rc;
	if (g->mine)
		return names_note(g->l->fd, g->name, g->config, err);
	g->made = true;
	rc = names_note_pending(g->l->fd, g->name, g->config, err);
	if (rc == 0 && g->had && open_old(g) < 0)
		rc = err_sys(err, errno, "cannot take the name %s from layer %.12s",
			Q(g->name), g->owner.id.s);
	return rc;
}

static int sync_notes(const struct giving *g, struct ovl_err *err)
{
	auto_fd dir = g->config ? fs_open_dir(g->l->fd, NAMES_NOTES) : -1;
	auto_fd note = g->config ? names_note_open(dir, g->file) : -1;

	/* A note that is gone was removed meanwhile, and is created again. */
	if ((note >= 0 && fsync(note) < 0) || (g->old >= 0 && fsync(g->old) < 0))
		return err_sys(
			err, errno, "cannot sync the note of the name %s", Q(g->name));
	return names_sync_notes(g->l->fd, err);
}

/* 1 it leads to the layer, 0 another process has given or removed it meanwhile. */
static int lead(void *ctx, struct ovl_err *err)
{
	struct giving *g = ctx;
	struct ovl_store *st = g->l->st;
	struct giving now = *g;
	int rc = look(&now, err);

	if (rc < 0 || now.mine)
		return rc < 0 ? rc : 1;
	if (now.had && (!g->had || !layer_ref_same(&now.owner, &g->owner)))
		return 0;
	/* Whoever gave it to the owner may have settled that note since. */
	if (now.had && !names_note_is_still_pending(g->old))
		return 0;
	rc = names_noted_here(st, &g->self, g->file);
	if (rc <= 0)
		return rc < 0 ? err_sys(err, -rc, "cannot give the name %s", Q(g->name)) :
				0;
	rc = names_link(st, g->name, &g->self, g->force, err);
	return rc < 0 ? rc : 1;
}

static bool leads_here(const struct giving *g)
{
	struct layer_ref link;

	return names_read_link(names_dir(g->l->st), g->file, &link) > 0 &&
		layer_ref_same(&link, &g->self);
}

static int settle(void *ctx, struct ovl_err *err)
{
	struct giving *g = ctx;
	auto_fd dir = fs_open_dir(g->l->fd, NAMES_NOTES);
	auto_fd note = dir < 0 ? -1 : names_note_open(dir, g->file);
	auto_fd layer = -1;

	(void)err;
	if (!leads_here(g))
		return 0;
	if (note >= 0)
		names_note_set(note, false);
	if (g->old >= 0)
		layer = names_noted_in(g->l->st, &g->owner, &g->leads, g->file);
	if (layer >= 0)
		names_unnote(layer, g->file);
	return 0;
}

static int undo(void *ctx, struct ovl_err *err)
{
	struct giving *g = ctx;

	if (leads_here(g) && g->had)
		names_link(g->l->st, g->name, &g->leads, true, err);
	else if (leads_here(g))
		names_unlink(g->l->st, g->name);
	names_unnote(g->l->fd, g->file);
	if (g->old >= 0)
		names_note_set(g->old, false);
	return 0;
}

static int give(struct giving *g, struct ovl_err *err)
{
	int rc;

	do {
		rc = names_locked(g->l->st, announce, g, err);
		if (rc == 0 && g->durable)
			rc = sync_notes(g, err);
		if (rc == 0)
			rc = names_locked(g->l->st, lead, g, err);
	} while (rc == 0);
	if (rc > 0)
		rc = g->durable ? names_sync(g->l->st, err) : 0;
	if (rc == 0)
		names_locked(g->l->st, settle, g, NULL);
	else if (g->made)
		names_locked(g->l->st, undo, g, NULL);
	return rc;
}

int names_give(const struct layer *l, const char *name, const char *config, bool force,
	bool durable, struct ovl_err *err)
{
	struct giving g = {
		.l = l,
		.name = name,
		.config = config,
		.force = force,
		.durable = durable,
		.self = layer_ref_of(l),
		.old = -1,
	};
	int rc = name_check(name, g.file, err);

	if (rc == 0)
		rc = give(&g, err);
	close_fdp(&g.old);
	return rc;
}

/* ---- taken away ------------------------------------------------------------------- */

/* The note is removed first, and that is synced: without it nobody has the name, and a
 * kill may leave a symlink to a layer without the note. After an error the note is
 * restored. */
struct taking {
	struct ovl_store *st;
	const char *name;
	const struct layer_ref *from; /* NULL: from any owner */
	char file[256];
	struct layer_ref owner;
	struct layer_ref leads; /* see names_find */
	int layer; /* the directory that had its note */
	int dir; /* its directory of notes */
	int has; /* 1: with the digest of a config */
	char config[ID_LEN + 1];
};

static int cannot_take(const struct taking *t, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot remove the name %s", Q(t->name));
}

/* 1; 0 nobody has it. */
static int unnote(void *ctx, struct ovl_err *err)
{
	struct taking *t = ctx;
	int r = names_find(t->st, t->name, &t->owner, &t->leads, err);

	if (r <= 0 || (t->from && !layer_ref_same(t->from, &t->owner)))
		return r < 0 ? r : 0;
	t->layer = names_noted_in(t->st, &t->owner, &t->leads, t->file);
	t->dir = t->layer < 0 ? -1 : fs_open_dir(t->layer, NAMES_NOTES);
	t->has = t->dir < 0 ? 0 : names_config(t->layer, t->name, t->config, err);
	if (t->has < 0)
		return t->has;
	if (t->dir < 0 || unlinkat(t->dir, t->file, 0) < 0)
		return cannot_take(t, err);
	return 1;
}

/* 1 if it is as unnote() has left it, 0 if another process has given it again,
 * negative errno. */
static int is_nobodys(const struct taking *t)
{
	struct layer_ref owner;
	struct layer_ref leads;
	int r = names_read_link(names_dir(t->st), t->file, &leads);

	if (r <= 0 || !layer_ref_same(&leads, &t->leads))
		return r < 0 && r != -EUCLEAN ? r : 0;
	r = names_owner(t->st, names_dir(t->st), t->file, &owner, NULL);
	return r < 0 ? r : r == 0;
}

static int unlink_it(void *ctx, struct ovl_err *err)
{
	struct taking *t = ctx;
	int r = is_nobodys(t);

	if (r > 0 && unlinkat(names_dir(t->st), t->file, 0) < 0)
		r = -errno;
	if (r < 0)
		return err_sys(err, -r, "cannot remove the name %s", Q(t->name));
	unlinkat(t->layer, NAMES_NOTES, AT_REMOVEDIR); /* if it was the last */
	return 1;
}

static int settle_again(void *ctx, struct ovl_err *err)
{
	struct taking *t = ctx;
	struct layer_ref owner;
	auto_fd note = names_note_open(t->dir, t->file);

	(void)err;
	if (note >= 0 &&
		names_owner(t->st, names_dir(t->st), t->file, &owner, NULL) > 0 &&
		layer_ref_same(&owner, &t->owner))
		names_note_set(note, false);
	return 0;
}

/* Pending, as the lock may be what could not be had. */
static void put_back(struct taking *t)
{
	names_note_pending(t->layer, t->name, t->has ? t->config : NULL, NULL);
	names_locked(t->st, settle_again, t, NULL);
}

static int take(struct taking *t, bool durable, struct ovl_err *err)
{
	int r = names_locked(t->st, unnote, t, err);
	bool gone = r > 0;

	if (gone && durable && fsync(t->dir) < 0)
		r = cannot_take(t, err);
	if (r > 0)
		r = names_locked(t->st, unlink_it, t, err);
	if (gone && r < 0)
		put_back(t);
	close_fdp(&t->dir);
	close_fdp(&t->layer);
	return r;
}

int names_take(struct ovl_store *st, const char *name, bool durable, struct ovl_err *err)
{
	struct taking t = {.st = st, .name = name, .layer = -1, .dir = -1};
	struct layer_ref owner;
	int r = names_lookup(st, name, &owner, err);

	if (r <= 0)
		return r;
	name_encode(name, t.file);
	return take(&t, durable, err);
}

void names_take_from(struct ovl_store *st, const char *name, const struct layer_ref *ref)
{
	struct taking t = {.st = st, .name = name, .from = ref, .layer = -1, .dir = -1};

	name_encode(name, t.file);
	take(&t, false, NULL);
}
