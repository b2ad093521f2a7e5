/*
 * The end of a commit, after the rename that decides it (becoming.h): moves the names,
 * puts the files of the image layer in place, and removes those that only the writable
 * layer needed. If the committing process was killed, the next process that opens the
 * image layer does this.
 */
#ifndef OVL_BECOMING_FINISH_H
#define OVL_BECOMING_FINISH_H

#include "store/layer.h"
#include "store/trash.h"

/*
 * Finishes the commit of writable layer was to the open and locked image layer. Every
 * part may have been done already, or be done by another process at the same time. It
 * writes no data and renames only what has been synced. The rename must be on disk
 * (becoming_sync), or a power cut could leave the names without the layer. wait: wait
 * for the lock of the names as configured; else OVL_BUSY if it is held. old: gets the
 * tree that the image layer does not have, for the caller to empty; NULL: it is left to
 * prune.
 */
int becoming_finish(const struct layer *image, const struct ovl_id *was, bool wait,
	struct trashed *old, struct ovl_err *err);
/* The part of it that concerns the layer's own files. */
int becoming_settle(const struct layer *image, struct ovl_err *err);
int becoming_sync(const struct layer *image, struct ovl_err *err);

/*
 * What is removed from the tree of a writable layer W that becomes an image layer:
 * overlayfs's own xattrs, and whiteouts that hide nothing. The commit lists it in
 * W/.image before the rename that decides and removes it afterwards, so W is unchanged if
 * the commit fails. The list consists of strings, each terminated by a NUL:
 *
 *	dPATH, TIME	the following is in this directory, which keeps its mtime TIME:
 *	xNAME, XATTR	remove an xattr of NAME, or of the directory if NAME is empty
 *	uNAME		remove a whiteout
 *	wNAME		replace a whiteout by a device: the next of those in W/.image. It
 *			is moved, as what is below must never be visible
 */
#define CLEANING_LIST     "clean"
#define CLEANING_WHITEOUT "whiteout-%zu"

#endif
