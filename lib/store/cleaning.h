/*
 * What goes out of the tree of a writable layer that becomes an image layer: overlayfs's own
 * xattrs, and whiteouts that hide nothing. The commit lists it in W/.image before its step,
 * and it goes after that, so that W stays as it is if there is no step. Texts, each ended by
 * a 0 byte:
 *
 *	dPATH, TIME	in this directory of the tree, which keeps that time of change,
 *	xNAME, XATTR	an xattr goes, of a file, or without NAME of the directory;
 *	uNAME		a whiteout goes,
 *	wNAME		or becomes a device
 */
#ifndef OVL_CLEANING_H
#define OVL_CLEANING_H

#include "base/err.h"
#include "store/layer.h"

#define CLEANING_LIST "clean"

/* Does what is listed in the layer, as far as it was not done: 1, 0 there is no list. */
int cleaning_do(const struct layer *l, struct ovl_err *err);

#endif
