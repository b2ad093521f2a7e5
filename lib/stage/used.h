/* SPDX-License-Identifier: ISC */
/*
 * When a layer was last used: the modification time of .used, an empty file in it, by the
 * clock of the program that used it. To be used is to be mounted, exported, built on, or
 * found by an import or commit that would have made it.
 *
 * It is a help for clearing up: it takes no lock, is not synced, and where it cannot be
 * noted (a file system that is full, or cannot be written) nobody is told.
 */
#ifndef OVL_USED_H
#define OVL_USED_H

#include <stdint.h>

#include "store/layer.h"

/* The open layer is used now. */
void used_now(const struct layer *l);

/* When the layer was: created, if that is later or nothing else is known. */
int64_t used_last(struct ovl_store *st, const struct layer_ref *ref, int64_t created);

#endif
