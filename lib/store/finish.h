/*
 * The end of a commit, after the step by which it was done (becoming.h): names follow, the
 * files of the image layer take their places, and what only the writable one needed goes.
 * Whoever opens the image layer next does it, if the process that made it has not.
 */
#ifndef OVL_FINISH_H
#define OVL_FINISH_H

#include "store/layer.h"
#include "store/trash.h"

/*
 * Finishes the commit of writable layer was to the open image layer, which is locked in
 * any way. Every part may have been done before, or be done by another at the same time.
 * No data are written, and renamed is only what was synced before. The step itself must be
 * on disk (finish_sync_step), or a power cut could show the names without the layer.
 * wait: for the lock of the names, as was asked for; if not, and another has it, OVL_BUSY.
 * old: gets the tree that the image layer has no more, for the caller to empty; NULL: it
 * is left to prune.
 */
int finish_commit(const struct layer *image, const struct ovl_id *was, bool wait,
	struct trashed *old, struct ovl_err *err);
int finish_sync_step(const struct layer *image, struct ovl_err *err);

#endif
