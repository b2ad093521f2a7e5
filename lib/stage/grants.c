/* SPDX-License-Identifier: ISC */
/* Gives names and image configs, all or none. See grants.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/vec.h"
#include "store/config.h"
#include "stage/grants.h"
#include "stage/stage.h"
#include "store/names.h"
#include "store/store.h"

struct grant {
	const struct layer *l;
	const char *name; /* NULL: a config */
	bool keeps; /* a note that the layer has of the name already */
	const char *sub; /* its directory in the layer */
	char file[256]; /* its file name there */
	char temp[24]; /* the file in g->dir */
	enum { WAITS, NEW, SWAPPED } placed; /* SWAPPED: the old file is in g->dir */
	bool moves; /* before check(): it may; after: the name is another layer's */
	bool had; /* the name belongs to owner */
	struct layer_ref owner;
	struct layer_ref leads; /* see names_find */
};

/* ---- preparing -------------------------------------------------------------------- */

static int set_pending(int dir, const char *file, bool pending)
{
	auto_fd note = names_note_open(dir, file);

	return note < 0 ? -1 : names_note_set(note, pending);
}

static int add_grant(struct grants *g, const struct grant *what, const void *p, size_t n,
	struct ovl_err *err)
{
	struct grant *item;

	if (!VEC_ROOM(g->item, g->n))
		return err_nomem(err);
	item = &g->item[g->n];
	*item = *what;
	snprintf(item->temp, sizeof(item->temp), "grant-%zu", g->n);
	if (fs_write_new(g->dir, item->temp, p, n) < 0)
		return err_sys(
			err, errno, "cannot write '%s/%.40s'", item->sub, item->file);
	if (item->name && set_pending(g->dir, item->temp, true) < 0)
		return err_sys(err, errno, "cannot write the note of %s", Q(item->name));
	g->n++;
	return 0;
}

int grants_config(struct grants *g, const struct layer *l, const char *hex,
	const struct buf *bytes, struct ovl_err *err)
{
	struct grant what = {.l = l, .sub = CONFIGS};

	snprintf(what.file, sizeof(what.file), "%s", hex);
	return add_grant(g, &what, bytes->data, bytes->len, err);
}

int grants_name(struct grants *g, const struct layer *l, const char *name,
	const char *config, bool moves, struct ovl_err *err)
{
	struct grant what = {.l = l,
		.name = name,
		.keeps = !config,
		.sub = NAMES_NOTES,
		.moves = moves};
	int rc = name_check(name, what.file, err);

	config = config ? config : "";
	return rc < 0 ? rc : add_grant(g, &what, config, strlen(config), err);
}

/* ---- giving ----------------------------------------------------------------------- */

/* Replaces a config that a power cut has damaged. */
static int place_grant(struct grants *g, struct grant *item)
{
	auto_fd dir = -1;

	if (fs_mkdir(item->l->fd, item->sub, 0700) < 0)
		return -1;
	dir = fs_open_dir(item->l->fd, item->sub);
	if (dir < 0)
		return -1;
	if (fs_rename(g->dir, item->temp, dir, item->file, RENAME_NOREPLACE) == 0)
		item->placed = NEW;
	else if (errno != EEXIST)
		return -1;
	else if (fs_rename(g->dir, item->temp, dir, item->file, RENAME_EXCHANGE) == 0)
		item->placed = SWAPPED;
	else
		return -1;
	return 0;
}

static void take_back_grant(struct grants *g, struct grant *item)
{
	auto_fd dir = fs_open_dir(item->l->fd, item->sub);

	if (dir >= 0 && item->placed == SWAPPED)
		fs_rename(g->dir, item->temp, dir, item->file, RENAME_EXCHANGE);
	if (dir >= 0 && item->placed == NEW)
		unlinkat(dir, item->file, 0);
	item->placed = WAITS;
	unlinkat(item->l->fd, item->sub, AT_REMOVEDIR); /* if it was made for this one */
}

static int check_grants(struct grants *g, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < g->n && rc == 0; i++) {
		struct grant *item = &g->item[i];
		struct layer_ref self = layer_ref_of(item->l);

		if (!item->name)
			continue;
		rc = names_check(g->st, item->name, &self, item->moves, err);
		if (rc == 0)
			rc = names_find(
				g->st, item->name, &item->owner, &item->leads, err);
		item->had = rc > 0;
		item->moves = item->had && !layer_ref_same(&item->owner, &self);
		item->keeps &= item->had && !item->moves;
		rc = rc < 0 ? rc : 0;
	}
	return rc;
}

static int place_all(struct grants *g, struct ovl_err *err)
{
	for (size_t i = 0; i < g->n; i++) {
		struct grant *item = &g->item[i];

		if (!item->keeps && place_grant(g, item) < 0)
			return err_sys(err, errno,
				"cannot put '%s/%.40s' into layer %.12s", item->sub,
				item->file, item->l->id.s);
	}
	return 0;
}

static int link_all(struct grants *g, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < g->n && rc == 0; i++) {
		const struct grant *item = &g->item[i];
		struct layer_ref self = layer_ref_of(item->l);

		if (item->name)
			rc = names_link(g->st, item->name, &self, item->moves, err);
	}
	return rc;
}

/* The note in the layer that a name is taken from. */
static int set_old_pending(const struct grants *g, const struct grant *item, bool pending)
{
	auto_fd layer = names_noted_in(g->st, &item->owner, &item->leads, item->file);
	auto_fd dir = layer < 0 ? -1 : fs_open_dir(layer, item->sub);

	return dir < 0 ? -1 : set_pending(dir, item->file, pending);
}

static int announce_moves(struct grants *g, struct ovl_err *err)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct grant *item = &g->item[i];

		if (item->moves && set_old_pending(g, item, true) < 0)
			return err_sys(err, errno,
				"cannot take the name %s from layer %.12s", Q(item->name),
				item->owner.id.s);
	}
	return 0;
}

static void settle_all(struct grants *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct grant *item = &g->item[i];
		auto_fd dir = item->name ? fs_open_dir(item->l->fd, item->sub) : -1;

		if (dir >= 0)
			set_pending(dir, item->file, false);
	}
}

/* Does nothing if the name has been given to another layer meanwhile. */
static void take_name_back(struct grants *g, const struct grant *item)
{
	int names = store_dir(g->st, DIR_NAMES, NULL);
	struct layer_ref self = layer_ref_of(item->l);
	struct layer_ref link;
	bool mine = names_read_link(names, item->file, &link) > 0 &&
		layer_ref_same(&link, &self);

	if (mine && !item->had)
		names_unlink(g->st, item->name);
	else if (mine && item->moves)
		names_link(g->st, item->name, &item->leads, true, NULL);
	if (item->moves)
		set_old_pending(g, item, false);
}

/* Notes are removed last: without its note a symlink is not a name. */
static void take_all_back(struct grants *g)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->item[i].name)
			take_name_back(g, &g->item[i]);
	}
	for (size_t i = g->n; i-- > 0;)
		take_back_grant(g, &g->item[i]);
}

/* Under the lock of the names. */
static int give(void *ctx, struct ovl_err *err)
{
	struct grants *g = ctx;
	int rc = check_grants(g, err);

	if (rc < 0)
		return rc;
	rc = place_all(g, err);
	if (rc == 0)
		rc = announce_moves(g, err);
	if (rc == 0)
		rc = link_all(g, err);
	if (rc < 0)
		take_all_back(g);
	else
		settle_all(g);
	return rc;
}

/* Removes the note of a name from the layer that had it, unless it has the name again. */
static void unnote_old(struct grants *g, const struct grant *item)
{
	struct layer_ref now = {0};
	auto_fd layer = -1;

	if (names_lookup(g->st, item->name, &now, NULL) < 0 ||
		layer_ref_same(&now, &item->owner))
		return;
	layer = names_noted_in(g->st, &item->owner, &item->leads, item->file);
	if (layer >= 0)
		names_unnote(layer, item->file);
}

static void leave_old(struct grants *g)
{
	bool any = false;

	for (size_t i = 0; i < g->n; i++) {
		const struct grant *item = &g->item[i];

		any |= item->moves;
		if (item->moves && g->tell)
			store_warn(g->st,
				"the name %s was moved from layer %.12s to layer %.12s",
				Q(item->name), item->owner.id.s, item->l->id.s);
	}
	if (!any || names_lock(g->st, NULL) < 0)
		return;
	for (size_t i = 0; i < g->n; i++) {
		if (g->item[i].moves)
			unnote_old(g, &g->item[i]);
	}
	names_unlock(g->st);
}

int grants_give(struct grants *g, struct ovl_err *err)
{
	int rc = names_locked(g->st, give, g, err);

	if (rc < 0)
		return rc;
	rc = store_sync(g->st, g->dir, err);
	if (rc == 0) {
		leave_old(g);
	} else if (names_lock(g->st, NULL) == 0) {
		take_all_back(g);
		names_unlock(g->st);
	}
	return rc;
}

void grants_release(struct grants *g)
{
	free(steal(g->item));
	g->n = 0;
}

int grants_give_name(const struct layer *l, const char *name, const char *config,
	bool moves, struct ovl_err *err)
{
	auto_stage stage = STAGE_INIT;
	struct grants g = {.st = l->st};
	int rc = stage_begin(l->st, l->drv, NULL, &stage, err);

	if (rc < 0)
		return rc;
	g.dir = stage.fd;
	rc = grants_name(&g, l, name, config, moves, err);
	if (rc == 0)
		rc = store_sync(g.st, g.dir, err);
	if (rc == 0)
		rc = grants_give(&g, err);
	grants_release(&g);
	return rc;
}
