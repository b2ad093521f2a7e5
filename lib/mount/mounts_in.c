/* SPDX-License-Identifier: ISC */
/* Finds what is mounted in a layer's directory or in another mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/pathset.h"
#include "mount/mounts.h"
#include "store/driver.h"
#include "store/store.h"

/* A file of a file system that may be mounted in many places. */
struct file {
	char *path; /* in that file system */
	const char *dev;
};

/* The file at path below mount m. */
static bool file_at(const struct mi_line *m, const char *path, struct file *out)
{
	const char *rest = mi_below(path, m->where);
	auto_buf b = {0};

	if (!rest)
		return false;
	buf_addf(&b, "%s%s", strcmp(m->root, "/") == 0 ? "" : m->root, rest);
	out->dev = m->dev;
	out->path = buf_steal(&b);
	return out->path;
}

/* 1 it is mounted in the directory; 2 it is a bind mount of it, or of something in it. */
static int is_below(const struct mi_table *t, const struct mi_line *line,
	const char *text, const struct file *dir)
{
	const struct mi_line *parent = mi_by_id(t, line->parent);
	struct file at;
	bool yes;

	if (dir->path && strcmp(line->dev, dir->dev) == 0 &&
		mi_below(line->root, dir->path))
		return 2;
	/* If the mount that one of them is on is not visible, compare paths. */
	if (!parent || !dir->path)
		return mi_below(line->where, text) != NULL;
	if (strcmp(parent->dev, dir->dev) != 0 || !file_at(parent, line->where, &at))
		return false;
	yes = mi_below(at.path, dir->path) != NULL;
	free(at.path);
	return yes;
}

/* The layer's directory. */
static int file_of_layer(const struct layer *l, const struct mi_table *own,
	struct buf *text, struct file *dir)
{
	const struct mi_line *on = NULL;
	struct statx sx;

	buf_addf(text, "%s/%s/%s", strcmp(l->st->root, "/") == 0 ? "" : l->st->root,
		l->drv->name, l->id.s);
	if (text->failed)
		return -ENOMEM;
	if (statx(l->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) == 0)
		on = mi_by_id(own, (int)sx.stx_mnt_id);
	if (on)
		file_at(on, text->data, dir);
	return 0;
}

int mounts_below(const struct layer *l, const struct mi_all *all, struct buf *where)
{
	struct file dir = {0};
	auto_buf text = {0};
	int found = file_of_layer(l, &all->table[0], &text, &dir);

	for (size_t i = 0; i < all->n && found == 0; i++) {
		const struct mi_table *t = &all->table[i];

		for (size_t k = 0; k < t->n && !found; k++) {
			found = is_below(t, &t->line[k], text.data, &dir);
			if (found)
				mounts_say(t, &t->line[k], where);
		}
	}
	free(dir.path);
	return found;
}

/* What is below a layer's directory has its id in the path of the mount point, or in the
 * root of the mount that it is on. */
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

/* If it was moved, a parent's line may come after that of what is mounted on it. */
static bool is_inside(const struct mi_table *t, const struct mi_line *line, int mnt_id)
{
	for (size_t i = 0; line && i < t->n; i++) {
		if (line->parent == mnt_id)
			return true;
		line = mi_by_id(t, line->parent);
	}
	return false;
}

int mounts_inside(int mnt_id, struct mounts *out)
{
	auto_mounts m = {0};
	auto_mi all = {0};
	int rc = mi_self(&all);

	for (size_t i = 0; rc == 0 && i < all.table[0].n; i++) {
		const struct mi_line *line = &all.table[0].line[i];

		if (is_inside(&all.table[0], line, mnt_id))
			rc = mounts_add(&m, line, NULL);
	}
	if (rc < 0)
		return rc;
	*out = steal(m);
	return 0;
}
