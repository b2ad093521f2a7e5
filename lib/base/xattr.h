/*
 * Which extended attributes go into a layer and come out of it, and under what name.
 *
 * A mount gives meaning to one prefix (kernel overlayfs.rst): trusted.overlay., or with
 * userxattr user.overlay. A store is for one of the two (its stamp says which). An
 * attribute of an archive with the live prefix is kept escaped, as the kernel escapes
 * those of an overlay inside an overlay: P.overlay.X as P.overlay.overlay.X; on the way
 * out it is unescaped, and what is not escaped is overlayfs's own and stays behind.
 * The other prefix is an attribute like any other. The kernel unescapes in the same way,
 * since Linux 6.7 and only of the live prefix.
 *
 * overlayfs's own are origin, impure, uuid, opaque, redirect, metacopy, nlink, upper,
 * protattr and whiteout.
 *
 * What belongs to this machine, to its file system (XFS shows how it keeps ACLs as
 * trusted.SGI_ACL_*, and believes what is written there; btrfs.compression) or to another
 * operating system (com.apple.*) is no part of a layer: it does not come in, fs_listxattr
 * does not show it, so it is neither copied, compared nor packed.
 */
#ifndef OVL_XATTR_H
#define OVL_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct xattr_policy {
	bool user; /* the live prefix is user.overlay. */
};

#define XATTR_MAX_NAME  255
#define XATTR_MAX_VALUE 65536

#define XATTR_ACL_ACCESS  "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"

/* May a layer have an xattr of this name on disk? The one list of what belongs to it. */
bool xattr_is_of_layer(const char *name);
bool xattr_is_acl(const char *name);

/* Does the kernel let files of this type have it? (xattr(7), acl(5)) */
bool xattr_fits(const char *name, mode_t mode);

/* May root of a user namespace not set it? */
bool xattr_wants_root(const char *name);

/* The live prefix, with its last dot. */
const char *xattr_live_prefix(const struct xattr_policy *p);

/*
 * Archive name to the name on disk. True: keep it, out is the name; false: drop it.
 * A name that gets too long is kept as it is, for the kernel to refuse.
 */
bool xattr_in(
	const struct xattr_policy *p, const char *name, char out[XATTR_MAX_NAME + 16]);

/* Name on disk to archive name, the same way. */
bool xattr_out(
	const struct xattr_policy *p, const char *name, char out[XATTR_MAX_NAME + 16]);

/* For fs_copy_meta: what one layer's directory hands on to another layer's. ctx is the
 * struct xattr_policy. */
bool xattr_inherits(void *ctx, const char *name);

/*
 * SCHILY.xattr.* keywords come with '=' and '%' (GNU tar), or all but plain ASCII
 * (libarchive), as %XX; libarchive's reader leaves that in. Decodes in place.
 */
void xattr_decode_keyword(char *name);

#endif
