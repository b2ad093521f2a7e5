/* SPDX-License-Identifier: ISC */
/* Checks the lower layers of a mount. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "mount/lowers.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/layer_foreign.h"
#include "store/store.h"

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

/* It is not in its place yet in an image layer whose commit is not finished. */
static int own_link(const struct layer *l, int fd, const struct ovl_id *id,
	const char *want, char own[SHORT_LEN + 1])
{
	auto_fd image = -1;
	struct ovl_err why;
	struct meta m;
	int r = driver_link_of(l->drv, fd, own);

	if (r < 0 || strcmp(own, want) == 0)
		return r;
	if (becoming_meta(fd, id->s, &m, &why) == 0 && becoming_unfinished(&m))
		image = fs_open_dir(fd, BECOMING_IMAGE);
	if (image >= 0 && driver_link_of(l->drv, image, own) == 0 &&
		strcmp(own, want) == 0)
		return 0;
	return driver_link_of(l->drv, fd, own);
}

/* The layer that a short link leads to must have the same short id. */
static int check_link(const struct layer *l, const char *name, struct ovl_id *id, int *fd,
	struct ovl_err *err)
{
	const char *link = strrchr(name, '/') + 1;
	char own[SHORT_LEN + 1];
	int r = driver_by_link(l->drv, l->drv_fd, link, id);

	if (r == 0)
		return missing(name, ENOENT, err);
	if (r == -EUCLEAN)
		return refuse(name, "does not lead to a layer", err);
	if (r < 0)
		return missing(name, -r, err);
	*fd = fs_open_dir(l->drv_fd, id->s);
	if (*fd < 0)
		return missing(name, errno, err);
	r = own_link(l, *fd, id, link, own);
	if (r < 0)
		return missing(name, -r, err);
	if (strcmp(own, link) != 0)
		return refuse(name, "leads to another layer", err);
	return 0;
}

/* "<id>/<tree>" */
static int open_named(
	const struct layer *l, const char *name, int *fd, struct ovl_err *err)
{
	char id[ID_LEN + 1] = "";

	if (strlen(name) > ID_LEN)
		memcpy(id, name, ID_LEN);
	*fd = id_is_full(id) ? fs_open_dir(l->drv_fd, id) : -1;
	return *fd < 0 ? missing(name, ENOENT, err) : 0;
}

int lowers_open(const struct layer *l, const char *name, struct ovl_err *err)
{
	auto_fd fd = -1;
	struct ovl_id id;
	int tree;
	int rc;

	if (l->foreign)
		return layer_foreign_tree(l, name, true, err);
	rc = l->drv->links ? check_link(l, name, &id, &fd, err) :
			     open_named(l, name, &fd, err);

	if (rc < 0)
		return rc;
	tree = openat(fd, l->drv->tree[OVL_IMAGE],
		O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree >= 0)
		return tree;
	return errno == ENOTDIR ? refuse(name, "has no directory for a tree", err) :
				  missing(name, errno, err);
}

static int check_lower(const struct layer *l, const char *name, struct ovl_err *err)
{
	auto_fd fd = lowers_open(l, name, err);

	return fd < 0 ? fd : 0;
}

int lowers_check(const struct layer *l, bool self, bool others, struct ovl_err *err)
{
	auto_stack lowers = {0};
	auto_buf own = {0};
	int rc = self ? driver_as_lower(l, &own, err) : 0;

	if (rc == 0 && self)
		rc = check_lower(l, own.data, err);
	if (rc == 0 && others)
		rc = driver_lowers(l, &lowers, err);
	for (unsigned i = 0; rc == 0 && i < lowers.n; i++)
		rc = check_lower(l, lowers.name[i], err);
	return rc;
}
