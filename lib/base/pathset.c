/* SPDX-License-Identifier: ISC */
/* A set of paths as 64-bit hashes. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/pathset.h"

/* Open addressing, at most half full; 0 is an empty slot. The hash is seeded, so that
 * whoever chooses the paths cannot make them collide. */
struct pathset {
	uint64_t seed;
	uint64_t *slot;
	size_t size; /* a power of two */
	size_t n;
};

struct pathset *pathset_new(void)
{
	struct pathset *s = calloc(1, sizeof(*s));

	if (s && getrandom(&s->seed, sizeof(s->seed), 0) < 0)
		free_p(&s);
	return s;
}

void pathset_free(struct pathset *s)
{
	if (s)
		free(s->slot);
	free(s);
}

static uint64_t hash(const struct pathset *s, char what, const char *path, size_t len)
{
	uint64_t h = XXH64(path, len, s->seed ^ (unsigned char)what);

	return h ? h : 1;
}

/* The slot that holds the hash, or the one to put it into. */
static uint64_t *slot_of(const struct pathset *s, uint64_t h)
{
	size_t i = h & (s->size - 1);

	while (s->slot[i] && s->slot[i] != h)
		i = (i + 1) & (s->size - 1);
	return &s->slot[i];
}

static int grow_slots(struct pathset *s)
{
	struct pathset more = {
		.seed = s->seed, .size = s->size ? s->size * 2 : 64, .n = s->n};

	more.slot = calloc(more.size, sizeof(*more.slot));
	if (!more.slot)
		return -1;
	for (size_t i = 0; i < s->size; i++) {
		if (s->slot[i])
			*slot_of(&more, s->slot[i]) = s->slot[i];
	}
	free(s->slot);
	*s = more;
	return 0;
}

int pathset_add(struct pathset *s, char what, const char *path, size_t len)
{
	uint64_t h = hash(s, what, path, len);
	uint64_t *at;

	if (s->n * 2 >= s->size && grow_slots(s) < 0)
		return -1;
	at = slot_of(s, h);
	s->n += *at == 0;
	*at = h;
	return 0;
}

bool pathset_has(const struct pathset *s, char what, const char *path, size_t len)
{
	return s->size && *slot_of(s, hash(s, what, path, len));
}
