#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "path.h"

#define ACL_BUDGET (8u << 20)

static size_t hash(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return (size_t)(h ^ (h >> 32));
}

static void free_dir(struct dirs *d, struct dir *dir)
{
	d->acl_bytes -= dir->acl_len;
	d->n--;
	free(dir->acl);
	free(dir);
}

void dirs_release(struct dirs *d)
{
	for (size_t i = 0; i < d->n_buckets; i++) {
		while (d->bucket[i]) {
			struct dir *dir = d->bucket[i];

			d->bucket[i] = dir->next;
			free_dir(d, dir);
		}
	}
	free(d->bucket);
	memset(d, 0, sizeof(*d));
}

struct dir *dirs_find(const struct dirs *d, const char *path)
{
	struct dir *dir = d->n_buckets ? d->bucket[hash(path) & (d->n_buckets - 1)] :
					 NULL;

	while (dir && strcmp(dir->path, path) != 0)
		dir = dir->next;
	return dir;
}

static bool grow(struct dirs *d)
{
	size_t n = d->n_buckets ? d->n_buckets * 2 : 256;
	struct dir **bucket = calloc(n, sizeof(*bucket));

	if (!bucket)
		return false;
	for (size_t i = 0; i < d->n_buckets; i++) {
		while (d->bucket[i]) {
			struct dir *dir = d->bucket[i];
			size_t at = hash(dir->path) & (n - 1);

			d->bucket[i] = dir->next;
			dir->next = bucket[at];
			bucket[at] = dir;
		}
	}
	free(d->bucket);
	d->bucket = bucket;
	d->n_buckets = n;
	return true;
}

struct dir *dirs_get(struct dirs *d, const char *path)
{
	struct dir *dir = dirs_find(d, path);
	size_t len = strlen(path);
	size_t at;

	if (dir)
		return dir;
	if (d->n >= d->n_buckets && !grow(d))
		return NULL;
	dir = calloc(1, sizeof(*dir) + len + 1);
	if (!dir)
		return NULL;
	memcpy(dir->path, path, len + 1);
	at = hash(path) & (d->n_buckets - 1);
	dir->next = d->bucket[at];
	d->bucket[at] = dir;
	d->n++;
	return dir;
}

void dirs_forget(struct dirs *d, const char *path)
{
	for (size_t i = 0; i < d->n_buckets; i++) {
		struct dir **at = &d->bucket[i];

		while (*at) {
			struct dir *dir = *at;

			if (strcmp(dir->path, path) == 0 ||
				path_is_below(dir->path, path)) {
				*at = dir->next;
				free_dir(d, dir);
			} else {
				at = &dir->next;
			}
		}
	}
}

int dirs_set_acl(struct dirs *d, struct dir *dir, const void *value, size_t len)
{
	void *copy = NULL;

	if (d->acl_bytes - dir->acl_len + len > ACL_BUDGET) {
		errno = E2BIG;
		return -1;
	}
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

static int by_path(const void *a, const void *b)
{
	return path_order(
		(*(struct dir *const *)a)->path, (*(struct dir *const *)b)->path);
}

struct dir **dirs_sorted(const struct dirs *d)
{
	struct dir **list = calloc(d->n + 1, sizeof(struct dir *));
	size_t n = 0;

	if (!list)
		return NULL;
	for (size_t i = 0; i < d->n_buckets; i++) {
		for (struct dir *dir = d->bucket[i]; dir; dir = dir->next)
			list[n++] = dir;
	}
	qsort(list, n, sizeof(struct dir *), by_path);
	return list;
}
