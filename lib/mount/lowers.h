/*
 * Checks that each lower layer of a mount is the one that the store has recorded:
 * mount(2) follows a short link wherever it leads.
 */
#ifndef OVL_LOWERS_H
#define OVL_LOWERS_H

#include "base/err.h"
#include "store/layer.h"

/* Opens the tree of the lower with that name, as driver_lowers() gives it. Negative
 * errno. */
int lowers_open(const struct layer *l, const char *name, struct ovl_err *err);

#endif
