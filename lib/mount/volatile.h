/*
 * Mounts with "volatile" sync nothing. The kernel leaves a mark in the work directory,
 * work/incompat/volatile, and refuses the next mount while it is there (overlayfs.rst,
 * "Volatile mount"): after a crash the upper may be incomplete without looking so.
 */
#ifndef OVL_VOLATILE_H
#define OVL_VOLATILE_H

#include <stdbool.h>

#include "base/err.h"
#include "store/layer.h"

/* Refuses a layer that has the mark, unless by force. */
int volatile_check(
	const struct layer *l, const char *what, bool force, struct ovl_err *err);

/* Before a mount by force: the layer keeps the mark where the kernel does not look. */
int volatile_lift(const struct layer *l, struct ovl_err *err);
/* After it, when it has succeeded: the mark is gone, unless the mount has left one. */
void volatile_accept(const struct layer *l);

/* After an unmount: syncs the upper and takes the mark away, if the layer is free. */
int volatile_settle(const struct layer *l, struct ovl_err *err);

#endif
