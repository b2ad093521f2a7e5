/*
 * A directory visited by the walk that finds changes, and its names; see changes.c.
 */
#ifndef OVL_DIFFDIR_H
#define OVL_DIFFDIR_H

#include <dirent.h>
#include <stdbool.h>

#include "base/namelist.h"
#include "union/merged.h"

/*
 * The directory.
 *
 *  me	   the layer's directory; with all, merged with the layers below
 *  base  the same directory in what the layer is compared with
 */
struct diffdir {
	struct merged me;
	struct merged base;
	struct view_index below; /* names of base, if many are looked up */
	bool all; /* list the names of the merged directory, not only those in the layer's
		   * own tree */
	bool opaque; /* nothing of base is visible that me does not have */
	bool compare; /* compare files: those that are the same in both are not changes */
	bool live; /* the layer may be mounted: names may disappear while they are read */
};

void diffdir_close(struct diffdir *f);

/*
 * The names of a directory, sorted by the bytes of their paths. A subdirectory is listed
 * twice: as itself and, with a '/' at the end, for its contents. -1 with errno.
 */
enum {
	DIFFDIR_DIR = DT_DIR,
	DIFFDIR_WHITEOUT = DT_WHT,
	DIFFDIR_GONE = 0x40, /* base has it and me does not */
	DIFFDIR_INSIDE /* the contents of a subdirectory */
};
int frame_names(const struct diffdir *f, struct namelist *out);

#endif
