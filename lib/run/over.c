/* SPDX-License-Identifier: ISC */
/* Makes the file system that a command of run --on sees; see over.h. */
#include <errno.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/quote.h"
#include "mount/mountinfo.h"
#include "run/inside.h"
#include "run/over.h"

/* The next mount below dir that is not below the last one, with which it is copied. NULL:
 * none. */
static const char *next(
	const struct mi_table *t, size_t *i, const char *dir, const char *last)
{
	while (*i < t->n) {
		const char *where = t->line[(*i)++].where;
		const char *rest = path_below(where, dir);

		if (rest && *rest && !(last && path_below(where, last)))
			return where;
	}
	return NULL;
}

int over_explain(const char *dir, int rc, struct ovl_err *err)
{
	auto_mi all = {0};
	size_t i = 0;
	const char *where = mi_self(&all) < 0 ? NULL : next(&all.table[0], &i, dir, NULL);

	return where ?
		err_say(err, -rc,
			"%s is another mount; an ordinary user cannot run a command "
			"over a directory with mounts below it",
			Q(where)) :
		rc;
}

static int show(const struct ovl_store *st, int old, const char *rest, const char *where,
	struct ovl_err *err)
{
	auto_fd tree = inside_tree(old, rest, false);

	/* Another mount hides it, or the caller may not reach it. */
	if (tree < 0 && (errno == ENOENT || errno == EACCES))
		return 0;
	if (tree < 0 ||
		move_mount(tree, "", AT_FDCWD, where, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(err, errno, "cannot bind %s", Q(where));
	store_detail(st, "%s is another mount, and read-only", Q(where));
	return 0;
}

static int show_all(
	const struct ovl_store *st, const char *dir, int old, struct ovl_err *err)
{
	auto_mi all = {0};
	const char *where = NULL;
	size_t i = 0;
	int rc = mi_self(&all);

	if (rc < 0)
		return err_sys(err, -rc, "cannot read the table of mounts");
	while (rc == 0 && (where = next(&all.table[0], &i, dir, where)))
		rc = show(st, old, path_below(where, dir) + 1, where, err);
	return rc;
}

int over_enter(const struct ovl_store *st, const char *dir, int old, const char *cwd,
	struct ovl_err *err)
{
	int rc = show_all(st, dir, old, err);

	if (rc == 0)
		rc = inside_hide(st, err);
	if (rc < 0)
		return rc;
	if (chdir(cwd) < 0)
		return err_sys(err, errno, "cannot enter the working directory %s again",
			Q(cwd));
	/* Some containers do not permit this. */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		store_detail(st, "'/proc' shows the processes of the host");
	return 0;
}
