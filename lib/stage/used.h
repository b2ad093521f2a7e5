/* SPDX-License-Identifier: ISC */
/*
 * When a layer was last used: the modification time of the empty file .used, by the clock
 * of the program that used it. Uses are: mounting, exporting, building on it, or being
 * found by an import or commit that would have made it.
 *
 * It is a hint for cleaning up: it takes no lock and is not synced, and a failure to
 * record it (a full or read-only file system) is ignored.
 */
#ifndef OVL_USED_H
#define OVL_USED_H

#include <time.h>

#include "store/layer.h"

/* Records that the open layer is used now. */
void used_now(const struct layer *l);

/* When the layer whose directory is in dir was last used; created, if that is later or no
 * use is recorded. */
struct timespec used_last(int dir, const struct ovl_id *id, struct timespec created);

#endif
