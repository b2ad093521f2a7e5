/*
 * The walker of changes: what a layer changes against the layers below it, or against
 * any other layer. All that lists or packs changes goes through it. What goes from a
 * writable layer, which may be mounted, while it is walked is passed over.
 *
 * Against its own parent only the upper tree is read, with one look per name at what is
 * below. A directory that was renamed with redirect_dir=on is walked with the lower
 * directory it leads to; whiteouts and opaque directories become deletions.
 *
 * Changes come sorted by the bytes of their path, so that "a" is followed by "a.b" and
 * that by "a/c".
 */
#ifndef OVL_CHANGES_H
#define OVL_CHANGES_H

#include "base/err.h"
#include "store/layer.h"
#include "union/view.h"

struct changes;

struct change {
	char kind; /* 'A', 'C', 'D' */
	/* What is below is not seen any more because of the opaque mark of a directory
	 * above. */
	bool by_opaque;
	/* A, C of a directory: hides something that is below. */
	bool opaque;
	/* C of a directory: nothing changed but in it. Against any base only. */
	bool only_inside;
	const char *path; /* without a leading '/'; empty: the root */
	size_t path_len;
	/* A, C: the file. Against any base: not given (-1). */
	int dirfd;
	const char *name;
};

typedef int (*change_fn)(
	void *ctx, struct changes *walk, const struct change *c, struct ovl_err *err);

/*
 * Calls fn for each change; what it returns other than 0 ends the walk and is returned.
 * base NULL: the layer's parent. Both layers are open and locked by the caller.
 */
int changes_walk(const struct layer *l, const struct layer *base, change_fn fn, void *ctx,
	struct ovl_err *err);

/*
 * Has the layer no tree of changes alone, which tells them? Then it is to be walked against
 * its parent as against any base.
 */
bool changes_compared(const struct layer *l);

/*
 * For fn, of a regular file of an upper mounted with metacopy=on that holds no data
 * itself: opens the lower file that does. -1 with errno.
 */
int changes_open_data(struct changes *walk, const struct change *c);

#endif
