/* SPDX-License-Identifier: ISC */
/* The directory that a volatile mount leaves in the work directory. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "mount/upper.h"
#include "mount/volatile.h"
#include "store/driver.h"
#include "store/store.h"

/* A directory with a file in it. A forced mount moves it to a place where the kernel does
 * not look, and removes it after the mount has succeeded. */
#define KERNELS "work/incompat/volatile"
#define LIFTED  "volatile"

/* Its path in the layer, in one of these places. */
#define MARK(l, place) P("%s/%s", (l)->drv->work, place)

static bool marked(const struct layer *l)
{
	return fs_exists(l->fd, MARK(l, KERNELS)) > 0 ||
		fs_exists(l->fd, MARK(l, LIFTED)) > 0;
}

static int remove_at(const struct layer *l, const char *place)
{
	const char *path = MARK(l, place);
	const char *name = path_base(path);
	auto_fd dir = fs_open_beneath(
		l->fd, P("%.*s", (int)(name - path - 1), path), O_RDONLY | O_DIRECTORY);

	if (dir < 0)
		return errno == ENOENT ? 0 : -1;
	return fs_rmtree(dir, name, NULL);
}

void volatile_accept(const struct layer *l)
{
	remove_at(l, LIFTED);
}

int volatile_check(
	const struct layer *l, const char *what, bool force, struct ovl_err *err)
{
	if (force || !marked(l))
		return 0;
	return err_say(err, EUCLEAN,
		"layer %s was last mounted volatile, and what was written was not "
		"synced when that mount ended: after a crash it may be incomplete; "
		"'mount --force' mounts it as it is",
		Q(what));
}

int volatile_lift(const struct layer *l, struct ovl_err *err)
{
	const char *from = MARK(l, KERNELS);

	if (fs_exists(l->fd, from) == 0)
		return 0;
	if (remove_at(l, LIFTED) == 0 &&
		renameat(l->fd, from, l->fd, MARK(l, LIFTED)) == 0)
		return 0;
	return err_sys(
		err, errno, "cannot move the volatile mark of layer %.12s", l->id.s);
}

int volatile_clear(const struct layer *l, struct ovl_err *err)
{
	auto_fd tree = -1;

	/* Keep it if the kernel cannot be asked, which is safe. */
	if (!marked(l) || (!upper_is_idle(l) && upper_ask(l, NULL) != 0))
		return 0;
	tree = layer_tree(l, err);
	if (tree < 0)
		return tree;
	if (syncfs(tree) < 0)
		return err_sys(err, errno, "cannot sync layer %.12s", l->id.s);
	if (remove_at(l, KERNELS) < 0 || remove_at(l, LIFTED) < 0)
		return err_sys(err, errno,
			"cannot remove the volatile mark of layer %.12s", l->id.s);
	return 0;
}
