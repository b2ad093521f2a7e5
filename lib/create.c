/* SPDX-License-Identifier: ISC */
/* ovl_create: a new writable layer. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/names.h"
#include "stage/stage.h"
#include "store/store.h"
#include "stage/used.h"

int ovl_create(struct ovl_store *st, const char *parent, const char *name,
	struct ovl_id *id, struct ovl_err *err)
{
	auto_layer below = LAYER_INIT;
	auto_stage sg = STAGE_INIT;
	int rc = name ? names_check(st, name, NULL, false, err) : 0;

	if (rc == 0 && parent)
		rc = layer_open_base(st, parent, OVL_WRITABLE, &below, err);
	if (rc == 0 && parent)
		used_now(&below);
	if (rc == 0)
		rc = stage_begin(st, parent ? below.drv : st->drv, NULL, &sg, err);
	if (rc == 0)
		rc = stage_fill_empty(&sg, parent ? &below : NULL, meta_now(), err);
	if (rc == 0 && id_random(id) < 0)
		rc = err_sys(err, errno, "cannot make an id");
	if (rc == 0)
		rc = stage_commit(&sg, id, parent ? &below : NULL, name,
			st->cfg.sync == OVL_SYNC_ALL, err);
	return rc < 0 ? rc : 0;
}
