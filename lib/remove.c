/* SPDX-License-Identifier: ISC */
/* ovl_remove: removes layers, children before their parents. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/vec.h"
#include "mount/family.h"
#include "remove.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/names.h"
#include "store/store.h"
#include "store/trash.h"
#include "stage/used.h"

/* ---- choosing and checking layers ------------------------------------------------- */

struct wanted {
	struct inuse *seen;
	char *const *layers; /* as the user gave them; NULL: ref instead */
	const struct layer_ref
		*ref; /* removed only if nothing needs it and it was not used... */
	const struct timespec *used; /* ...since that last use */
	unsigned flags;
};

static int find_all(struct family *f, void *ctx, struct ovl_err *err)
{
	const struct wanted *w = ctx;
	bool children = w->flags & OVL_RM_RECURSIVE;

	if (!w->layers)
		return family_add(f, w->ref, "", children, err);
	for (char *const *what = w->layers; *what; what++) {
		struct layer_ref ref;
		int rc = layer_find(f->st, *what, &ref, err);

		if (rc < 0 && err->status == OVL_NOLAYER && (w->flags & OVL_RM_FORCE))
			continue;
		if (rc == 0)
			rc = family_add(f, &ref, *what, children, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct children {
	const struct family *f;
	struct buf names;
	unsigned n;
	struct layer_ref aside; /* a layer in aside/; drv NULL: none */
};

static int note_child(void *ctx, const struct layer_ref *child)
{
	struct children *c = ctx;
	char label[OVL_LABEL_SIZE];

	if (family_has(c->f, child))
		return 0;
	if (layer_exists(c->f->st, child, NULL) == 0) {
		c->aside = *child;
		return 1;
	}
	c->n++;
	if (c->n <= 3)
		buf_addf(&c->names, "%s'%s'", c->n > 1 ? ", " : "",
			layer_label(c->f->st, child, label));
	else
		buf_addf(&c->names, ", ...");
	return c->n > 3;
}

/* Children that are not removed need their parent. */
static int check_children(
	const struct family *f, const struct family_member *m, struct ovl_err *err)
{
	struct children c = {.f = f};
	char label[OVL_LABEL_SIZE];
	int rc = layer_children(&m->layer, note_child, &c, err);

	if (rc >= 0 && c.aside.drv)
		rc = err_status(err, OVL_BUSY,
			"layer '%s' may be the parent of a layer that a repair set "
			"aside as '%s.%.12s...'; see ovlctl-check(8) before 'ovlctl "
			"prune --aside' removes that one",
			family_label(f, m, label), c.aside.drv->name, c.aside.id.s);
	else if (rc >= 0 && c.n)
		rc = err_status(err, OVL_BUSY,
			"layer '%s' has layers on top of it: %s; -r removes them, too",
			family_label(f, m, label), c.names.data);
	buf_release(&c.names);
	return rc < 0 ? rc : 0;
}

/* Children before their parents. */
static int by_depth(const void *a, const void *b)
{
	unsigned x = ((const struct family_member *)a)->layer.meta.depth;
	unsigned y = ((const struct family_member *)b)->layer.meta.depth;

	return x > y ? -1 : x < y;
}

/* It may have been given a name meanwhile, or found by an import. */
static int check_unneeded(const struct family *f, const struct family_member *m,
	const struct timespec *planned, struct ovl_err *err)
{
	struct timespec used = used_last(
		m->layer.drv_fd, &m->ref.id, m->layer.meta.created);
	char name[NAME_LEN_MAX + 1];
	int named = names_first(f->st, &m->ref, name);

	if (named < 0)
		return err_status(err, OVL_BUSY, "cannot read the names of layer %.12s",
			m->ref.id.s);
	if (named)
		return err_status(err, OVL_BUSY, "layer '%s' has a name", name);
	if (names_any_lost(&m->layer))
		return err_status(err, OVL_BUSY,
			"layer %.12s has lost its name: see 'ovlctl check'", m->ref.id.s);
	/* Different, not later: the clock may have been set back. */
	if (fs_time_order(&used, planned) != 0)
		return err_status(
			err, OVL_BUSY, "layer %.12s was just used", m->ref.id.s);
	return 0;
}

/* If a layer has appeared on top of one that is to be removed, for instance by a commit,
 * looks for layers again. */
static int lock_all_of(struct family *f, struct wanted *w, struct ovl_err *err)
{
	for (int tries = w->flags & OVL_RM_RECURSIVE ? 5 : 1;; tries--) {
		int rc = family_lock(f, find_all, w, err);

		if (rc < 0)
			return rc;
		for (size_t i = 0; i < f->n && rc == 0; i++)
			rc = check_children(f, &f->member[i], err);
		if (rc == 0 || tries == 1)
			return rc;
		family_release(f);
	}
}

static int check_all(struct family *f, struct wanted *w, struct ovl_err *err)
{
	int rc = lock_all_of(f, w, err);

	for (size_t i = 0; i < f->n && rc == 0 && w->ref; i++)
		rc = check_unneeded(f, &f->member[i], w->used, err);
	if (rc == 0)
		VEC_SORT(f->member, f->n, by_depth);
	return rc;
}

/* ---- removal ---------------------------------------------------------------------- */

/* Reports the names that were removed with the layer; as a warning if the user gave
 * another one of them. */
static void tell_names(
	const struct wanted *w, const struct family_member *m, const struct buf *files)
{
	const struct ovl_store *st = m->layer.st;
	char asked[256];
	bool by_name = files->len && m->asked && name_encode(m->asked, asked) &&
		memmem(files->data, files->len, asked, strlen(asked) + 1);

	for (size_t at = 0; at < files->len; at += strlen(files->data + at) + 1) {
		char name[NAME_LEN_MAX + 1];
		char *const *given = w->layers;

		if (!name_decode(files->data + at, name))
			continue;
		while (given && *given && strcmp(*given, name) != 0)
			given++;
		if (by_name && !*given)
			store_warn(
				st, "layer '%s' also had the name '%s'", m->asked, name);
		else
			store_detail(st, "name '%s' removed", name);
	}
}

/* The rename removes the layer with all its names, whose symlinks are dangling after
 * it. */
static int take_away_named(const struct wanted *w, struct family_member *m,
	struct trashed *t, struct ovl_err *err)
{
	struct layer *l = &m->layer;
	struct ovl_store *st = l->st;
	auto_buf names = {0};
	int locked = names_lock_of(l, &names, err);
	int rc = locked < 0 ?
		locked :
		trash_take(l, m->asked && *m->asked ? m->asked : P("%.12s", l->id.s), t,
			err);

	if (locked >= 0 && (rc == -ENOSPC || rc == -EDQUOT))
		rc = trash_in_place(l, t, err);
	if (rc == 0)
		rc = names_unlink_files(st, &names, err);
	if (locked > 0)
		names_unlock(st);
	if (rc == 0)
		tell_names(w, m, &names);
	return rc;
}

/* After this the layer cannot be found. */
static int move_to_trash(const struct wanted *w, struct family_member *m,
	struct trashed *t, struct ovl_err *err)
{
	struct layer *l = &m->layer;
	struct layer gone = *l;
	struct layer_ref ref = layer_ref_of(l);
	int rc = 0;

	/* Otherwise the layer would look as if it had been committed. */
	if (l->meta.becomes.s[0])
		rc = becoming_forget(l->st, &l->id, err);
	if (rc == 0)
		rc = take_away_named(w, m, t, err);
	if (rc < 0)
		return rc;
	layer_drop_child(gone.st, &ref, &gone.meta.parent, gone.meta.kind);
	store_detail(gone.st, "layer %s removed", gone.id.s);
	return driver_retract(gone.drv, gone.drv_fd, gone.meta.link, &gone.id, err);
}

static int take_all(
	const struct wanted *w, struct family *f, struct trashed *t, struct ovl_err *err)
{
	for (size_t i = 0; i < f->n; i++) {
		int rc = move_to_trash(w, &f->member[i], &t[i], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The number of files that will be removed; 0: unknown. */
static uint64_t count_files(const struct family *f)
{
	uint64_t n = f->st->removed;

	for (size_t i = 0; i < f->n; i++) {
		const struct layer *l = &f->member[i].layer;

		if (l->meta.kind != OVL_IMAGE || l->drv->flat)
			return 0;
		n += l->meta.entries;
	}
	return n;
}

static int remove_all(const struct wanted *w, struct family *f, struct ovl_err *err)
{
	struct trashed *t = calloc(f->n + 1, sizeof(*t));
	int rc;

	if (!t)
		return err_nomem(err);
	for (size_t i = 0; i < f->n; i++)
		t[i].fd = -1;
	f->st->to_remove = count_files(f);
	rc = take_all(w, f, t, err);
	for (size_t i = 0; i < f->n; i++) {
		if (t[i].fd >= 0) {
			int emptied = trash_empty(&t[i], rc < 0 ? NULL : err);

			rc = rc < 0 ? rc : emptied;
		}
		trash_close(&t[i]);
	}
	free(t);
	if (rc < 0 || f->st->cfg.sync != OVL_SYNC_ALL || !f->n)
		return rc;
	return store_sync(f->st, f->member[0].layer.drv_fd, err);
}

static int remove_wanted(struct ovl_store *st, struct wanted *w, struct ovl_err *err)
{
	auto_family f = {
		.st = st, .inuse = w->seen, .missing_ok = w->flags & OVL_RM_FORCE};
	int rc = check_all(&f, w, err);

	return rc < 0 ? rc : remove_all(w, &f, err);
}

int ovl_remove(
	struct ovl_store *st, char *const *layers, unsigned flags, struct ovl_err *err)
{
	struct wanted w = {.layers = layers, .flags = flags};

	return remove_wanted(st, &w, err);
}

int remove_unneeded(struct ovl_store *st, const struct layer_ref *ref,
	const struct timespec *used, struct inuse *seen, struct ovl_err *err)
{
	struct wanted w = {.ref = ref, .used = used, .seen = seen};

	return remove_wanted(st, &w, err);
}
