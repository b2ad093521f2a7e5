/* SPDX-License-Identifier: ISC */
/* Which directories of a walk are open; see levels.h. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/levels.h"
#include "base/vec.h"

struct level {
	char *name; /* after dir */
	bool open;
	max_align_t dir[];
};

/* True if level at stays open while the last one is i. The first two always do, because
 * the caller may have opened them by something other than their names. */
static bool stays_open(const struct levels *l, unsigned i, unsigned at)
{
	unsigned step = 1;

	while (step * l->near <= i - at)
		step *= 2;
	return at <= 1 || at % step == 0;
}

static void close_level(struct levels *l, unsigned i)
{
	if (l->level[i]->open)
		l->close(l->ctx, l->level[i]->dir);
	l->level[i]->open = false;
}

void *levels_push(struct levels *l, const char *name)
{
	size_t n = strlen(name) + 1;
	struct level *v = calloc(1, sizeof(*v) + l->size + n);

	if (!v || !VEC_ROOM(l->level, l->n)) {
		free(v);
		errno = ENOMEM;
		return NULL;
	}
	v->name = (char *)v->dir + l->size;
	memcpy(v->name, name, n);
	v->open = l->n == 0;
	l->level[l->n++] = v;
	/* Only levels at these distances may still be open. */
	for (size_t far = l->near; far + 1 < l->n; far *= 2) {
		unsigned at = l->n - 1 - (unsigned)far;

		if (!stays_open(l, l->n - 1, at))
			close_level(l, at);
	}
	return v->dir;
}

void *levels_at(const struct levels *l, unsigned i)
{
	return l->level[i]->dir;
}

/* If there are no more descriptors, keeps fewer levels open from now on. */
static int open_level(struct levels *l, unsigned i)
{
	struct level *v = l->level[i];

	while (l->open(l->ctx, l->level[i - 1]->dir, v->name, v->dir) < 0) {
		int why = errno;

		if ((why != EMFILE && why != ENFILE) || l->near == 1)
			return -1;
		l->near /= 2;
		for (unsigned at = 0; at + 1 < i; at++) {
			if (!stays_open(l, i, at))
				close_level(l, at);
		}
	}
	v->open = true;
	return 0;
}

void *levels_open(struct levels *l, unsigned i)
{
	unsigned at = i;

	while (!l->level[at]->open)
		at--;
	for (; at < i; at++) {
		if (open_level(l, at + 1) < 0)
			return NULL;
		if (!stays_open(l, i, at))
			close_level(l, at);
	}
	return l->level[i]->dir;
}

void levels_pop(struct levels *l)
{
	close_level(l, l->n - 1);
	free(l->level[--l->n]);
}

void levels_release(struct levels *l)
{
	int why = errno;

	while (l->n)
		levels_pop(l);
	free(l->level);
	l->level = NULL;
	errno = why;
}
