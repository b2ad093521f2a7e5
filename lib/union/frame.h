/*
 * A directory on the walk of changes, and the names in it; see changes.c.
 */
#ifndef OVL_FRAME_H
#define OVL_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "union/side.h"

/*
 * A directory on the walk.
 *
 *   me	   the layer's directory; if all, with what it merges with
 *   base  what the base has of that path
 */
struct frame {
	struct side me;
	struct side base;
	struct view_index below; /* names of base, when many are asked for */
	bool all; /* names come from all of me, not from its first directory alone */
	bool cut; /* me does not merge with base: what me lacks is gone */
	bool compare; /* what is the same in both is no change */
	bool live; /* names may go while they are read */
};

void frame_close(struct frame *f);

/* A name in a frame. A directory has two: itself, and later, in the order of path bytes,
 * what is in it. */
struct item {
	char *name;
	bool dir;
	bool whiteout;
	bool gone; /* the base has it, me has not */
	bool inside; /* the directory's second turn; name is the first's */
};

struct items {
	struct item *item;
	size_t n;
};

void items_release(struct items *list);
#define auto_items __attribute__((cleanup(items_release))) struct items

/* The names of a frame, sorted by the bytes of the paths they stand for. -1 with errno. */
int frame_items(const struct frame *f, struct items *out);

#endif
