#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "fs.h"
#include "mounts.h"
#include "quote.h"
#include "store.h"
#include "volatile.h"

/* In the work directory: a directory, with a file in it. */
#define MARK_DIR  "work/incompat"
#define MARK_NAME "volatile"

static bool marked(const struct layer *l)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" MARK_DIR "/" MARK_NAME, l->drv->work);
	return fstatat(l->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int unmark(const struct layer *l, struct ovl_err *err)
{
	char path[64];
	auto_fd dir = -1;

	snprintf(path, sizeof(path), "%s/" MARK_DIR, l->drv->work);
	dir = fs_open_beneath(l->fd, path, O_RDONLY | O_DIRECTORY);
	if (dir < 0 || fs_rmtree(dir, MARK_NAME, NULL) < 0)
		return err_sys(err, errno,
			"cannot remove the volatile mark of layer %.12s", l->id.s);
	return 0;
}

int volatile_check(
	const struct layer *l, const char *what, bool force, struct ovl_err *err)
{
	if (!marked(l))
		return 0;
	if (force)
		return unmark(l, err);
	return err_say(err, EUCLEAN,
		"layer %s was last mounted volatile, and what was written was not synced when "
		"that mount ended: after a crash it may be incomplete; 'mount --force' takes it as "
		"it is",
		Q(what));
}

int volatile_settle(const struct layer *l, struct ovl_err *err)
{
	auto_fd tree = -1;

	/* Also where the kernel cannot be asked: the mark is the safe side. */
	if (!marked(l) || mounts_upper_busy(l, NULL) != 0)
		return 0;
	tree = layer_tree(l, err);
	if (tree < 0)
		return tree;
	if (syncfs(tree) < 0)
		return err_sys(err, errno, "cannot sync layer %.12s", l->id.s);
	return unmark(l, err);
}
