/*
 * A layer as JSON: the same members, types and values wherever one is printed. The page
 * ovlctl-show(8) has the list.
 */
#ifndef LAYERJSON_H
#define LAYERJSON_H

#include <jansson.h>

#include "ovl.h"

/* All members; those that the list was not asked for, or that do not apply, are null. */
json_t *layer_json(const struct ovl_store *st, const struct ovl_layer *l);

#endif
