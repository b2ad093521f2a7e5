/* SPDX-License-Identifier: ISC */
/* Makes an empty writable layer. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/ondir.h"
#include "stage/stage.h"
#include "store/store.h"

/* The root directory of a mount is that of the upper, so it begins as a copy of the one
 * below. */
static int make_tree(struct stage *sg, const struct layer *parent, const struct ondir *on,
	struct ovl_err *err)
{
	const char *tree = sg->drv->tree[OVL_WRITABLE];
	auto_fd from = -1;
	auto_fd to = -1;

	if (mkdirat(sg->fd, tree, 0755) < 0)
		return err_sys(err, errno, "cannot make the layer's tree");
	if (parent) {
		from = layer_tree(parent, err);
		if (from < 0)
			return from;
	} else if (!on) {
		return 0;
	}
	to = fs_open_dir(sg->fd, tree);
	if (to < 0 || fs_copy_meta(parent ? from : on->fd, to, &sg->st->xattrs) < 0)
		return err_sys(err, errno, "cannot make the layer's tree");
	return 0;
}

int stage_fill_empty(struct stage *sg, const struct layer *parent, struct ondir *on,
	struct timespec created, struct ovl_err *err)
{
	struct seed seed = {.parent = parent, .link = sg->link, .writable = true};
	struct meta m = {.kind = OVL_WRITABLE, .on_dir = on, .created = created};
	int rc = make_tree(sg, parent, on, err);

	if (rc == 0)
		rc = driver_seed(sg->drv, sg->fd, &seed, err);
	if (rc == 0 && on)
		rc = ondir_note(sg->fd, on, err);
	if (rc < 0)
		return rc;
	driver_place(&m, parent, false);
	memcpy(m.link, sg->link, sizeof(m.link));
	return meta_write(sg->fd, &m, err);
}
