/* SPDX-License-Identifier: ISC */
/* ovl_create: a new writable layer. */
#include <errno.h>

#include "store/driver.h"
#include "store/layer.h"
#include "store/names.h"
#include "store/ondir.h"
#include "stage/stage.h"
#include "store/store.h"
#include "stage/used.h"

/* What the new layer is built on; if both are unset, nothing. */
struct base {
	struct layer parent;
	struct ondir dir;
};

static int open_base(struct ovl_store *st, const struct ovl_create *req, struct base *b,
	struct ovl_err *err)
{
	int rc = 0;

	if (req->on)
		rc = ondir_choose(st, req->on, &b->dir, err);
	else if (req->parent)
		rc = layer_open_base(st, req->parent, OVL_WRITABLE, &b->parent, err);
	if (rc == 0 && b->parent.fd >= 0)
		used_now(&b->parent);
	return rc;
}

static int make(struct ovl_store *st, const struct ovl_create *req, struct base *b,
	struct ovl_id *id, struct ovl_err *err)
{
	const struct layer *parent = b->parent.fd < 0 ? NULL : &b->parent;
	struct ondir *on = b->dir.fd < 0 ? NULL : &b->dir;
	auto_stage sg = STAGE_INIT;
	int rc = stage_begin(st, parent ? parent->drv : st->drv, NULL, &sg, err);

	if (rc == 0)
		rc = stage_fill_empty(&sg, parent, on, meta_now(), err);
	if (rc == 0 && id_random(id) < 0)
		rc = err_sys(err, errno, "cannot make an id");
	if (rc == 0)
		rc = stage_commit(
			&sg, id, parent, req->name, st->cfg.sync == OVL_SYNC_ALL, err);
	if (rc >= 0 && on)
		ondir_wait(on);
	return rc < 0 ? rc : 0;
}

int ovl_create(struct ovl_store *st, const struct ovl_create *req, struct ovl_id *id,
	struct ovl_err *err)
{
	struct base b = {.parent = LAYER_INIT, .dir = ONDIR_INIT};
	int rc = req->name ? names_check(st, req->name, NULL, false, err) : 0;

	if (rc == 0)
		rc = open_base(st, req, &b, err);
	if (rc == 0)
		rc = make(st, req, &b, id, err);
	layer_close(&b.parent);
	ondir_close(&b.dir);
	return rc;
}
