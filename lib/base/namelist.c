/* SPDX-License-Identifier: ISC */
/* Lists of names; see namelist.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/namelist.h"
#include "base/vec.h"

int namelist_add(struct namelist *l, unsigned char type, const char *name)
{
	size_t at = l->text.len;

	buf_add(&l->text, &type, 1);
	buf_add(&l->text, name, strlen(name) + 1);
	if (l->text.failed || !VEC_ROOM(l->at, l->n))
		return fs_fail(ENOMEM);
	l->at[l->n++] = at;
	return 0;
}

int namelist_read(struct namelist *l, struct fs_dir *d, bool all)
{
	unsigned char type;
	const char *name;
	int r;

	do {
		r = fs_dir_next(d, &name, &type);
		if (r > 0 && namelist_add(l, type, name) < 0)
			return -1;
	} while (r > 0 && (all || d->pos < d->len));
	return r;
}

static int by_name(const void *a, const void *b, void *text)
{
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;
	int order = strcmp((char *)text + x + 1, (char *)text + y + 1);

	return order ? order : x < y ? -1 : x > y;
}

void namelist_sort(struct namelist *l)
{
	if (l->n)
		qsort_r(l->at, l->n, sizeof(*l->at), by_name, l->text.data);
}

size_t namelist_find_part(const struct namelist *l, const char *name, size_t n, char next)
{
	size_t low = 0;
	size_t high = l->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const char *found = namelist_name(l, mid);
		int order = strncmp(found, name, n);

		if (order < 0 || (order == 0 && (unsigned char)found[n] < next))
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->n && strncmp(namelist_name(l, low), name, n) == 0 &&
			namelist_name(l, low)[n] == next ?
		low :
		l->n;
}

void namelist_clear(struct namelist *l)
{
	buf_clear(&l->text);
	l->n = 0;
}

void namelist_release(struct namelist *l)
{
	buf_release(&l->text);
	free(l->at);
	*l = (struct namelist){0};
}
