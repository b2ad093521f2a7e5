/*
 * The removal of one layer that is known, for who is inside: by no name, and of no other
 * layer, whatever else bears its id.
 */
#ifndef OVL_REMOVE_H
#define OVL_REMOVE_H

#include "base/err.h"
#include "store/layer.h"

struct inuse;

/* If nothing needs it: OVL_BUSY if it is in use, or has a name or children, was used later
 * than used_before, or is what a commit that was killed has made of a writable layer. seen: what is known of mounts. */
int remove_unneeded(struct ovl_store *st, const struct layer_ref *ref,
	int64_t used_before, struct inuse *seen, struct ovl_err *err);

#endif
