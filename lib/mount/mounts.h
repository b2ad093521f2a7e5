/*
 * The mounts of a store, from the kernel's tables (see mountinfo.h).
 *
 * A mount is identified by the options that overlay shows for it: upperdir=<id>/diff is
 * the mount of that writable layer; without such an upper, the first lowerdir=l/<short
 * id> is that of an image layer. So a mount that was made by hand, or before the store
 * was moved, is found too.
 *
 * Its source field, "ovlctl:<root>/<driver>/<id>", distinguishes copies of a store, whose
 * layers have the same ids: if <root> is another store now, the mount is not ours, unless
 * that store does not have the short id or the writable layer. A root too long for the
 * field in mount(2) is truncated at its beginning, "ovlctl:.../...".
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
	struct upper_work work; /* for unmounting it */
	int depth; /* by mounts_inside() */
	bool ended; /* this process has unmounted it; another may have its number */
};

struct mounts {
	struct mnt *mnt; /* in the order they were made */
	size_t n;
};

void mounts_release(struct mounts *m);
#define auto_mounts __attribute__((cleanup(mounts_release))) struct mounts

/* True if one of them has that number and that layer. */
bool mounts_has(const struct mounts *m, const struct mnt *mnt);

/* Adds a line; ref NULL: the layer is not known. -ENOMEM. */
int mounts_add(struct mounts *m, const struct mi_line *l, const struct layer_ref *ref);

/* The source field for a layer's mount, which the caller frees; NULL: ENOMEM. */
char *mounts_source(const struct layer *l);

/* Adds the mount point, quoted, and its namespace to where. */
void mounts_say(const struct mi_table *t, const struct mi_line *line, struct buf *where);

/* Reads this store's mounts in this mount namespace. */
int mounts_read(struct ovl_store *st, struct mounts *out, struct ovl_err *err);

/* How a layer occurs in a table. */
enum mounts_how {
	MOUNTS_NOT,
	MOUNTS_PART, /* another overlay uses it or its mount point as a lower */
	MOUNTS_OWN /* a mount of the layer */
};

/* Looks for a mount of the layer, or one that needs it, and adds a description to
 * where. */
enum mounts_how mounts_find(struct ovl_store *st, const struct mi_table *t,
	const struct layer_ref *ref, struct buf *where);

/* True if a mount in the table has that device number and is not a mount of the layer by
 * ovlctl. */
bool mounts_anothers(struct ovl_store *st, const struct mi_table *t,
	const struct layer_ref *ref, dev_t dev);

struct pathset;

/* Adds the ids of all layers that overlays in the table may use; with layer_letter(). 1 if
 * this store has one of these layers, or one that a mount of another store shows; 0 if not;
 * -ENOMEM. */
int mounts_shown(struct ovl_store *st, const struct mi_table *t, struct pathset *ids);

/* ---- mounts_in.c ---------------------------------------------------------------- */

/*
 * Looks for anything mounted on a file or directory of the layer, and for bind mounts of
 * these, wherever they are visible: 1 or 2 with a text that says where, 0 if none was
 * found.
 */
int mounts_below(const struct layer *l, const struct mi_all *all, struct buf *where);

/* Adds everything that may be the id of a layer for which mounts_below() finds something.
 * -ENOMEM. */
#define MOUNTS_PATH 'm' /* not a letter of a driver */
int mounts_paths(const struct mi_table *t, struct pathset *ids);

/* Finds all mounts, of any kind and at any depth, below the mount with that id in this
 * namespace, each after the one that it is on; their layers are not identified. -errno. */
int mounts_inside(int mnt_id, struct mounts *out);

#endif
