/*
 * What is mounted, from the kernel (/proc/PID/mountinfo), of the mounts that ovlctl
 * made. Their source field says so: "ovlctl:<root>/<driver>/<id>".
 */
#ifndef OVL_MOUNTS_H
#define OVL_MOUNTS_H

#include "buf.h"
#include "err.h"
#include "layer.h"
#include "ovl.h"

struct mnt {
	int mnt_id; /* as statx(2) gives it */
	char *where; /* seen from this process's root */
	struct layer_ref layer;
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

/*
 * Looks for a mount of the layer in any mount namespace whose processes can be seen:
 * 1 and a text that says where, 0 none found.
 */
int mounts_find(struct ovl_store *st, const struct layer_ref *ref, struct buf *where);

/*
 * Asks the kernel whether the writable layer is the upper of a live mount anywhere, also
 * one detached but in use: 1 it is, 0 it is not, -EPERM: may not ask (no text); another
 * errno: no answer. Changes the working directory for the moment.
 */
int mounts_upper_busy(const struct layer *l, struct ovl_err *err);

/* One field of mountinfo, its \ooo undone. In place. */
void mounts_unescape(char *s);

#endif
