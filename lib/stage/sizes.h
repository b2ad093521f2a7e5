/*
 * The size of a layer with all layers below it, and how much of that its removal would
 * free.
 */
#ifndef OVL_SIZES_H
#define OVL_SIZES_H

#include <stdint.h>

#include "base/err.h"
#include "store/layer.h"

struct sizes {
	uint64_t stack; /* bytes of file data of the layer and all below it */
	uint64_t unique; /* of those, what only this layer needs */
};

/*
 * The sizes of an open layer, which itself takes own bytes. A layer below is needed by
 * this one only as long as no other layer is on top of it and it has no name; this
 * layer's own names do not count. The count ends at a missing layer.
 */
int sizes_of(const struct layer *l, uint64_t own, struct sizes *out, struct ovl_err *err);

#endif
