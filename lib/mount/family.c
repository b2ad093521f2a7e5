/* SPDX-License-Identifier: ISC */
/* Layers with all layers built on them, locked together or not at all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/pathset.h"
#include "base/vec.h"
#include "mount/family.h"
#include "mount/inuse.h"
#include "store/driver.h"
#include "store/lock.h"

static int by_id(const void *a, const void *b)
{
	const struct layer_ref *x = &((const struct family_member *)a)->ref;
	const struct layer_ref *y = &((const struct family_member *)b)->ref;
	int order = strcmp(x->id.s, y->id.s);

	return order ? order : (int)x->drv->number - (int)y->drv->number;
}

bool family_has(const struct family *f, const struct layer_ref *ref)
{
	struct family_member key = {.ref = *ref};

	return VEC_FIND(f->member, f->n, &key, by_id);
}

static int append(struct family *f, const struct layer_ref *ref, struct ovl_err *err)
{
	if (!VEC_ROOM(f->member, f->n))
		return err_nomem(err);
	f->member[f->n].ref = *ref;
	f->member[f->n].layer = LAYER_INIT;
	f->member[f->n].asked = NULL;
	f->n++;
	return 0;
}

struct adding {
	struct family *f;
	struct ovl_err *err;
};

/* Adds each layer once, since damaged ones may be each other's children. */
static int append_new(void *ctx, const struct layer_ref *ref)
{
	struct adding *a = ctx;
	char drv = layer_letter(ref);

	if (pathset_has(a->f->seen, drv, ref->id.s, ID_LEN))
		return 0;
	if (pathset_add(a->f->seen, drv, ref->id.s, ID_LEN) < 0)
		return err_nomem(a->err);
	return append(a->f, ref, a->err);
}

/* True if it was removed meanwhile and may be missing. Otherwise err says why it is
 * missing. */
static bool may_be_gone(const struct family *f, const struct family_member *m,
	const struct ovl_err *why, struct ovl_err *err)
{
	if (why->status == OVL_NOLAYER && (f->missing_ok || !m->asked))
		return true;
	*err = *why;
	return false;
}

static int append_with_children(
	struct adding *a, const struct layer_ref *ref, const char *asked)
{
	struct family *f = a->f;
	struct ovl_err why = {.status = OVL_FAILED};
	size_t i = f->n;
	int rc;

	if (!f->seen)
		f->seen = pathset_new();
	rc = f->seen ? append_new(a, ref) : err_nomem(a->err);
	if (i < f->n)
		f->member[i].asked = asked;
	for (; i < f->n && rc == 0; i++) {
		struct layer_ref of = f->member[i].ref;
		auto_layer l = LAYER_INIT;

		rc = layer_open_to_remove(f->st, &of, 0, of.id.s, &l, &why);
		if (rc == 0)
			rc = layer_children(&l, append_new, a, a->err);
		else
			rc = may_be_gone(f, &f->member[i], &why, a->err) ? 0 : rc;
	}
	return rc;
}

int family_add(struct family *f, const struct layer_ref *ref, const char *asked,
	bool children, struct ovl_err *err)
{
	struct adding a = {.f = f, .err = err};
	int rc;

	if (children)
		return append_with_children(&a, ref, asked);
	rc = append(f, ref, err);
	if (rc == 0)
		f->member[f->n - 1].asked = asked;
	return rc;
}

const char *family_label(
	const struct family *f, const struct family_member *m, char out[OVL_LABEL_SIZE])
{
	return m->asked && *m->asked ? m->asked : layer_label(f->st, &m->ref, out);
}

/* Removes duplicates: layers given twice, or given and on top of another one. */
static void remove_doubles(struct family *f)
{
	size_t n = 0;

	VEC_SORT(f->member, f->n, by_id);
	for (size_t i = 0; i < f->n; i++) {
		if (!n || by_id(&f->member[n - 1], &f->member[i]) != 0)
			f->member[n++] = f->member[i];
		else if (!f->member[n - 1].asked)
			f->member[n - 1].asked = f->member[i].asked;
	}
	f->n = n;
}

/* Checks under the locks, so that none can be mounted meanwhile. */
static int refuse_in_use(struct family *f, struct ovl_err *err)
{
	char label[OVL_LABEL_SIZE];
	auto_inuse own = {0};
	struct inuse *u = f->inuse ? f->inuse : &own;
	int rc = 0;

	for (size_t i = 0; i < f->n && rc == 0; i++)
		rc = inuse_refuse(u, &f->member[i].layer,
			family_label(f, &f->member[i], label), INUSE_TAKE, err);
	if (rc < 0)
		inuse_release(u); /* it may be asked again */
	else
		inuse_let_go(u);
	return rc;
}

static int lock_members(struct family *f, struct ovl_err *err)
{
	char label[OVL_LABEL_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct ovl_err why = {.status = OVL_FAILED};
		struct family_member *m = &f->member[i];
		int rc = layer_open_to_remove(f->st, &m->ref, LOCK_EX | LOCK_NB,
			family_label(f, m, label), &m->layer, &why);

		if (rc < 0 && !may_be_gone(f, m, &why, err))
			return rc;
		if (rc == 0 && i != n) {
			f->member[n] = *m;
			m->layer = LAYER_INIT;
		}
		n += rc == 0;
	}
	f->n = n;
	return 0;
}

struct locking {
	struct family *f;
	int (*fill)(struct family *f, void *ctx, struct ovl_err *err);
	void *ctx;
};

/* Locks all members, or none. */
static int try_lock(void *ctx, struct ovl_err *err)
{
	struct locking *l = ctx;
	int rc = l->fill(l->f, l->ctx, err);

	if (rc == 0) {
		remove_doubles(l->f);
		rc = lock_members(l->f, err);
	}
	if (rc == 0)
		rc = refuse_in_use(l->f, err);
	if (rc < 0)
		family_release(l->f);
	return rc;
}

int family_lock(struct family *f,
	int (*fill)(struct family *f, void *ctx, struct ovl_err *err), void *ctx,
	struct ovl_err *err)
{
	struct locking l = {f, fill, ctx};

	return lock_all(f->st, try_lock, &l, err);
}

void family_release(struct family *f)
{
	for (size_t i = 0; i < f->n; i++)
		layer_close(&f->member[i].layer);
	free(f->member);
	f->member = NULL;
	f->n = 0;
	pathset_free(f->seen);
	f->seen = NULL;
}
