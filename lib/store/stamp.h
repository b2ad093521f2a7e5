/* SPDX-License-Identifier: ISC */
/*
 * The stamp: a file that makes a directory a store. It has the format, the kind of xattrs
 * and the driver of new layers; see ovlctl-store(5).
 *
 * A command that may create a store holds a shared lock on its root directory until it
 * closes the store. The last one to close it removes a store that never had a layer,
 * whoever created it: such a store has the file .stamp.new, which is made before the
 * stamp and removed after the first layer. Its size is the number of directories at the
 * end of the root's path that were created for the store and are removed with it.
 */
#ifndef OVL_STAMP_H
#define OVL_STAMP_H

#include "base/err.h"

struct ovl_store;

#define STORE_STAMP "stamp"
#define STORE_LOCK  "lock"
#define STORE_NEW   ".stamp.new"

/* Reads the stamp of st->fd, or creates one if st->make, under the lock of the root.
 * If there is no store yet, closes st->fd. */
int stamp_take(struct ovl_store *st, struct ovl_err *err);

/* Records st->made_dirs in a store that never had a layer or in an empty directory: 1; 0
 * if it is neither; negative errno. */
int stamp_note_new(struct ovl_store *st);

/*
 * Whether this process may read and set the overlayfs xattrs of a store's layers,
 * "trusted.overlay.*" if the stamp says trusted. The kernel shows those to CAP_SYS_ADMIN
 * of the initial user namespace only; for others they do not exist, and what they hide
 * would become visible.
 */

/*
 * Refuses a process that may not. For everything that reads a layer's tree, makes layers
 * or mounts them; not for reading a layer's own files (ls, show), unmounting or removing.
 */
int privilege_check(struct ovl_store *st, struct ovl_err *err);

/*
 * Refuses if files have other owners here than in the user namespace in which the store
 * was made. For everything that reads owners from a tree or sets them.
 */
int owners_check(const struct ovl_store *st, struct ovl_err *err);
/* The same for everything that leaves files in the store that its user could not read. */
int owner_check(const struct ovl_store *st, struct ovl_err *err);

#endif
