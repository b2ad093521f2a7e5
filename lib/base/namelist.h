/*
 * A list of names, each with a type such as the DT_* of readdir(3), in two allocations. A
 * struct that is all zero is an empty list.
 */
#ifndef OVL_NAMELIST_H
#define OVL_NAMELIST_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"

struct namelist {
	struct buf text; /* type, name and NUL of each */
	size_t *at; /* the offset of each in text */
	size_t n;
};

int namelist_add(struct namelist *l, unsigned char type, const char *name);

/* Adds the next block of d, or with all everything left in it. 1 if there may be more, 0
 * at the end, -1 with errno. */
int namelist_read(struct namelist *l, struct fs_dir *d, bool all);

/* Sorts by the bytes of the names; equal names stay in the order in which they were
 * added. */
void namelist_sort(struct namelist *l);

/* The first entry in a sorted list that consists of the n bytes of name (next is '\0'), or
 * begins with them and next; l->n if there is none. */
size_t namelist_find_part(
	const struct namelist *l, const char *name, size_t n, char next);

static inline size_t namelist_find(const struct namelist *l, const char *name)
{
	return namelist_find_part(l, name, strlen(name), '\0');
}

static inline const char *namelist_name(const struct namelist *l, size_t i)
{
	return l->text.data + l->at[i] + 1;
}

static inline unsigned char namelist_type(const struct namelist *l, size_t i)
{
	return (unsigned char)l->text.data[l->at[i]];
}

static inline void namelist_set_type(struct namelist *l, size_t i, unsigned char type)
{
	l->text.data[l->at[i]] = (char)type;
}

void namelist_clear(struct namelist *l);
void namelist_release(struct namelist *l);
#define auto_namelist __attribute__((cleanup(namelist_release))) struct namelist

#endif
