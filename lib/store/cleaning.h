/*
 * What is removed from the tree of a writable layer W that becomes an image layer:
 * overlayfs's own xattrs, and whiteouts that hide nothing. The commit lists it in
 * W/.image before the rename that decides and removes it afterwards, so W is unchanged if
 * the commit fails. The list consists of strings, each terminated by a NUL:
 *
 *	dPATH, TIME	the following is in this directory, which keeps its mtime TIME:
 *	xNAME, XATTR	remove an xattr of NAME, or of the directory if NAME is empty
 *	uNAME		remove a whiteout
 *	wNAME		replace a whiteout by a device
 */
#ifndef OVL_CLEANING_H
#define OVL_CLEANING_H

#include "base/err.h"
#include "store/layer.h"

#define CLEANING_LIST "clean"

/* Cleans the tree according to the layer's list, which may have been done already,
 * completely or in part. 1, 0 if there is no list, negative errno. */
int cleaning_do(const struct layer *l, struct ovl_err *err);

#endif
