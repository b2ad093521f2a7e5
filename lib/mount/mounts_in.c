/* SPDX-License-Identifier: ISC */
/* Finds what is mounted in a layer's directory or in another mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/pathset.h"
#include "base/vec.h"
#include "mount/mounts.h"
#include "store/driver.h"
#include "store/store.h"

/* The layer's directory: its path here, and its path in the mounted file system. */
struct place {
	struct buf text;
	char *path; /* NULL: not known */
	const char *dev;
};

/* 1 if it is mounted in the directory; 2 if it is a bind mount of the directory or of
 * something in it. */
static int is_below(
	const struct mi_table *t, const struct mi_line *line, const struct place *dir)
{
	const struct mi_line *parent = mi_by_id(t, line->parent);
	auto_free char *at = NULL;

	if (dir->path && strcmp(line->dev, dir->dev) == 0 &&
		path_below(line->root, dir->path))
		return 2;
	/* If the mount that contains one of them is not visible, compare paths. */
	if (!parent || !dir->path)
		return path_below(line->where, dir->text.data) != NULL;
	if (strcmp(parent->dev, dir->dev) == 0)
		at = mi_place(parent, line->where);
	return at && path_below(at, dir->path);
}

static int find_place(
	const struct layer *l, const struct mi_table *own, struct place *dir)
{
	const struct mi_line *on = mi_of_file(own, l->fd);

	buf_addf(&dir->text, "%s/%s/%s", strcmp(l->st->root, "/") == 0 ? "" : l->st->root,
		l->drv->name, l->id.s);
	if (dir->text.failed)
		return -ENOMEM;
	if (on) {
		dir->path = mi_place(on, dir->text.data);
		dir->dev = on->dev;
	}
	return 0;
}

int mounts_below(const struct layer *l, const struct mi_all *all, struct buf *where)
{
	struct place dir = {0};
	int found = find_place(l, &all->table[0], &dir);

	for (size_t i = 0; i < all->n && found == 0; i++) {
		const struct mi_table *t = &all->table[i];

		for (size_t k = 0; k < t->n && !found; k++) {
			found = is_below(t, &t->line[k], &dir);
			if (found)
				mounts_say(t, &t->line[k], where);
		}
	}
	free(dir.path);
	buf_release(&dir.text);
	return found;
}

/* A mount below a layer's directory has the layer's id in the path of its mount point, or
 * in the root of the mount that contains it. */
static int add_ids(const char *path, struct pathset *ids)
{
	int rc = 0;

	while (*path && rc == 0) {
		size_t n = strcspn(path, "/");

		if (n == ID_LEN)
			rc = pathset_add(ids, MOUNTS_PATH, path, n);
		path += n + (path[n] == '/');
	}
	return rc;
}

int mounts_paths(const struct mi_table *t, struct pathset *ids)
{
	int rc = 0;

	for (size_t i = 0; i < t->n && rc == 0; i++) {
		rc = add_ids(t->line[i].where, ids);
		if (rc == 0)
			rc = add_ids(t->line[i].root, ids);
	}
	return rc < 0 ? -ENOMEM : 0;
}

/* How many mounts it is below that mount; 0: it is not in it. */
static int depth_in(const struct mi_table *t, const struct mi_line *line, int mnt_id)
{
	for (int depth = 1; line && depth <= (int)t->n; depth++) {
		if (line->parent == mnt_id)
			return depth;
		line = mi_by_id(t, line->parent);
	}
	return 0;
}

static int by_depth(const void *a, const void *b)
{
	return ((const struct mnt *)a)->depth - ((const struct mnt *)b)->depth;
}

/* A mount that was moved into a later one comes before it in the table. */
int mounts_inside(int mnt_id, struct mounts *out)
{
	auto_mounts m = {0};
	auto_mi all = {0};
	int rc = mi_self(&all);

	for (size_t i = 0; rc == 0 && i < all.table[0].n; i++) {
		const struct mi_line *line = &all.table[0].line[i];
		int depth = depth_in(&all.table[0], line, mnt_id);

		rc = depth ? mounts_add(&m, line, NULL) : 0;
		if (rc == 0 && depth)
			m.mnt[m.n - 1].depth = depth;
	}
	if (rc < 0)
		return rc;
	VEC_SORT(m.mnt, m.n, by_depth);
	*out = steal(m);
	return 0;
}
