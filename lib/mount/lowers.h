/*
 * Checks that each lower layer of a mount is the one that the store says: mount(2)
 * follows a short link wherever it leads.
 */
#ifndef OVL_LOWERS_H
#define OVL_LOWERS_H

#include "base/err.h"
#include "store/layer.h"

/* Opens the tree of the lower with that name, as driver.lowers gives it. Negative errno. */
int lowers_open(const struct layer *l, const char *name, struct ovl_err *err);

/* The layer's own link, if it is a lower of its mount (self), and the others unless they
 * were opened by lowers_open. */
int lowers_check(const struct layer *l, bool self, bool others, struct ovl_err *err);

#endif
