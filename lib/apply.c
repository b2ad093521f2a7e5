/* SPDX-License-Identifier: ISC */
/* ovl_apply: applies the changes of a layer to the directory that it is on. */
#include <errno.h>
#include <sys/file.h>

#include "base/path.h"
#include "base/quote.h"
#include "content/carry.h"
#include "content/changes.h"
#include "mount/inuse.h"
#include "mount/volatile.h"
#include "store/layer.h"
#include "store/ondir.h"
#include "store/store.h"

struct applying {
	const struct ovl_apply *req;
	struct layer l;
	struct ondir on;
	struct namelist only;
	struct carry carry;
};

static int take_paths(struct applying *a, struct ovl_err *err)
{
	for (char *const *p = a->req->paths; p && *p; p++) {
		auto_buf clean = {0};
		int rc = path_clean(*p, UINT32_MAX, &clean, err);

		if (rc == 0 && namelist_add(&a->only, 0, clean.data) < 0)
			rc = err_nomem(err);
		if (rc < 0)
			return rc;
	}
	namelist_sort(&a->only);
	return 0;
}

static int open_layer(struct applying *a, struct ovl_store *st, struct ovl_err *err)
{
	const char *what = a->req->layer;
	auto_inuse inuse = {0};
	int rc = layer_open(st, what, a->req->list ? LOCK_SH : LOCK_EX, &a->l, err);

	if (rc == 0 && !a->l.meta.on_dir)
		rc = err_say(err, EINVAL,
			"layer %s is not on a directory; see 'ovlctl create --on'",
			Q(what));
	if (rc == 0 && !a->req->list)
		rc = inuse_refuse(&inuse, &a->l, what, INUSE_TAKE, err);
	if (rc == 0)
		rc = volatile_check(&a->l, what, false, err);
	if (rc == 0)
		rc = ondir_open(&a->l, &a->on, err);
	/* Another apply to the same directory could change files between the check and
	 * the changes of this one. */
	if (rc == 0 && !a->req->list && flock(a->on.fd, LOCK_EX | LOCK_NB) < 0 &&
		errno == EWOULDBLOCK)
		rc = err_status(err, OVL_BUSY,
			"%s is locked by another process, such as another apply",
			Q(a->on.path.data));
	return rc;
}

static int list_one(void *ctx, const struct change *c, struct ovl_err *err)
{
	const struct applying *a = ctx;

	return carry_wants(&a->carry, c->path) ?
		changes_tell(a->req->list, a->req->ctx, c->kind, c->path, err) :
		0;
}

static int apply(struct applying *a, struct ovl_store *st, struct ovl_err *err)
{
	int rc = take_paths(a, err);

	if (rc == 0)
		rc = open_layer(a, st, err);
	if (rc == 0)
		rc = carry_begin(&a->carry, err);
	if (rc == 0 && a->req->list)
		rc = changes_walk(&a->l, NULL, list_one, a, err);
	if (rc == 0)
		rc = carry_check(&a->carry, err);
	if (rc == 0)
		pack_warn(st, &a->carry.lost);
	if (rc < 0 || a->req->list)
		return rc;
	rc = carry_out(&a->carry, err);
	return rc == 0 ? store_sync(st, a->on.fd, err) : rc;
}

int ovl_apply(struct ovl_store *st, const struct ovl_apply *req, struct ovl_err *err)
{
	struct applying a = {.req = req, .l = LAYER_INIT, .on = ONDIR_INIT};
	char *const id[] = {a.l.meta.link, NULL};
	int rc;

	a.carry = (struct carry){.l = &a.l,
		.on = &a.on,
		.only = &a.only,
		.force = req->force,
		.tree = -1,
		.temp = -1};
	rc = apply(&a, st, err);
	carry_end(&a.carry);
	ondir_close(&a.on);
	layer_close(&a.l);
	if (rc == 0 && !a.only.n && !req->list)
		rc = ovl_remove(st, id, 0, err);
	namelist_release(&a.only);
	return rc;
}
