/* SPDX-License-Identifier: ISC */
/* Recognises the root of another program's store, and opens it so that reading leaves no
 * trace. See foreign/foreign.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "foreign/foreign.h"
#include "store/driver.h"
#include "store/stamp.h"
#include "store/store.h"

#define PLACE (O_PATH | O_DIRECTORY | O_CLOEXEC)

/*
 * Opens the directory through a private mount that nothing can be written through, not
 * even access times. Mounts made later below the original do not appear in it, as the
 * engine could not unmount them. -1: not permitted (it takes CAP_SYS_ADMIN), or before
 * Linux 5.12.
 */
static int open_quietly(int dir)
{
	struct mount_attr quiet = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME,
		.attr_clr = MOUNT_ATTR__ATIME,
		.propagation = MS_PRIVATE,
	};
	auto_fd tree = open_tree(
		dir, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &quiet, sizeof(quiet)) < 0)
		return -1;
	return steal_fd(&tree);
}

/* Is it the same directory? A file system mounted below the root is missing in the other
 * mount. */
static bool same_dir(int a, int b, const char *name)
{
	struct stat x;
	struct stat y;

	return fstatat(a, name, &x, AT_SYMLINK_NOFOLLOW) < 0 ||
		(fstatat(b, name, &y, AT_SYMLINK_NOFOLLOW) == 0 && fs_same(&x, &y));
}

static bool same_dirs(int a, int b, const struct foreign *t)
{
	bool same = !t->layers_dir || same_dir(a, b, t->layers_dir);

	for (size_t i = 0; i < t->n_records && same; i++)
		same = same_dir(a, b, t->record[i]);
	return same;
}

static int read_through(struct ovl_store *st, const struct foreign_engine *e, int root,
	bool noatime, bool brief, struct ovl_err *err)
{
	struct foreign *t;
	int rc = st->cfg.foreign->read(e, root, noatime, brief, &t, err);

	if (rc < 0)
		return err_prefix(err, rc, "the store %s of %s", Q(st->root), e->owner);
	foreign_free(st->foreign);
	st->foreign = t;
	return 0;
}

int store_foreign_again(struct ovl_store *st, struct ovl_err *err)
{
	const struct foreign *t = st->foreign;

	return read_through(st, t->engine, t->root, t->noatime, false, err);
}

static int read_table(struct ovl_store *st, const struct foreign_engine *e, bool brief,
	struct ovl_err *err)
{
	auto_fd quiet = open_quietly(st->fd);
	auto_fd root = fcntl(st->fd, F_DUPFD_CLOEXEC, 0);
	int rc = st->cfg.load ? st->cfg.load(err) : 0;

	if (rc == 0)
		rc = quiet < 0 ? read_through(st, e, root, false, brief, err) :
				 read_through(st, e, quiet, true, brief, err);
	if (rc == 0 && quiet >= 0 && !same_dirs(root, quiet, st->foreign)) {
		close_fdp(&quiet);
		rc = read_through(st, e, root, false, brief, err);
	}
	if (rc == 0)
		st->dir[DIR_DRIVER + st->drv->number] = steal_fd(
			quiet < 0 ? &root : &quiet);
	return rc;
}

static int open_it(struct ovl_store *st, int *root, const struct foreign_engine *e,
	enum ovl_access access, struct ovl_err *err)
{
	auto_buf path = {0};
	int rc;

	if (fs_path_of(*root, &path) < 0)
		return err_sys(err, errno, "cannot find the path of the store");
	if (access != OVL_READ && access != OVL_LIST)
		return err_status(err, OVL_USAGE,
			"%s is a store of %s, which ovlctl only reads; 'ovlctl import "
			"--from' takes layers over",
			Q(path.data), e->owner);
	st->fd = steal_fd(root);
	st->root = buf_steal(&path);
	st->drv_foreign = (struct driver){
		.number = DRIVER_FOREIGN, .name = e->name, .max_lowers = OVL_MAX_LOWERS};
	st->drv = st->only[0] = &st->drv_foreign;
	st->drivers = st->only;
	st->drv_chosen = false;
	rc = st->root ? read_table(st, e, access == OVL_LIST, err) : err_nomem(err);
	if (rc == 0)
		st->xattrs.user = st->foreign->user_xattrs;
	return rc < 0 ? rc : 1;
}

/* Opens the parent directory; -1 at the top. */
static int open_above(int dir)
{
	auto_fd up = openat(dir, "..", PLACE);
	struct stat a;
	struct stat b;

	if (up < 0 || fstat(dir, &a) < 0 || fstat(up, &b) < 0 || fs_same(&a, &b))
		return -1;
	return steal_fd(&up);
}

int store_foreign_inside(
	const struct ovl_foreign *how, int dir, const char *path, struct ovl_err *err)
{
	auto_fd at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	const char *other = at < 0 ? NULL : how->other(at);
	auto_buf root = {0};

	if (other)
		return err_status(err, OVL_USAGE, "%s %s", Q(path), other);
	while (at >= 0) {
		const struct foreign_engine *e;
		int up;

		if (how->recognise(at, &e) > 0 && fs_path_of(at, &root) == 0)
			return err_status(err, OVL_USAGE,
				"%s is in a store of %s, whose root is %s", Q(path),
				e->owner, Q(root.data));
		up = open_above(at);
		close_fdp(&at);
		at = up;
	}
	return 0;
}

/* Opens the path, or the nearest directory above it that exists. */
static int open_nearest(const char *path, bool *there)
{
	auto_free char *copy = strdup(path);
	int fd = copy ? open(copy, PLACE) : -1;

	*there = fd >= 0;
	while (fd < 0 && copy && errno == ENOENT) {
		char *slash = strrchr(copy, '/');

		if (!slash || slash == copy)
			return open(slash ? "/" : ".", PLACE);
		*slash = '\0';
		fd = open(copy, PLACE);
	}
	return fd;
}

int store_foreign_open(struct ovl_store *st, const char *path, enum ovl_access access,
	struct ovl_err *err)
{
	const struct foreign_engine *e;
	bool there = false;
	bool is_own = fs_exists(AT_FDCWD, P("%s/%s", path, STORE_STAMP)) > 0;
	auto_fd fd = st->cfg.foreign && !is_own ? open_nearest(path, &there) :
						  fs_fail(ENOENT);
	int r = there ? fs_exists(fd, STORE_STAMP) : 0;

	if (r > 0 || (fd < 0 && fs_is_gone(errno)))
		return 0;
	if (r == 0 && there)
		r = st->cfg.foreign->recognise(fd, &e);
	if (r < 0 || fd < 0)
		return err_sys(err, errno, "cannot open the store %s", Q(path));
	return r > 0 ? open_it(st, &fd, e, access, err) :
		       store_foreign_inside(st->cfg.foreign, fd, path, err);
}

const char *ovl_owner(const struct ovl_store *st)
{
	return st->foreign ? st->foreign->engine->owner : NULL;
}

const struct driver *store_driver(const struct ovl_store *st, const char *name)
{
	return driver_in(st->drivers, name);
}
