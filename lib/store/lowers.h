/*
 * Opens lower layers, after checking that each is the one that the store has recorded. A
 * short link that leads elsewhere would have others mounted, and a commit leave out what
 * hides something only in the layer that is missing. layer_view() uses it, too.
 */
#ifndef OVL_LOWERS_H
#define OVL_LOWERS_H

#include "base/err.h"
#include "store/layer.h"

/* Opens the tree of the lower with that name, as driver_lowers() gives it; nearest: the
 * first, which must be the parent. Negative errno. */
int lowers_open(
	const struct layer *l, const char *name, bool nearest, struct ovl_err *err);

#endif
