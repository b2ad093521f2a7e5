/*
 * A directory on the walk that finds changes, and the names in it; see changes.c.
 */
#ifndef OVL_FRAME_H
#define OVL_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "union/side.h"

/*
 * A directory on the walk.
 *
 *  me	   the layer's directory; with all, merged with the layers below
 *  base  the same directory in what the layer is compared with
 */
struct frame {
	struct side me;
	struct side base;
	struct view_index below; /* names of base, if many are looked up */
	bool all; /* names come from the merged directory, not only from the layer's
		   * own */
	bool cut; /* opaque: nothing of base is visible that me does not have */
	bool compare; /* compare files: those that are the same in both are not changes */
	bool live; /* the layer may be mounted: names may disappear while they are read */
};

void frame_close(struct frame *f);

/* A name in a directory. A subdirectory has two items: one for itself and, later in
 * the order of path bytes, one for its contents. */
struct item {
	char *name;
	bool dir;
	bool whiteout;
	bool gone; /* base has it and me does not */
	bool inside; /* the item for its contents, which borrows the name of the first */
};

struct items {
	struct item *item;
	size_t n;
};

void items_release(struct items *list);
#define auto_items __attribute__((cleanup(items_release))) struct items

/* The names of a directory, sorted by the bytes of the paths they stand for. -1 with
 * errno. */
int frame_items(const struct frame *f, struct items *out);

#endif
