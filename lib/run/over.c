/* SPDX-License-Identifier: ISC */
/* Makes the file system that a command of run --on finds; see over.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "base/vec.h"
#include "mount/mountinfo.h"
#include "run/inside.h"
#include "run/over.h"

void over_release(struct over *o)
{
	for (size_t i = 0; i < o->n; i++) {
		close_fdp(&o->mount[i].tree);
		free(o->mount[i].where);
	}
	free(o->mount);
}

static int take_one(const char *where, struct over *o, struct ovl_err *err)
{
	struct over_mount *m = VEC_ROOM(o->mount, o->n) ? &o->mount[o->n] : NULL;

	if (!m || !(m->where = strdup(where)))
		return err_nomem(err);
	o->n++;
	m->tree = inside_tree(where, false);
	/* One that another mount hides, or that the caller may not reach. */
	if (m->tree < 0 && errno != ENOENT && errno != EACCES)
		return err_sys(err, errno, "cannot bind %s", Q(where));
	return 0;
}

int over_take(const char *dir, struct over *out, struct ovl_err *err)
{
	auto_over o = {0};
	auto_mi all = {0};
	const char *last = NULL;
	int rc = mi_self(&all);

	if (rc < 0)
		return err_sys(err, -rc, "cannot read the table of mounts");
	for (size_t i = 0; i < all.table[0].n && rc == 0; i++) {
		const char *where = all.table[0].line[i].where;

		/* What is below another one is copied with it. */
		if (!mi_below(where, dir) || strcmp(where, dir) == 0 ||
			(last && mi_below(where, last)))
			continue;
		last = where;
		rc = take_one(where, &o, err);
	}
	if (rc == 0)
		*out = steal(o);
	return rc;
}

static int put_all(const struct ovl_store *st, const struct over *o, struct ovl_err *err)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct over_mount *m = &o->mount[i];

		if (m->tree < 0)
			continue;
		if (move_mount(m->tree, "", AT_FDCWD, m->where, MOVE_MOUNT_F_EMPTY_PATH) <
			0)
			return err_sys(err, errno, "cannot bind %s", Q(m->where));
		store_detail(st, "%s is another mount, and read-only", Q(m->where));
	}
	return 0;
}

int over_enter(const struct ovl_store *st, const struct over *o, const char *cwd,
	struct ovl_err *err)
{
	int rc = put_all(st, o, err);

	if (rc == 0)
		rc = inside_hide(st, err);
	if (rc < 0)
		return rc;
	if (chdir(cwd) < 0)
		return err_sys(err, errno, "cannot enter the working directory %s again",
			Q(cwd));
	/* In some containers this is not permitted. */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		store_detail(st, "'/proc' shows the processes of the host");
	return 0;
}
