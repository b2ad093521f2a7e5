#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "layer.h"
#include "mounts.h"
#include "names.h"
#include "quote.h"
#include "store.h"
#include "trash.h"

/* A layer that is to go; open and exclusively locked once check_all has been there. */
struct item {
	struct layer_ref ref;
	struct layer layer;
};

/* All that is to go, sorted by id until it is known to go, then by depth. */
struct doomed {
	struct ovl_store *st;
	unsigned flags;
	struct item *item;
	size_t n;
	size_t size;
	struct ovl_err *err;
};

static int by_id(const void *a, const void *b)
{
	const struct layer_ref *x = &((const struct item *)a)->ref;
	const struct layer_ref *y = &((const struct item *)b)->ref;
	int order = strcmp(x->id.s, y->id.s);

	return order ? order : (int)x->drv - (int)y->drv;
}

/* Children before their parents. */
static int by_depth(const void *a, const void *b)
{
	unsigned x = ((const struct item *)a)->layer.meta.depth;
	unsigned y = ((const struct item *)b)->layer.meta.depth;

	return x > y ? -1 : x < y;
}

static bool listed(const struct doomed *d, const struct layer_ref *ref)
{
	struct item key = {.ref = *ref};

	return d->n && bsearch(&key, d->item, d->n, sizeof(key), by_id);
}

/* ---- what goes -------------------------------------------------------------------- */

static int append(struct doomed *d, const struct layer_ref *ref)
{
	if (d->n == d->size) {
		size_t size = d->size ? d->size * 2 : 16;
		struct item *more = realloc(d->item, size * sizeof(*more));

		if (!more)
			return err_nomem(d->err);
		d->item = more;
		d->size = size;
	}
	d->item[d->n].ref = *ref;
	d->item[d->n].layer.fd = -1;
	d->n++;
	return 0;
}

static int add_with_children(void *ctx, const struct layer_ref *ref)
{
	struct doomed *d = ctx;
	auto_layer l = LAYER_INIT;
	int rc = append(d, ref);

	if (rc == 0)
		rc = layer_open_to_remove(d->st, ref, 0, ref->id.s, &l, d->err);
	if (rc == 0)
		rc = layer_children(&l, add_with_children, d, d->err);
	return rc;
}

/* One that was named twice, or named and below another one, goes once. */
static void sort_out(struct doomed *d)
{
	size_t n = 0;

	if (d->n)
		qsort(d->item, d->n, sizeof(*d->item), by_id);
	for (size_t i = 0; i < d->n; i++) {
		if (!n || by_id(&d->item[n - 1], &d->item[i]) != 0)
			d->item[n++] = d->item[i];
	}
	d->n = n;
}

static int find_all(struct doomed *d, char *const *layers)
{
	for (; *layers; layers++) {
		struct layer_ref ref;
		int rc = layer_find(d->st, *layers, &ref, d->err);

		if (rc < 0 && d->err->status == OVL_NOLAYER && (d->flags & OVL_RM_FORCE))
			continue;
		if (rc == 0 && (d->flags & OVL_RM_RECURSIVE))
			rc = add_with_children(d, &ref);
		else if (rc == 0)
			rc = append(d, &ref);
		if (rc < 0)
			return rc;
	}
	sort_out(d);
	return 0;
}

/* ---- may it go? ------------------------------------------------------------------- */

struct children {
	struct doomed *d;
	struct buf names;
	unsigned n;
};

static int note_child(void *ctx, const struct layer_ref *child)
{
	struct children *c = ctx;
	char label[OVL_LABEL_SIZE];

	if (listed(c->d, child))
		return 0;
	c->n++;
	if (c->n <= 3)
		buf_addf(&c->names, "%s'%s'", c->n > 1 ? ", " : "",
			layer_label(c->d->st, child, label));
	else
		buf_addf(&c->names, ", ...");
	return c->n > 3;
}

static int check_children(struct doomed *d, const struct layer *l, const char *label)
{
	struct children c = {.d = d};
	int rc = layer_children(l, note_child, &c, d->err);

	if (rc >= 0 && c.n)
		rc = err_status(d->err, OVL_BUSY,
			"layer '%s' has layers on top of it: %s", label, c.names.data);
	buf_release(&c.names);
	return rc < 0 ? rc : 0;
}

/*
 * The kernel knows of an upper wherever it is mounted. Of a lower it does not tell, so
 * for an image layer the mounts of all namespaces that can be seen are looked through;
 * and for anything else that is mounted in the layer, which must not go with it.
 */
static int check_mounts(struct doomed *d, const struct item *it, const char *label,
	const struct mi_all *all)
{
	const struct layer *l = &it->layer;
	auto_buf where = {0};
	int rc = l->meta.kind == OVL_WRITABLE ? mounts_upper_busy(l, d->err) : 0;

	if (rc < 0 && rc != -EPERM)
		return rc;
	if (mounts_find(d->st, all, &it->ref, &where))
		return err_status(d->err, OVL_BUSY, "layer '%s' is mounted on %s", label,
			where.data);
	if (rc > 0)
		return err_status(d->err, OVL_BUSY,
			"layer '%s' is mounted, in a mount namespace that cannot be seen "
			"from here or detached and still in use",
			label);
	rc = mounts_below(l, all, &where);
	if (rc > 0)
		return err_status(d->err, OVL_BUSY,
			"something is mounted in the directory of layer '%s', on %s",
			label, where.data);
	return rc < 0 ? err_nomem(d->err) : 0;
}

static int lock_all(struct doomed *d)
{
	char label[OVL_LABEL_SIZE];
	int rc = 0;

	for (size_t i = 0; i < d->n && rc == 0; i++) {
		struct item *it = &d->item[i];

		rc = layer_open_to_remove(d->st, &it->ref, LOCK_EX,
			layer_label(d->st, &it->ref, label), &it->layer, d->err);
	}
	return rc;
}

/* The mounts are looked at once, when all layers are locked: then none can be added. */
static int check_all(struct doomed *d)
{
	char label[OVL_LABEL_SIZE];
	auto_mi all = {0};
	int rc = lock_all(d);

	if (rc == 0 && d->n)
		rc = mounts_everywhere(&all, d->err);
	for (size_t i = 0; i < d->n && rc == 0; i++) {
		struct item *it = &d->item[i];

		layer_label(d->st, &it->ref, label);
		rc = check_mounts(d, it, label, &all);
		if (rc == 0)
			rc = check_children(d, &it->layer, label);
	}
	if (rc == 0 && d->n)
		qsort(d->item, d->n, sizeof(*d->item), by_depth);
	return rc;
}

/* ---- going ------------------------------------------------------------------------ */

/* From here on nobody finds the layer. */
static int take_away(struct layer *l, struct trashed *t, struct ovl_err *err)
{
	struct layer gone = *l;
	int rc = names_drop_all(l, err);

	if (rc == 0)
		rc = trash_take(l, t, err);
	if (rc < 0)
		return rc;
	layer_drop_child(&gone);
	store_detail(gone.st, "layer %s removed", gone.id.s);
	return gone.drv->retract(gone.drv_fd, gone.meta.link, &gone.id, err);
}

static int take_all(struct doomed *d, struct trashed *t, size_t *taken)
{
	for (size_t i = 0; i < d->n; i++) {
		int rc = take_away(&d->item[i].layer, &t[i], d->err);

		*taken += t[i].fd >= 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int sync_dirs(struct doomed *d)
{
	if (d->st->cfg.sync != OVL_SYNC_ALL || !d->n)
		return 0;
	if (syncfs(d->item[0].layer.drv_fd) < 0)
		return err_sys(d->err, errno, "cannot sync the store");
	return 0;
}

static int remove_all(struct doomed *d)
{
	struct trashed *t = calloc(d->n + 1, sizeof(*t));
	size_t taken = 0;
	int rc;

	if (!t)
		return err_nomem(d->err);
	for (size_t i = 0; i < d->n; i++)
		t[i].fd = -1;
	rc = take_all(d, t, &taken);
	for (size_t i = 0; i < d->n; i++) {
		if (t[i].fd >= 0) {
			int emptied = trash_empty(&t[i], rc < 0 ? NULL : d->err);

			rc = rc < 0 ? rc : emptied;
		}
		trash_close(&t[i]);
	}
	free(t);
	return rc < 0 ? rc : sync_dirs(d);
}

int ovl_remove(
	struct ovl_store *st, char *const *layers, unsigned flags, struct ovl_err *err)
{
	struct doomed d = {.st = st, .flags = flags, .err = err};
	int rc = find_all(&d, layers);

	if (rc == 0)
		rc = check_all(&d);
	if (rc == 0)
		rc = remove_all(&d);
	for (size_t i = 0; i < d.n; i++)
		layer_close(&d.item[i].layer);
	free(d.item);
	return rc;
}
