/* SPDX-License-Identifier: ISC */
/*
 * What a writable layer is made of, on disk before programs write into it.
 *
 * create syncs nothing. ext4 and xfs write their log in order: a program that syncs a file
 * in a mounted layer syncs all that was done before, the layer itself among it. Others
 * (btrfs, f2fs, bcachefs) keep a log for each inode that is synced: after a power cut the
 * file is there, and what create wrote, all that says whose layer it is, is not.
 */
#ifndef OVL_DURABLE_H
#define OVL_DURABLE_H

#include <stdbool.h>

#include "base/err.h"
#include "store/layer.h"

/*
 * Before a mount with the layer as upper: once for each layer, where its file system needs
 * that, all is synced. again: something was added to the layer for this mount.
 */
int durable_for_mount(const struct layer *l, bool again, struct ovl_err *err);

#endif
