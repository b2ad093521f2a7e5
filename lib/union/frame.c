/* SPDX-License-Identifier: ISC */
/* The names in one directory of a layer, and in the layers below it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/vec.h"
#include "union/frame.h"
#include "union/whiteout.h"

void frame_close(struct frame *f)
{
	side_close(&f->me);
	side_close(&f->base);
	view_index_release(&f->below);
}

void items_release(struct items *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (!list->item[i].inside)
			free(list->item[i].name);
	}
	free(list->item);
}

static struct item *add(struct items *list, char *name)
{
	struct item *it;

	if (!VEC_ROOM(list->item, list->n))
		return NULL;
	it = &list->item[list->n++];
	memset(it, 0, sizeof(*it));
	it->name = name;
	return name ? it : NULL;
}

/* Like strcmp of the names, with a '/' after the name of a directory's second item. */
static int by_path_bytes(const void *pa, const void *pb)
{
	const struct item *a = pa;
	const struct item *b = pb;
	size_t i = 0;
	unsigned ca;
	unsigned cb;

	while (a->name[i] && a->name[i] == b->name[i])
		i++;
	ca = (unsigned char)a->name[i];
	cb = (unsigned char)b->name[i];
	if (!ca && a->inside)
		ca = '/';
	if (!cb && b->inside)
		cb = '/';
	if (ca != cb)
		return ca < cb ? -1 : 1;
	return a->inside - b->inside;
}

static int by_name(const void *pa, const void *pb)
{
	return strcmp(((const struct item *)pa)->name, ((const struct item *)pb)->name);
}

/* The entries of the upper directory itself, with whiteouts. */
static int collect_upper(const struct frame *f, struct items *list)
{
	auto_fsdir d = {.fd = -1};
	unsigned char type;
	const char *name;
	int r;

	if (fs_dir_open(&d, f->me.dir.fd[0], ".") < 0)
		return -1;
	while ((r = fs_dir_next(&d, &name, &type)) > 0) {
		struct item *it = add(list, strdup(name));
		struct stat st;
		int hides;

		if (!it)
			return -1;
		it->dir = type == DT_DIR;
		if (type != DT_CHR && type != DT_UNKNOWN &&
			!(type == DT_REG && f->me.dir.marks[0] == WH_OPAQUE_X))
			continue;
		hides = fstatat(f->me.dir.fd[0], name, &st, AT_SYMLINK_NOFOLLOW) < 0 ?
			-1 :
			wh_is_whiteout(f->me.dir.xp, f->me.dir.fd[0], name, &st,
				f->me.dir.marks[0]);
		if (hides < 0) {
			if (!f->live || !fs_is_gone(errno))
				return -1;
			free(it->name);
			list->n--;
			continue;
		}
		it->dir = S_ISDIR(st.st_mode);
		it->whiteout = hides;
	}
	return r;
}

/* The entries of a merged directory. Leaves out those that have disappeared meanwhile. */
static int collect_view(const struct view *v, bool gone, struct items *list)
{
	char **names = NULL;
	int rc = view_names(v, &names);

	for (char **p = names; p && *p; p++) {
		struct stat st;
		int r = rc < 0 ? 0 : view_stat(v, *p, &st, NULL);
		struct item *it = r > 0 ? add(list, *p) : NULL;

		if (!it) {
			free(*p);
			rc = r ? -1 : rc;
			continue;
		}
		it->dir = S_ISDIR(st.st_mode);
		it->gone = gone;
	}
	free(names);
	return rc;
}

/* Drops the base's names (from start on) that me has too. */
static void drop_known(struct items *list, size_t start)
{
	size_t n = start;

	if (start)
		qsort(list->item, start, sizeof(struct item), by_name);
	for (size_t i = start; i < list->n; i++) {
		struct item *it = &list->item[i];
		struct item *same = start ?
			bsearch(it, list->item, start, sizeof(struct item), by_name) :
			NULL;

		if (same && !same->whiteout)
			free(it->name);
		else if (same) {
			free(it->name);
			same->gone = true;
		} else {
			list->item[n++] = *it;
		}
	}
	list->n = n;
}

static int add_second_turns(struct items *list)
{
	size_t n = list->n;

	for (size_t i = 0; i < n; i++) {
		struct item *it;

		if (!list->item[i].dir || list->item[i].gone || list->item[i].whiteout)
			continue;
		it = add(list, list->item[i].name);
		if (!it)
			return -1;
		it->dir = true;
		it->inside = true;
	}
	return 0;
}

int frame_items(const struct frame *f, struct items *out)
{
	auto_items list = {0};
	size_t mine;

	if ((f->all ? collect_view(&f->me.dir, false, &list) : collect_upper(f, &list)) <
		0)
		return -1;
	mine = list.n;
	if (f->cut) {
		if (collect_view(&f->base.dir, true, &list) < 0)
			return -1;
		drop_known(&list, mine);
	}
	if (add_second_turns(&list) < 0)
		return -1;
	if (list.n)
		qsort(list.item, list.n, sizeof(struct item), by_path_bytes);
	*out = list;
	memset(&list, 0, sizeof(list));
	return 0;
}
