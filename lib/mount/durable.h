/* SPDX-License-Identifier: ISC */
/*
 * Brings a writable layer to disk before programs write into it.
 *
 * create syncs nothing. ext4 and xfs write their log in order: a program that syncs a
 * file in a mounted layer also syncs everything done before, including the layer itself.
 * Others (btrfs, f2fs, bcachefs) keep a log for each synced inode: after a power cut the
 * file would exist, but not what create wrote, which says whose layer it is.
 */
#ifndef OVL_DURABLE_H
#define OVL_DURABLE_H

#include <stdbool.h>

#include "base/err.h"
#include "store/layer.h"

/*
 * For use before a mount with the layer as upper: syncs everything, once for each layer,
 * if its file system needs that. again: something was added to the layer for this mount.
 */
int durable_for_mount(const struct layer *l, bool again, struct ovl_err *err);

#endif
