/*
 * Internal: removes one layer given by reference, never by name.
 */
#ifndef OVL_REMOVE_H
#define OVL_REMOVE_H

#include "base/err.h"
#include "store/layer.h"

struct inuse;

/* Removes it if nothing needs it: OVL_BUSY if it is in use, has a name or children,
 * was used after that time, or is an image layer that a killed commit has made
 * of a writable one. seen: mounts that were read already. */
int remove_unneeded(struct ovl_store *st, const struct layer_ref *ref,
	const struct timespec *used, struct inuse *seen, struct ovl_err *err);

#endif
