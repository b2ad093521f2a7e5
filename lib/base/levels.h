/*
 * The directories from the top of a tree down to the position of a walk. The walker keeps
 * a struct for each, with descriptors in it, which is made from the struct of its parent.
 *
 * In a deep tree only some of them stay open: the nearest ones, and ever fewer of those
 * farther up. A directory that was closed is opened again on demand, starting from the
 * nearest open one above it. That is no more work than the walk down was, and the number
 * of descriptors hardly grows with the depth.
 */
#ifndef OVL_LEVELS_H
#define OVL_LEVELS_H

#include <stddef.h>

struct level;

struct levels {
	size_t size; /* of the walker's struct */
	unsigned near; /* this many stay open, if there are descriptors; a power of 2 */
	/* Opens the directory name in the directory up. -1 with errno. */
	int (*open)(void *ctx, const void *up, const char *name, void *dir);
	/* Closes what open has opened and nothing else: dir may be opened again. */
	void (*close)(void *ctx, void *dir);
	void *ctx;
	/* private, except n, the number of levels */
	unsigned n;
	struct level **level;
};

/* Adds a level at the bottom, all zero and not open yet. The caller opens the first one.
 * NULL if out of memory. */
void *levels_push(struct levels *l, const char *name);
/* The struct of level i, open or not. */
void *levels_at(const struct levels *l, unsigned i);
/* The same, opened. NULL with errno. May close others, but not the level above. */
void *levels_open(struct levels *l, unsigned i);
/* Removes the last level. */
void levels_pop(struct levels *l);
/* Removes all levels. */
void levels_release(struct levels *l);

#endif
