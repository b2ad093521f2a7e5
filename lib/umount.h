/* Unmounts by path, of any length, and clears what mounts leave in layers. */
#ifndef OVL_UMOUNT_H
#define OVL_UMOUNT_H

#include "mount/inuse.h"
#include "mount/mounts.h"

/* Detaches what is mounted there; does not follow symlinks. 0, negative errno. */
int umount_detach(const char *where);

/* Clears what a mount that is gone here has left in its layer, if that still exists. seen:
 * tables that were read after it had gone, or are to be read. */
int umount_clear(struct ovl_store *st, const struct mnt *m, struct inuse *seen,
	struct ovl_err *err);

#endif
