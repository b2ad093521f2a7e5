/*
 * The removal of one layer that is known, for who is inside: by no name, and of no other
 * layer, whatever else bears its id.
 */
#ifndef OVL_REMOVE_H
#define OVL_REMOVE_H

#include "err.h"
#include "layer.h"

/* flags as of ovl_remove. */
int remove_ref(struct ovl_store *st, const struct layer_ref *ref, unsigned flags,
	struct ovl_err *err);

#endif
