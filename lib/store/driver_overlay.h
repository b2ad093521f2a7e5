/*
 * The overlay driver: one directory a layer, one lower. An image layer is the whole tree,
 * in which files that it shares with its parent are hard links to the parent's. The shape
 * of Docker's driver of that name.
 *
 *	<id>/root/	image layer: all of its tree, see graft.h
 *	<id>/lower-id	writable layer: 64 hex digits of the image layer below, no newline;
 *			absent where there is none
 *	<id>/upper/	writable layer: what was changed
 *	<id>/work/	writable layer: overlayfs's
 *	<id>/merged/	writable layer: default mount point
 */
#ifndef OVL_DRIVER_OVERLAY_H
#define OVL_DRIVER_OVERLAY_H

#include "store/driver.h"

extern const struct driver driver_overlay;

#endif
