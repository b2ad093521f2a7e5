/* SPDX-License-Identifier: ISC */
/*
 * Finds the layer that a user means, and lists all layers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/fs.h"
#include "base/pathset.h"
#include "base/quote.h"
#include "foreign/foreign.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/layer_foreign.h"
#include "store/names.h"
#include "store/store.h"

/* ---- finding ---------------------------------------------------------------------- */

struct search {
	struct ovl_store *st;
	const char *what;
	struct layer_ref found;
	unsigned hits;
	bool twice; /* the same id exists for two drivers */
	struct ovl_err *err;
};

static void hit(struct search *s, const struct driver *drv, const char *id)
{
	if (s->hits && s->found.drv == drv && strcmp(s->found.id.s, id) == 0)
		return;
	s->found.drv = drv;
	s->twice |= s->hits && strcmp(s->found.id.s, id) == 0;
	memcpy(s->found.id.s, id, ID_LEN + 1);
	s->hits++;
}

static int find_full(struct search *s, const struct driver *drv)
{
	struct layer_ref ref = {.drv = drv};
	int r;

	memcpy(ref.id.s, s->what, ID_LEN + 1);
	r = layer_exists(s->st, &ref, s->err);
	if (r > 0)
		hit(s, drv, s->what);
	return r;
}

static int cannot_read(struct ovl_store *st, const char *what, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot read '%s/%s'", st->root, what);
}

static int each_in_driver(struct ovl_store *st, const struct driver *drv, layers_fn fn,
	void *ctx, struct ovl_err *err)
{
	int drv_fd = store_driver_dir(st, drv, err);
	auto_fsdir d = fs_dir_at(drv_fd, ".");
	const char *name;
	int r;

	if (st->foreign)
		return layer_foreign_each(st, fn, ctx);
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		r = fn(ctx, drv, drv_fd, name);
		if (r)
			return r;
	}
	return r < 0 ? cannot_read(st, drv->name, err) : 0;
}

static int match_link(void *ctx, const struct driver *drv, int dir, const char *name)
{
	struct search *s = ctx;
	struct meta m;

	if (!id_is_full(name) || layer_meta(s->st, dir, name, &m) < 0 ||
		strcmp(m.link, s->what) != 0)
		return 0;
	hit(s, drv, name);
	return 1;
}

static int find_short(struct search *s, const struct driver *drv)
{
	struct layer_ref ref = {.drv = drv};
	int r;

	if (!drv->links)
		return each_in_driver(s->st, drv, match_link, s, s->err);
	r = driver_by_link(drv, store_driver_dir(s->st, drv, NULL), s->what, &ref.id);
	if (r < 0)
		return err_sys(s->err, -r, "cannot look up layer %s", Q(s->what));
	if (r > 0)
		r = layer_exists(s->st, &ref, s->err);
	if (r > 0)
		hit(s, drv, ref.id.s);
	return r;
}

static int match(void *ctx, const struct driver *drv, int dir, const char *name)
{
	struct search *s = ctx;

	(void)dir;
	if (id_is_full(name) && strncmp(name, s->what, strlen(s->what)) == 0)
		hit(s, drv, name);
	return 0;
}

/* A layer that cannot be read has no diff id, and does not match. */
static int match_diff_id(void *ctx, const struct driver *drv, int dir, const char *name)
{
	struct search *s = ctx;
	struct meta m;

	if (id_is_full(name) && layer_meta(s->st, dir, name, &m) == 0 &&
		strcmp(m.diff_id, s->what) == 0)
		hit(s, drv, name);
	return 0;
}

/* Matches the ids by which another program knows its layers. */
static void match_own(void *ctx, const struct driver *drv, const char *id)
{
	hit(ctx, drv, id);
}

static int find_begun(struct search *s)
{
	if (s->st->foreign)
		layer_foreign_begun(s->st, s->what, match_own, s);
	return layers_each(s->st, match, s, s->err);
}

static int each_driver(
	struct search *s, int (*fn)(struct search *s, const struct driver *drv))
{
	for (const struct driver *const *d = s->st->drivers; *d; d++) {
		int rc = store_covers(s->st, *d) ? fn(s, *d) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

void layer_finish(struct ovl_store *st, const struct layer_ref *ref)
{
	auto_layer l = LAYER_INIT;

	(void)layer_open_ref(st, ref, LOCK_SH | LOCK_NB, ref->id.s, &l, NULL);
}

static int is_there(void *ctx, const struct driver *drv, int dir, const char *name)
{
	(void)ctx, (void)drv, (void)dir;
	return id_is_full(name);
}

static int no_such_layer(struct ovl_store *st, const char *what, struct ovl_err *err)
{
	char name[NAME_FORM_SIZE];
	struct layer_ref ref;

	for (unsigned i = 0; name_form(what, i, name); i++) {
		if (names_lookup(st, name, &ref, err) > 0)
			return err_status(err, OVL_NOLAYER,
				"no such layer %s; did you mean %s?", Q(what), Q(name));
	}
	if (!st->drv_chosen && layers_each(st, is_there, NULL, err) == 0)
		return err_status(err, OVL_NOLAYER,
			"no such layer %s: there are no layers in %s", Q(what),
			Q(st->root));
	return err_status(err, OVL_NOLAYER, "no such layer %s", Q(what));
}

int layer_find(struct ovl_store *st, const char *what, struct layer_ref *ref,
	struct ovl_err *err)
{
	struct search s = {.st = st, .what = what, .err = err};
	bool digest = strncmp(what, "sha256:", 7) == 0 && id_is_full(what + 7);
	struct layer_ref leads;
	int rc = names_find(st, what, ref, &leads, err);

	if (rc < 0)
		return rc;
	if (rc > 0 && !st->names_held && !layer_ref_same(&leads, ref))
		layer_finish(st, &leads);
	if (rc > 0 && !store_covers(st, ref->drv))
		return err_status(err, OVL_NOLAYER,
			"no such layer %s with driver %s: its driver is %s", Q(what),
			st->drv->name, ref->drv->name);
	if (rc > 0)
		return 0;
	if (digest)
		s.what += 7;
	if (id_is_full(s.what))
		rc = each_driver(&s, find_full);
	else if (id_is_short(what))
		rc = each_driver(&s, find_short);
	else if (id_is_prefix(what))
		rc = find_begun(&s);
	if (rc == 0 && digest && !s.hits)
		rc = layers_each(st, match_diff_id, &s, err);
	if (rc < 0)
		return rc;
	if (s.hits == 2 && s.twice)
		return err_status(err, OVL_USAGE,
			"%s is ambiguous: both drivers have it; select one with --driver",
			Q(what));
	if (s.hits > 1)
		return err_status(err, OVL_USAGE, "%s is ambiguous: %u layers match",
			Q(what), s.hits);
	if (!s.hits) {
		rc = st->foreign ? foreign_not_found(st->foreign, what, err) : 0;
		if (rc == 0 && st->foreign)
			rc = layer_foreign_no_layer(st, what, err);
		return rc < 0 ? rc : no_such_layer(st, what, err);
	}
	*ref = s.found;
	return 0;
}

int layer_open(struct ovl_store *st, const char *what, int op, struct layer *out,
	struct ovl_err *err)
{
	struct layer_ref ref;
	struct layer_ref was;
	int rc = layer_find(st, what, &ref, err);

	while (rc == 0) {
		rc = layer_open_ref(st, &ref, op, what, out, err);
		if (rc != -ENOENT || err->status != OVL_NOLAYER || st->foreign)
			break;
		/* Meanwhile a commit may have given the name to its image layer. */
		was = ref;
		rc = layer_find(st, what, &ref, err);
		if (rc == 0 && layer_ref_same(&ref, &was))
			return err_status(err, OVL_NOLAYER, "no such layer %s", Q(what));
	}
	return rc;
}

int layer_open_base(struct ovl_store *st, const char *what, enum ovl_kind kind,
	struct layer *out, struct ovl_err *err)
{
	int rc = layer_open(st, what, LOCK_SH, out, err);

	if (rc < 0)
		return rc;
	if (out->meta.kind != OVL_IMAGE)
		return err_say(err, EINVAL,
			"layer %s is writable: only an image layer can be a parent; "
			"'ovlctl commit' makes it one",
			Q(what));
	return driver_check_depth(out, kind, err);
}

const char *layer_label(
	struct ovl_store *st, const struct layer_ref *ref, char out[OVL_LABEL_SIZE])
{
	char name[NAME_LEN_MAX + 1];

	if (names_first(st, ref, name) > 0)
		snprintf(out, OVL_LABEL_SIZE, "%s", name);
	else
		snprintf(out, OVL_LABEL_SIZE, "%.12s", ref->id.s);
	return out;
}

/* ---- all of them ------------------------------------------------------------------ */

/* Calls fn with the id of each layer that a commit has moved away; ready: only if it can
 * be put back now. */
static int each_departed(
	struct ovl_store *st, bool ready, layers_fn fn, void *ctx, struct ovl_err *err)
{
	int staging = store_dir(st, DIR_STAGING, err);
	auto_fsdir d = fs_dir_at(staging, ".");
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		struct layer_ref from = {0};
		struct layer_ref to;

		if (!id_take(name, from.id.s) || becoming_read(st, name, &to) <= 0)
			continue;
		from.drv = to.drv;
		if (!store_covers(st, to.drv) || becoming_find(st, &from, &to) <= 0 ||
			(ready && becoming_has(st, &from.id, META_NAME) <= 0))
			continue;
		r = fn(ctx, from.drv, staging, name);
		if (r)
			return r;
	}
	return r < 0 ? cannot_read(st, "staging", err) : 0;
}

static int each_layer(struct ovl_store *st, layers_fn fn, void *ctx, struct ovl_err *err)
{
	int rc = 0;

	for (const struct driver *const *d = st->drivers; *d && rc == 0; d++)
		rc = store_covers(st, *d) ? each_in_driver(st, *d, fn, ctx, err) : 0;
	return rc == 0 ? each_departed(st, true, fn, ctx, err) : rc;
}

struct once {
	layers_fn fn;
	void *ctx;
	struct pathset *seen;
	struct ovl_err *err;
};

static int only_once(void *ctx, const struct driver *drv, int dir, const char *name)
{
	struct once *o = ctx;
	char key[300];
	int len = snprintf(key, sizeof(key), "%s/%s", drv->name, name);

	if (pathset_has(o->seen, 'l', key, (size_t)len))
		return 0;
	if (pathset_add(o->seen, 'l', key, (size_t)len) < 0)
		return err_nomem(o->err);
	return o->fn(o->ctx, drv, dir, name);
}

/* Without the lock, a layer that is renamed meanwhile may be missed; the second pass
 * finds it. */
static int each_unlocked(
	struct ovl_store *st, layers_fn fn, void *ctx, struct ovl_err *err)
{
	struct once o = {.fn = fn, .ctx = ctx, .seen = pathset_new(), .err = err};
	int rc = o.seen ? 0 : err_nomem(err);

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = each_layer(st, only_once, &o, err);
	pathset_free(o.seen);
	return rc;
}

int layers_each(struct ovl_store *st, layers_fn fn, void *ctx, struct ovl_err *err)
{
	int locked = st->names_held ? 0 : names_lock_to_list(st, err);
	int rc;

	if (locked < 0)
		return locked;
	if (!locked && !st->names_held)
		return each_unlocked(st, fn, ctx, err);
	rc = each_layer(st, fn, ctx, err);
	if (locked)
		names_unlock(st);
	return rc;
}

static int finish_one(void *ctx, const struct driver *drv, int dir, const char *name)
{
	struct layer_ref was = {.drv = drv};

	(void)dir;
	memcpy(was.id.s, name, ID_LEN + 1);
	layer_finish(ctx, &was);
	return 0;
}

int layers_finish(struct ovl_store *st, struct ovl_err *err)
{
	return each_departed(st, false, finish_one, st, err);
}

int layers_any_departed(struct ovl_store *st)
{
	return each_departed(st, false, is_there, NULL, NULL);
}
