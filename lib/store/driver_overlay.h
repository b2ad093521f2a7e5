/*
 * The overlay driver: one directory for each layer, one lower. An image layer is a
 * complete tree, in which unchanged files are hard links to those of the parent. The
 * layout of Docker's driver of that name.
 *
 *	<id>/root/	image layer: its complete tree, see links.h
 *	<id>/lower-id	writable layer: 64 hex digits of the image layer below, without a
 *			newline; absent if there is none
 *	<id>/upper/	writable layer: its changes
 *	<id>/work/	writable layer: overlayfs's work directory
 *	<id>/merged/	writable layer: default mount point
 */
#ifndef OVL_DRIVER_OVERLAY_H
#define OVL_DRIVER_OVERLAY_H

#include "store/driver.h"

extern const struct driver driver_overlay;

#endif
