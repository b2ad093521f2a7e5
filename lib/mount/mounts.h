/*
 * What is mounted of a store, from the kernel (see mountinfo.h).
 *
 * A mount is known by the options that overlay shows for it: upperdir=<id>/diff is the
 * mount of that writable layer; without such an upper the first lowerdir=l/<short id> is
 * that of an image layer. So a mount that was made by hand, or before the store was
 * moved, is found too.
 *
 * Its source field, "ovlctl:<root>/<driver>/<id>", tells a copy of a store, whose layers
 * have the same ids: when <root> is another store now, the mount is not ours, unless that
 * store has not the short id, or the writable layer. A root so long that mount(2) would not take the field is cut at its front, "ovlctl:.../...".
 */
#ifndef OVL_MOUNTS_H
#define OVL_MOUNTS_H

#include "base/buf.h"
#include "base/err.h"
#include "mount/mountinfo.h"
#include "mount/upper.h"
#include "ovl.h"
#include "store/layer.h"

struct mnt {
	int mnt_id; /* as statx(2) gives it */
	char *where; /* seen from this process's root */
	struct layer_ref layer;
	dev_t dev; /* of its superblock */
	struct upper_work work; /* for who unmounts it */
};

struct mounts {
	struct mnt *mnt; /* in the order they were made */
	size_t n;
};

void mounts_release(struct mounts *m);
#define auto_mounts __attribute__((cleanup(mounts_release))) struct mounts

/* The source field for a layer's mount; the caller's to free, NULL: ENOMEM. */
char *mounts_source(const struct layer *l);

/* Adds a line; NULL: of no layer that is known. -ENOMEM. */
int mounts_add(struct mounts *m, const struct mi_line *l, const struct layer_ref *ref);

/* Where it is mounted, quoted, and in which namespace. */
void mounts_say(const struct mi_table *t, const struct mi_line *line, struct buf *where);

/* This store's mounts in this mount namespace. */
int mounts_read(struct ovl_store *st, struct mounts *out, struct ovl_err *err);

/* What a table has of a layer. */
enum mounts_how {
	MOUNTS_NOT,
	MOUNTS_PART, /* another overlay has it as one of its lowers, or its mount point */
	MOUNTS_OWN /* a mount of the layer */
};

/* Looks for a mount of the layer, or one that needs it; where gets a text. */
enum mounts_how mounts_find(struct ovl_store *st, const struct mi_table *t,
	const struct layer_ref *ref, struct buf *where);

/* Has a mount in the table that device number, which is none that we made of the layer? */
bool mounts_anothers(struct ovl_store *st, const struct mi_table *t,
	const struct layer_ref *ref, dev_t dev);

/* ---- mounts_in.c ---------------------------------------------------------------- */

/*
 * Looks for anything that is mounted on a file or directory of the layer, wherever that
 * is seen: 1 and a text that says where, 0 none found.
 */
int mounts_below(const struct layer *l, const struct mi_all *all, struct buf *where);

/* What is mounted in the mount with that id, and in that, in this namespace, of whatever
 * kind; their layers are not known. -errno. */
int mounts_inside(int mnt_id, struct mounts *out);

#endif
