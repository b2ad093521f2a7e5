/* SPDX-License-Identifier: ISC */
/* Opens the lower layers of a layer, for a mount or as a view. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/layer_foreign.h"
#include "store/lowers.h"
#include "store/ondir.h"
#include "store/stamp.h"
#include "store/store.h"
#include "union/view.h"

static int refuse(const char *name, const char *why, struct ovl_err *err)
{
	return err_say(
		err, EUCLEAN, "lower layer '%s' %s; see 'ovlctl check'", name, why);
}

static int missing(const char *name, int errnum, struct ovl_err *err)
{
	if (!fs_is_gone(errnum))
		return err_sys(err, errnum, "lower layer '%s'", name);
	return err_say(err, errnum, "lower layer '%s': %s; see 'ovlctl check'", name,
		strerror(errnum));
}

/* The short id that the layer's file has. In an image layer whose commit is not finished,
 * the file of the image layer is still in .image. */
static int link_of(const struct layer *l, const struct ovl_id *id, const char *link,
	char own[SHORT_LEN + 1])
{
	int r = driver_link_of(l->drv, l->drv_fd, id->s, own);
	auto_fd fd = -1;
	struct meta m;

	if (r < 0 || strcmp(own, link) == 0)
		return r;
	fd = fs_open_dir(l->drv_fd, id->s);
	if (fd < 0)
		return -errno;
	r = becoming_meta(fd, id->s, &m, NULL);
	if (r < 0)
		return fs_is_gone(-r) || r == -EUCLEAN ? 0 : r;
	return becoming_unfinished(&m) ? driver_link_of(l->drv, fd, BECOMING_IMAGE, own) :
					 0;
}

/* The layer that a short link leads to must have the same short id. */
static int follow_link(
	const struct layer *l, const char *name, struct ovl_id *id, struct ovl_err *err)
{
	const char *link = strrchr(name, '/') + 1;
	char own[SHORT_LEN + 1];
	int r = driver_by_link(l->drv, l->drv_fd, link, id);

	if (r == 0)
		return missing(name, ENOENT, err);
	if (r == -EUCLEAN)
		return refuse(name, "does not lead to a layer", err);
	if (r > 0)
		r = link_of(l, id, link, own);
	if (r < 0)
		return missing(name, -r, err);
	if (strcmp(own, link) == 0)
		return 0;
	return refuse(name,
		*own ? "leads to another layer" :
		       P("leads to layer %.12s, whose file 'link' is missing or damaged",
			       id->s),
		err);
}

/* "<id>/<tree>" */
static int split_name(const char *name, struct ovl_id *id, struct ovl_err *err)
{
	snprintf(id->s, sizeof(id->s), "%s", name);
	return id_is_full(id->s) ? 0 : missing(name, ENOENT, err);
}

int lowers_open(
	const struct layer *l, const char *name, bool nearest, struct ovl_err *err)
{
	struct ovl_id id;
	int tree;
	int rc;

	if (l->foreign)
		return layer_foreign_tree(l, name, true, err);
	rc = l->drv->links ? follow_link(l, name, &id, err) : split_name(name, &id, err);
	if (rc < 0)
		return rc;
	if (nearest && l->meta.has_parent && strcmp(id.s, l->meta.parent.s) != 0)
		return refuse(name, "is not the parent, but comes first", err);
	tree = fs_open_unmounted(
		l->drv_fd, P("%s/%s", id.s, l->drv->tree[OVL_IMAGE]), O_PATH);
	if (tree >= 0)
		return tree;
	if (errno == EXDEV)
		return layer_covered(l, &id, l->drv->tree[OVL_IMAGE], err);
	return errno == ENOTDIR || errno == ELOOP ?
		refuse(name, "has no directory for a tree", err) :
		missing(name, errno, err);
}

/* ---- as a view --------------------------------------------------------------------- */

static int no_marks(const struct layer *l, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot read the xattrs of the trees of layer %.12s",
		l->id.s);
}

static int push_lower(
	const struct layer *l, const char *name, struct view *v, struct ovl_err *err)
{
	auto_fd tree = l->foreign ? layer_foreign_tree(l, name, false, err) :
				    lowers_open(l, name, false, err);
	int fd = tree < 0 ? tree : openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (tree >= 0 && fd < 0)
		return err_sys(err, errno, "lower layer '%s'", name);
	if (fd < 0)
		return fd;
	return view_push(v, fd) < 0 ? no_marks(l, err) : 0;
}

static int push_dir(const struct layer *l, struct view *v, struct ovl_err *err)
{
	auto_ondir on = ONDIR_INIT;
	int rc = ondir_open(l, &on, err);

	if (rc < 0)
		return rc;
	return view_push(v, steal_fd(&on.fd)) < 0 ? no_marks(l, err) : 0;
}

int layer_view(
	const struct layer *l, bool with_self, struct view *out, struct ovl_err *err)
{
	auto_view v = {.xp = &l->st->xattrs};
	auto_stack lowers = {0};
	int rc;

	if (with_self) {
		int fd = layer_tree(l, err);

		if (fd < 0)
			return fd;
		if (view_push(&v, fd) < 0)
			return no_marks(l, err);
	}
	rc = privilege_check(l->st, err);
	if (rc == 0)
		rc = driver_lowers(l, &lowers, err);
	if (rc == 0 && l->meta.on_dir)
		rc = push_dir(l, &v, err);
	for (unsigned i = 0; rc == 0 && i < lowers.n; i++)
		rc = push_lower(l, lowers.name[i], &v, err);
	if (rc < 0)
		return rc;
	*out = steal(v);
	return 0;
}
