/*
 * Checks that each lower layer of a mount is the one that the store says: mount(2)
 * follows a short link wherever it leads.
 */
#ifndef OVL_LOWERS_H
#define OVL_LOWERS_H

#include "base/err.h"
#include "store/layer.h"

/* Every lower, and of a layer that is mounted read-only its own link (self). */
int lowers_check(const struct layer *l, bool self, struct ovl_err *err);

#endif
