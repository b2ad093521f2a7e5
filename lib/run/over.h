/*
 * The file system that a command of run --on finds: that of the host, with the view of a layer
 * on the directory that the layer is on.
 */
#ifndef OVL_OVER_H
#define OVL_OVER_H

#include <stddef.h>

#include "base/err.h"
#include "store/store.h"

/* What is mounted below the directory, which the view hides. */
struct over {
	struct over_mount {
		int tree; /* not in any place yet */
		char *where;
	} * mount;
	size_t n;
};

void over_release(struct over *o);
#define auto_over __attribute__((cleanup(over_release))) struct over

/* Before the view is mounted on dir: copies what is mounted below. */
int over_take(const char *dir, struct over *out, struct ovl_err *err);

/* After that: puts this into the view, read-only, hides the store, and enters the working
 * directory again, which else would be in the original. */
int over_enter(const struct ovl_store *st, const struct over *o, const char *cwd,
	struct ovl_err *err);

#endif
