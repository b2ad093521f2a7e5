/* SPDX-License-Identifier: ISC */
/* The names in one directory of a layer, and in the layers below it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "union/diffdir.h"
#include "union/whiteout.h"

void diffdir_close(struct diffdir *f)
{
	merged_close(&f->me);
	merged_close(&f->base);
	view_index_release(&f->below);
}

/* The DT_* or DIFFDIR_* of a name in the upper directory. -1 with errno. */
static int kind_of(const struct diffdir *f, const char *name, unsigned char type)
{
	int dir = f->me.dir.fd[0];
	enum wh_dir marks = f->me.dir.marks[0];
	struct stat st;
	int hides;

	if (type != DT_CHR && type != DT_UNKNOWN &&
		!(type == DT_REG && marks == WH_OPAQUE_X))
		return type;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	hides = wh_is_whiteout(f->me.dir.xp, dir, name, &st, marks);
	if (hides)
		return hides < 0 ? -1 : DIFFDIR_WHITEOUT;
	return (int)IFTODT(st.st_mode);
}

/* The entries of the upper directory itself, with whiteouts. */
static int upper_names(const struct diffdir *f, struct namelist *out)
{
	auto_fsdir d = fs_dir_at(f->me.dir.fd[0], ".");
	unsigned char type;
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, &type)) > 0) {
		int kind = kind_of(f, name, type);

		if (kind < 0 && f->live && fs_is_gone(errno))
			continue;
		if (kind < 0 || namelist_add(out, (unsigned char)kind, name) < 0)
			return -1;
	}
	return r;
}

/* Adds the names that base has and me does not, whose names are sorted. */
static int add_gone(
	const struct diffdir *f, const struct namelist *me, struct namelist *out)
{
	auto_namelist base = {0};

	if (view_names(&f->base.dir, &base) < 0)
		return -1;
	for (size_t i = 0; i < base.n; i++) {
		const char *name = namelist_name(&base, i);

		if (namelist_find(me, name) == me->n &&
			namelist_add(out, DIFFDIR_GONE, name) < 0)
			return -1;
	}
	return 0;
}

static int add_inside(struct namelist *out, const char *name)
{
	auto_buf as = {0};

	buf_addf(&as, "%s/", name);
	errno = ENOMEM;
	return as.failed ? -1 : namelist_add(out, DIFFDIR_INSIDE, as.data);
}

int frame_names(const struct diffdir *f, struct namelist *out)
{
	auto_namelist me = {0};
	auto_namelist all = {0};

	if ((f->all ? view_names(&f->me.dir, &me) : upper_names(f, &me)) < 0)
		return -1;
	if (f->opaque)
		namelist_sort(&me);
	for (size_t i = 0; i < me.n; i++) {
		const char *name = namelist_name(&me, i);

		if (namelist_add(&all, namelist_type(&me, i), name) < 0 ||
			(namelist_type(&me, i) == DIFFDIR_DIR &&
				add_inside(&all, name) < 0))
			return -1;
	}
	if (f->opaque && add_gone(f, &me, &all) < 0)
		return -1;
	namelist_sort(&all);
	*out = steal(all);
	return 0;
}
