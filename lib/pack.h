/*
 * A layer's changes as a layer tar (OCI image-spec, layer.md): what was added or changed
 * with all that belongs to it, a whiteout .wh.NAME for what was deleted, and
 * .wh..wh..opq in a directory that hides what is below.
 *
 * Sorted by path and reproducible. Left out: sockets, overlayfs's own xattrs, marks that
 * hide nothing. The root directory is the entry "./".
 */
#ifndef OVL_PACK_H
#define OVL_PACK_H

#include <stdint.h>

#include "err.h"
#include "layer.h"
#include "tarout.h"

/* Writes the open layer's tar; the caller finishes t. */
int pack_layer(const struct layer *l, struct tarout *t, struct ovl_err *err);

/* The latest time that may be written, from $SOURCE_DATE_EPOCH: 1, or 0 if any may. */
int pack_latest(int64_t *latest, struct ovl_err *err);

#endif
