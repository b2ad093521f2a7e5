/*
 * The removal of one layer that is known, for who is inside: by no name, and of no other
 * layer, whatever else bears its id.
 */
#ifndef OVL_REMOVE_H
#define OVL_REMOVE_H

#include "err.h"
#include "layer.h"

struct inuse;

/* flags as of ovl_remove. seen: what is known of mounts; NULL: nothing. */
int remove_ref(struct ovl_store *st, const struct layer_ref *ref, unsigned flags,
	struct inuse *seen, struct ovl_err *err);

#endif
