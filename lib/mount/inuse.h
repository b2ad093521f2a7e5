/*
 * Finds out whether a layer is in use, where, and by whom, for all commands.
 *
 *	source of information			what it shows
 *	mounts of this namespace		mounts of the layer, overlays that have it
 *						as any of their lowers, or its merged/
 *	notes, see mountnote.h			mounts that ovlctl made, anywhere, detached
 *						or not
 *	the kernel, see upper.h			of a writable layer: any mount, anywhere
 *	mounts of other namespaces		those that namespaces.h finds; only to take
 *						a layer away, or to say where it is mounted
 *
 * If the kernel can be asked neither about the upper nor about a note, the layer counts
 * as in use. An overlay that was mounted by hand over an image layer and then detached
 * cannot be found at all.
 */
#ifndef OVL_INUSE_H
#define OVL_INUSE_H

#include "base/err.h"
#include "mount/mountinfo.h"
#include "store/layer.h"

/* Which tables of other namespaces were read: those where a layer could be in use, or
 * all. */
enum inuse_others { INUSE_OTHERS = 1, INUSE_ALL_OTHERS };

/* Mount tables, read once for all layers of a command; initialise with {0}. */
struct inuse {
	struct mi_all seen;
	enum inuse_others others; /* 0: none were read yet */
	unsigned pauses; /* so often it was waited for the end of a namespace */
	struct pathset *shown; /* ids of layers in the tables, by mounts_shown() and
				* mounts_paths() */
};

void inuse_release(struct inuse *u);
/* To be called before anything that takes long: forgets the tables if the roots of other
 * namespaces are open, since a layer mounted there as a root, by run, would stay in use. */
void inuse_let_go(struct inuse *u);
#define auto_inuse __attribute__((cleanup(inuse_release))) struct inuse

/*
 * Locks the mounts of the layer: mounting and clearing the traces of an unmount exclude
 * each other. The lock is held by the descriptor.
 */
int inuse_lock(const struct layer *l, const char *what, struct ovl_err *err);

enum inuse_for {
	INUSE_MOUNT, /* to mount a writable layer, with its mounts locked */
	INUSE_TAKE, /* to move, change or remove it, with the layer locked exclusively, or
		     * to plan that; or to remove its mount point, with its mounts
		     * locked */
	INUSE_UMOUNT /* to say where it is mounted, because it is not mounted here */
};

/*
 * Refuses a layer that is in use: OVL_BUSY and where; what is its name in messages.
 * -EPERM without a text for INUSE_MOUNT if this process may not ask the kernel, and so
 * may not mount either.
 */
int inuse_refuse(struct inuse *u, const struct layer *l, const char *what,
	enum inuse_for why, struct ovl_err *err);

#endif
