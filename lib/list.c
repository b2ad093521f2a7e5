/* SPDX-License-Identifier: ISC */
/* ovl_list and ovl_show: all layers, some, or one with its details. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include "base/vec.h"
#include "foreign/foreign.h"
#include "mount/mountnote.h"
#include "mount/mounts.h"
#include "stage/used.h"
#include "store/becoming.h"
#include "store/config.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/layer_foreign.h"
#include "store/names.h"
#include "store/ondir.h"
#include "store/store.h"
#include "show.h"

/* Most layers have no names and no mounts. */
static char *no_texts[1];

static void free_texts(char **list)
{
	if (list != no_texts)
		texts_free(list);
}

void ovl_list_free(struct ovl_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free_texts(l->layer[i].names);
		free_texts(l->layer[i].mounts);
		free(l->layer[i].on);
		show_free(l->layer[i].details);
	}
	free(steal(l->layer));
	l->n = 0;
}

/* ---- layers ----------------------------------------------------------------------- */

struct lister {
	struct ovl_store *st;
	unsigned flags;
	const struct layer *only; /* NULL: not one that is open already */
	bool own_names; /* each layer's names are read from the layer */
	struct ovl_list made;
	struct layer_ref *unfinished; /* made by killed commits */
	size_t n_unfinished;
	struct ovl_err *err;
};

static void fill_layer(struct ovl_layer *to, const struct driver *drv,
	const struct ovl_id *id, const struct meta *m)
{
	to->id = *id;
	memcpy(to->link, m->link, sizeof(to->link));
	to->driver = drv->name;
	to->kind = m->kind;
	to->has_parent = m->has_parent;
	to->parent = m->parent;
	memcpy(to->diff_id, m->diff_id, sizeof(to->diff_id));
	to->depth = m->depth;
	to->lowers = m->lowers;
	to->size = m->size;
	to->has_size = m->kind == OVL_IMAGE && !m->unmeasured;
	to->entries = m->entries;
	to->created = m->created;
	to->uses = -1;
}

static void fill_foreign(struct ovl_layer *to, const struct foreign_layer *f)
{
	to->engine_id = f->own_id;
	to->engine_tree = f->tree;
	to->used = f->used;
}

/* dir: the directory that contains the layer's; fd: the layer's own, open if it is on a
 * directory of the host. */
static int add_layer(struct lister *ls, const struct driver *drv, int dir,
	const struct ovl_id *id, const struct meta *m, int fd)
{
	struct ovl_list *out = &ls->made;
	auto_ondir on = ONDIR_INIT;
	struct ovl_err why;

	if (!VEC_ROOM(out->layer, out->n))
		return -ENOMEM;
	memset(&out->layer[out->n], 0, sizeof(*out->layer));
	fill_layer(&out->layer[out->n], drv, id, m);
	if (ls->st->foreign)
		fill_foreign(&out->layer[out->n], layer_foreign(ls->st, id));
	else if (ls->flags & OVL_LIST_LAST_USE)
		out->layer[out->n].used = used_last(dir, id, m->created);
	if (m->on_dir && ondir_read(fd, &on, &why) == 0)
		out->layer[out->n].on = buf_steal(&on.path);
	out->n++;
	return 0;
}

/* A layer that cannot be read must not keep the others from being listed. */
static int not_read(
	struct ovl_store *st, int dir, const char *id, int why, struct ovl_err *err)
{
	if (why != EIO && why != EACCES && err_is_system(-why))
		return err_sys(err, why, "cannot read layer %.12s", id);
	/* A layer that was removed meanwhile is not reported. */
	if (why == ENOENT && fs_exists(dir, id) == 0)
		return 0;
	if (why == EACCES)
		store_warn(st, "layer %.12s is not listed: %s", id, strerror(why));
	else if (why == EUCLEAN)
		store_warn(st,
			"layer %.12s is damaged and not listed; see 'ovlctl check'", id);
	else
		store_warn(st,
			"layer %.12s is damaged and not listed: %s; see 'ovlctl check'",
			id, strerror(why));
	return 0;
}

static int list_one(void *ctx, const struct driver *drv, int dir, const char *name)
{
	struct lister *ls = ctx;
	struct ovl_id id;
	auto_fd fd = -1;
	struct meta m;
	int r;

	if (!id_take(name, id.s))
		return 0;
	r = layer_meta(ls->st, dir, name, &m);
	if (r < 0)
		return not_read(ls->st, dir, name, -r, ls->err);
	if (m.on_dir)
		fd = fs_open_dir(dir, name);
	if (add_layer(ls, drv, dir, &id, &m, fd) < 0)
		return err_nomem(ls->err);
	if (becoming_unfinished(&m)) {
		if (!VEC_ROOM(ls->unfinished, ls->n_unfinished))
			return err_nomem(ls->err);
		ls->unfinished[ls->n_unfinished++] = (struct layer_ref){
			.drv = drv, .id = id};
	}
	return 0;
}

static bool is_listed(const struct ovl_list *l, const struct layer_ref *ref)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->layer[i].driver == ref->drv->name &&
			strcmp(l->layer[i].id.s, ref->id.s) == 0)
			return true;
	}
	return false;
}

static int add_noted(void *ctx, int names, const char *file)
{
	char name[NAME_LEN_MAX + 1];
	struct ovl_layer *to = ctx;

	(void)names;
	return name_decode(file, name) ? texts_add(&to->names, name) : 0;
}

static int add_opened(struct lister *ls, const struct layer *l, struct ovl_err *err)
{
	struct ovl_list *out = &ls->made;

	if (add_layer(ls, l->drv, l->drv_fd, &l->id, &l->meta, l->fd) < 0)
		return err_nomem(err);
	return ls->own_names ? names_files(l, add_noted, &out->layer[out->n - 1], err) :
			       0;
}

static int list_these(struct lister *ls, char *const *what, struct ovl_err *err)
{
	for (; *what; what++) {
		auto_layer l = LAYER_INIT;
		struct layer_ref ref;
		int rc = layer_find(ls->st, *what, &ref, err);

		if (rc == 0)
			rc = layer_open_ref(ls->st, &ref, 0, *what, &l, err);
		if (rc == 0 && !is_listed(&ls->made, &ref))
			rc = add_opened(ls, &l, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- names and mounts ------------------------------------------------------------- */

static int by_layer_id(const void *a, const void *b)
{
	const struct ovl_layer *x = a;
	const struct ovl_layer *y = b;
	int order = strcmp(x->id.s, y->id.s);

	return order ? order : strcmp(x->driver, y->driver);
}

static struct ovl_layer *find_layer(const struct ovl_list *l, const struct layer_ref *ref)
{
	struct ovl_layer key = {.id = ref->id, .driver = ref->drv->name};

	return VEC_FIND(l->layer, l->n, &key, by_layer_id);
}

static int add_name(void *ctx, const char *name, const struct layer_ref *ref)
{
	struct ovl_layer *l = find_layer(ctx, ref);

	return l ? texts_add(&l->names, name) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_names(struct ovl_layer *l)
{
	size_t n = 0;

	while (l->names && l->names[n])
		n++;
	VEC_SORT(l->names, n, by_text);
}

static int by_creation(const void *a, const void *b)
{
	const struct ovl_layer *x = a;
	const struct ovl_layer *y = b;

	int order = fs_time_order(&x->created, &y->created);

	if (order)
		return order;
	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return by_layer_id(a, b);
}

/*
 * With the lock of the names, layers and names are consistent: no commit turns one layer
 * into another meanwhile. Without the lock they may not be.
 */
static int list(struct lister *ls, char *const *what, struct ovl_err *err)
{
	struct ovl_list *out = &ls->made;
	int locked = names_lock_to_list(ls->st, err);
	int rc = locked;

	/* While a commit moves a layer, names that are not noted in the image layer may
	 * lead to it. */
	if (locked >= 0 && (what || ls->only) && !ls->st->foreign)
		ls->own_names = layers_any_departed(ls->st) == 0;
	if (rc >= 0)
		rc = ls->only ? add_opened(ls, ls->only, err) :
			what  ? list_these(ls, what, err) :
				layers_each(ls->st, list_one, ls, err);
	if (rc == 0 && out->n) {
		qsort(out->layer, out->n, sizeof(*out->layer), by_layer_id);
		if (!ls->own_names)
			rc = names_each(ls->st, add_name, out, err);
	}
	if (locked > 0)
		names_unlock(ls->st);
	return rc == -ENOMEM ? err_nomem(err) : rc;
}

static int attach_mounts(struct ovl_store *st, struct ovl_list *l, struct ovl_err *err)
{
	auto_mounts m = {0};
	int rc;

	if (!l->n)
		return 0;
	rc = mounts_read(st, &m, err);
	for (size_t i = 0; i < m.n && rc == 0; i++) {
		struct ovl_layer *layer = find_layer(l, &m.mnt[i].layer);

		if (layer && texts_add(&layer->mounts, m.mnt[i].where) < 0)
			rc = err_nomem(err);
	}
	for (size_t i = 0; i < l->n; i++)
		sort_names(&l->layer[i]);
	qsort(l->layer, l->n, sizeof(*l->layer), by_creation);
	return rc == -ENOMEM ? err_nomem(err) : rc;
}

static int by_layer(const void *a, const void *b)
{
	return by_layer_id(*(void *const *)a, *(void *const *)b);
}

static int find_parents(struct ovl_list *l, struct ovl_err *err)
{
	auto_free struct ovl_layer **sorted = calloc(l->n + 1, sizeof(*sorted));

	if (!sorted)
		return err_nomem(err);
	for (size_t i = 0; i < l->n; i++)
		sorted[i] = &l->layer[i];
	qsort(sorted, l->n, sizeof(*sorted), by_layer);
	for (size_t i = 0; i < l->n; i++) {
		struct ovl_layer *at = &l->layer[i];
		struct ovl_layer key = {.id = at->parent, .driver = at->driver};
		struct ovl_layer *sought = &key;
		struct ovl_layer **parent = bsearch(
			&sought, sorted, l->n, sizeof(*sorted), by_layer);

		/* The parent has a smaller depth, unless the store is damaged. */
		at->parent_at = at->has_parent && parent && (*parent)->depth < at->depth ?
			*parent - l->layer :
			-1;
	}
	return 0;
}

static void end_texts(struct ovl_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!l->layer[i].names)
			l->layer[i].names = no_texts;
		if (!l->layer[i].mounts)
			l->layer[i].mounts = no_texts;
	}
}

/* ---- details ---------------------------------------------------------------------- */

/* what: as in show_details(). */
static int add_details(const struct layer *l, const char *what,
	const struct ovl_layer *parent, struct ovl_layer *to, struct ovl_err *err)
{
	struct ovl_details *d = calloc(1, sizeof(*d));
	int rc = d ? show_details(l, what, to->size, parent, d, err) : err_nomem(err);

	if (rc == 0)
		to->details = d;
	else
		show_free(d);
	return rc;
}

/* A value that cannot be determined must not keep the other layers from being listed. */
static int not_known(const struct layer *l, const char *what, int rc, struct ovl_err *err)
{
	if (rc != -EIO && err_is_system(rc))
		return err_sys(err, -rc, "cannot read layer %.12s", l->id.s);
	if (rc == -EIO)
		store_warn(l->st, "layer %.12s: its %s not known: %s", l->id.s, what,
			strerror(EIO));
	return 0;
}

static int measure(const struct layer *l, struct ovl_layer *to, struct ovl_err *err)
{
	auto_blocks b = {.stop = l->st->cfg.stop};

	to->has_size = fs_tree_blocks(&b, l->fd, layer_tree_name(l)) == 0;
	to->size = to->has_size ? b.own : 0;
	return to->has_size ? 0 : not_known(l, "size is", -errno, err);
}

static int count_uses(const struct layer *l, struct ovl_layer *to, struct ovl_err *err)
{
	int rc = mountnotes_count(l, &to->uses);

	return rc < 0 ? not_known(l, "uses are", rc, err) : 0;
}

/* If the layer was removed meanwhile or is damaged, the details are omitted. */
static int complete(struct ovl_store *st, unsigned flags, const struct ovl_list *all,
	struct ovl_layer *to, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = store_driver(st, to->driver), .id = to->id};
	auto_layer l = LAYER_INIT;
	int rc = layer_open_ref(st, &ref, 0, ref.id.s, &l, err);

	if (rc == 0 && (flags & OVL_LIST_SIZES) && !to->has_size)
		rc = measure(&l, to, err);
	if (rc == 0 && (flags & OVL_LIST_USES) && !l.foreign)
		rc = count_uses(&l, to, err);
	if (rc == 0 && (flags & OVL_LIST_DETAILS))
		rc = add_details(&l, l.id.s,
			to->parent_at < 0 ? NULL : &all->layer[to->parent_at], to, err);
	return rc < 0 && err_is_system(rc) ? rc : 0;
}

/* what: NULL: all layers, or the one that is open. */
static int make_list(struct lister *ls, char *const *what, struct ovl_list *out)
{
	struct ovl_list *made = &ls->made;
	unsigned flags = ls->flags;
	int rc;

	rc = list(ls, what, ls->err);
	for (size_t i = 0; i < ls->n_unfinished; i++)
		layer_finish(ls->st, &ls->unfinished[i]);
	free(ls->unfinished);
	if (rc == 0)
		rc = attach_mounts(ls->st, made, ls->err);
	if (rc == 0)
		rc = find_parents(made, ls->err);
	flags &= ~(unsigned)(OVL_LIST_LAST_USE | OVL_LIST_PATHS); /* known already */
	for (size_t i = 0; flags && rc == 0 && i < made->n; i++)
		rc = complete(ls->st, flags, made, &made->layer[i], ls->err);
	if (rc < 0) {
		ovl_list_free(made);
		return rc;
	}
	end_texts(made);
	*out = *made;
	return 0;
}

int ovl_list(struct ovl_store *st, char *const *what, unsigned flags,
	struct ovl_list *out, struct ovl_err *err)
{
	struct lister ls = {.st = st, .flags = flags, .err = err};
	bool all = !what || !*what;
	bool brief = all && !(flags & ~(unsigned)OVL_LIST_LAST_USE);
	int rc = all ? layers_finish(st, err) : 0;

	if (rc == 0 && st->foreign && st->foreign->brief && !brief)
		rc = store_foreign_again(st, err);
	if (rc == 0 && st->foreign && all)
		layer_foreign_warn(st);
	return rc == 0 ? make_list(&ls, all ? NULL : what, out) : rc;
}

int ovl_show(struct ovl_store *st, const char *layer, struct ovl_list *out,
	struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	struct lister ls = {
		.st = st,
		.flags = OVL_LIST_SIZES | OVL_LIST_USES | OVL_LIST_LAST_USE,
		.only = &l,
		.err = err,
	};
	struct ovl_list list = {0};
	int rc = config_open_layer(st, layer, &l, err);

	if (rc == 0)
		rc = make_list(&ls, NULL, &list);
	if (rc == 0)
		rc = add_details(&l, layer, NULL, list.layer, err);
	if (rc < 0)
		ovl_list_free(&list);
	else
		*out = list;
	return rc;
}
