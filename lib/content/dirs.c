/* SPDX-License-Identifier: ISC */
/* The directories of an unpacked tree: their times, and which of them hide lower ones. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "content/dirs.h"

#define ACL_BUDGET (8u << 20)
#define MAX_ABSENT 100000

static int by_name(const void *a, const void *b)
{
	const struct dir *x = a;
	const struct dir *y = b;

	if (x->up != y->up)
		return x->up < y->up ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* ---- making and finding ----------------------------------------------------------- */

static struct dir *find_dir(const struct dirs *d, const struct dir *up, const char *name)
{
	const struct dir key = {.up = (struct dir *)(uintptr_t)up, .name = name};
	struct dir *const *found = tfind(&key, &d->index, by_name);

	return found ? *found : NULL;
}

struct dir *dirs_find(const struct dirs *d, const struct dir *up, const char *name)
{
	struct dir *dir = find_dir(d, up, name);

	return dir && dir->flags & DIR_ABSENT ? NULL : dir;
}

/* Inserts a new directory among its siblings. */
static void attach(struct dir *dir, struct dir **at)
{
	dir->sibling = *at;
	dir->at = at;
	if (dir->sibling)
		dir->sibling->at = &dir->sibling;
	*at = dir;
}

static struct dir *add_dir(struct dirs *d, struct dir *up, const char *name)
{
	size_t len = strlen(name);
	struct dir *dir = calloc(1, sizeof(*dir) + len + 1);

	if (!dir)
		return NULL;
	memcpy(dir->text, name, len + 1);
	dir->name = dir->text;
	dir->up = up;
	if (!tsearch(dir, &d->index, by_name)) {
		free(dir);
		return NULL;
	}
	attach(dir, up ? &up->child : &d->root);
	return dir;
}

struct dir *dirs_get(struct dirs *d, struct dir *up, const char *name)
{
	struct dir *dir = find_dir(d, up, name);

	if (!dir)
		return add_dir(d, up, name);
	if (dir->flags & DIR_ABSENT) {
		dir->flags &= ~(unsigned)DIR_ABSENT;
		d->n_absent--;
	}
	return dir;
}

struct dir *dirs_get_path(struct dirs *d, const char *path)
{
	struct dir *dir = dirs_get(d, NULL, "");

	while (dir && *path) {
		size_t n = strcspn(path, "/");
		char *name = strndup(path, n);

		dir = name ? dirs_get(d, dir, name) : NULL;
		free(name);
		path += n + (path[n] == '/');
	}
	return dir;
}

/* ---- taking away ------------------------------------------------------------------ */

static void drop(struct dirs *d, struct dir *dir)
{
	tdelete(dir, &d->index, by_name);
	*dir->at = dir->sibling;
	if (dir->sibling)
		dir->sibling->at = dir->at;
	d->acl_bytes -= dir->acl_len;
	d->n_absent -= dir->flags & DIR_ABSENT ? 1 : 0;
	free(dir->acl);
	free(dir);
}

static void drop_children(struct dirs *d, struct dir *dir)
{
	struct dir *at = dir;

	while (at != dir || at->child) {
		struct dir *up = at->up;

		if (at->child) {
			at = at->child;
			continue;
		}
		drop(d, at);
		at = up;
	}
}

void dirs_release(struct dirs *d)
{
	if (d->root) {
		drop_children(d, d->root);
		drop(d, d->root);
	}
	memset(d, 0, sizeof(*d));
}

void dirs_forget(struct dirs *d, struct dir *dir)
{
	drop_children(d, dir);
	if (!(dir->flags & DIR_REPLACED)) {
		drop(d, dir);
		return;
	}
	dirs_set_acl(d, dir, NULL, 0);
	dir->flags = DIR_REPLACED | DIR_ABSENT;
	dir->foreign_group = false;
	d->n_absent++;
}

int dirs_hide(struct dirs *d, struct dir *up, const char *name)
{
	struct dir *dir = find_dir(d, up, name);

	if (!dir) {
		if (d->n_absent >= MAX_ABSENT)
			return fs_fail(E2BIG);
		dir = add_dir(d, up, name);
		if (!dir)
			return -1;
		dir->flags = DIR_ABSENT;
		d->n_absent++;
	}
	dir->flags |= DIR_REPLACED;
	return 0;
}

/* ----------------------------------------------------------------------------------- */

int dirs_set_acl(struct dirs *d, struct dir *dir, const void *value, size_t len)
{
	void *copy = NULL;

	if (d->acl_bytes - dir->acl_len + len > ACL_BUDGET)
		return fs_fail(E2BIG);
	if (len) {
		copy = malloc(len);
		if (!copy)
			return -1;
		memcpy(copy, value, len);
	}
	free(dir->acl);
	d->acl_bytes += len - dir->acl_len;
	dir->acl = copy;
	dir->acl_len = (unsigned)len;
	return 0;
}

static const struct dir *after(const struct dir *dir)
{
	if (dir->child)
		return dir->child;
	while (dir && !dir->sibling)
		dir = dir->up;
	return dir ? dir->sibling : NULL;
}

struct dir *dirs_next(const struct dirs *d, const struct dir *dir)
{
	dir = dir ? after(dir) : d->root;
	while (dir && dir->flags & DIR_ABSENT)
		dir = after(dir);
	return (struct dir *)(uintptr_t)dir;
}

void dirs_path(const struct dir *dir, struct buf *out)
{
	size_t len = 0;
	size_t at;

	for (const struct dir *p = dir; p->up; p = p->up)
		len += strlen(p->name) + (p->up->up ? 1 : 0);
	buf_clear(out);
	if (!buf_reserve(out, len + 1))
		return;
	out->data[len] = '\0';
	out->len = at = len;
	for (const struct dir *p = dir; p->up; p = p->up) {
		size_t n = strlen(p->name);

		at -= n;
		memcpy(out->data + at, p->name, n);
		if (p->up->up)
			out->data[--at] = '/';
	}
}
