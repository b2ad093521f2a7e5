/*
 * Whether this process may read and set the overlayfs xattrs of a store's layers,
 * "trusted.overlay.*" if the stamp says trusted. The kernel shows those to CAP_SYS_ADMIN
 * of the initial user namespace only; for others they do not exist, and what they hide
 * would become visible.
 */
#ifndef OVL_PRIVILEGE_H
#define OVL_PRIVILEGE_H

#include "base/err.h"
#include "ovl.h"

/*
 * Refuses if it may not. For everything that reads a layer's tree, makes layers or mounts
 * them; not for reading a layer's own files (ls, show), unmounting or removing.
 */
int privilege_check(struct ovl_store *st, struct ovl_err *err);

/* 1 if trusted.* of the open file or directory may be used, 0 if not, -1 if unknown. */
int privilege_trusted_xattrs(int fd);

#endif
