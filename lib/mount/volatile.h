/*
 * Mounts with "volatile" sync nothing. The kernel creates the directory
 * work/incompat/volatile in the work directory, and refuses the next mount while it
 * exists (overlayfs.rst, "Volatile mount"): after a crash the upper may be incomplete
 * without any sign of it.
 */
#ifndef OVL_VOLATILE_H
#define OVL_VOLATILE_H

#include <stdbool.h>

#include "base/err.h"
#include "store/layer.h"

/* Refuses a layer that has this directory, unless force is set. */
int volatile_check(
	const struct layer *l, const char *what, bool force, struct ovl_err *err);

/* Before a forced mount: moves the directory to a place where the kernel does not
 * look. */
int volatile_lift(const struct layer *l, struct ovl_err *err);
/* After a successful forced mount: removes it from there, unless the mount has created a
 * new one. */
void volatile_accept(const struct layer *l);

/* After an unmount: syncs the upper and removes the directory, if the layer is not in
 * use. */
int volatile_clear(const struct layer *l, struct ovl_err *err);

#endif
