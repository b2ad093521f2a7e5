/*
 * What is mounted of a store, from the kernel (see mountinfo.h).
 *
 * A mount is known by the options that overlay shows for it: upperdir=<id>/diff is the
 * mount of that writable layer; without such an upper the first lowerdir=l/<short id> is
 * that of an image layer. So a mount that was made by hand, or before the store was
 * moved, is found too.
 *
 * Its source field, "ovlctl:<root>/<driver>/<id>", tells a copy of a store, whose layers
 * have the same ids: when <root> is another store now, the mount is not ours. A root so
 * long that mount(2) would not take the field is cut at its front, "ovlctl:.../...".
 */
#ifndef OVL_MOUNTS_H
#define OVL_MOUNTS_H

#include "buf.h"
#include "err.h"
#include "layer.h"
#include "mountinfo.h"
#include "ovl.h"
#include "rest.h"

struct mnt {
	int mnt_id; /* as statx(2) gives it */
	char *where; /* seen from this process's root */
	struct layer_ref layer;
	dev_t dev; /* of its superblock */
	struct rest_mark work; /* for who unmounts it */
};

struct mounts {
	struct mnt *mnt; /* in the order they were made */
	size_t n;
};

void mounts_release(struct mounts *m);
#define auto_mounts __attribute__((cleanup(mounts_release))) struct mounts

/* The source field for a layer's mount; the caller's to free, NULL: ENOMEM. */
char *mounts_source(const struct layer *l);

/* This store's mounts in this mount namespace. */
int mounts_read(struct ovl_store *st, struct mounts *out, struct ovl_err *err);

/* All that is mounted in any mount namespace whose processes can be seen. */
int mounts_everywhere(struct mi_all *out, struct ovl_err *err);

/* Looks for a mount of the layer: 1 and a text that says where, 0 none found. */
int mounts_find(struct ovl_store *st, const struct mi_all *all,
	const struct layer_ref *ref, struct buf *where);

/*
 * Looks for anything that is mounted on a file or directory of the layer, wherever that
 * is seen: 1 and a text that says where, 0 none found.
 */
int mounts_below(const struct layer *l, const struct mi_all *all, struct buf *where);

/*
 * Asks the kernel whether the writable layer is the upper of a live mount anywhere, also
 * one detached but in use: 1 it is, 0 it is not, -EPERM: may not ask (no text); another
 * errno: no answer. Changes the working directory for the moment.
 */
int mounts_upper_busy(const struct layer *l, struct ovl_err *err);

/* Whose mount is it? What a line's source and options say, see above. */
bool mounts_layer_of(struct ovl_store *st, const struct mi_table *t,
	const struct mi_line *line, struct layer_ref *ref);

#endif
