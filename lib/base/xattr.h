/*
 * Which extended attributes are part of a layer, and their names on disk and in an
 * archive.
 *
 * A mount gives meaning to one prefix (kernel overlayfs.rst): trusted.overlay., or
 * user.overlay. with userxattr. A store is made for one of the two; its stamp says which.
 * An attribute of an archive with the live prefix is stored escaped, as the kernel
 * escapes those of an overlay inside an overlay: P.overlay.X as P.overlay.overlay.X. On
 * export it is unescaped; one that is not escaped is overlayfs's own and is left out. The
 * other prefix is not special. The kernel unescapes in the same way, since Linux 6.7 and
 * only for the live prefix.
 *
 * overlayfs's own are origin, impure, uuid, opaque, redirect, metacopy, nlink, upper,
 * protattr and whiteout.
 *
 * Attributes of this machine, of its file system (btrfs.compression; XFS shows its own
 * form of ACLs as trusted.SGI_ACL_*, and accepts what is written there) or of another
 * operating system (com.apple.*) are not part of a layer: import drops them, and
 * fs_listxattr does not list them, so they are not copied, compared or packed.
 */
#ifndef OVL_XATTR_H
#define OVL_XATTR_H

#include <stdbool.h>
#include <sys/types.h>

struct xattr_policy {
	bool user; /* the live prefix is user.overlay. */
	bool bare; /* xattr_out drops all names with that prefix, escaped or not */
};

#define XATTR_MAX_NAME  255
#define XATTR_MAX_VALUE 65536

#define XATTR_ACL_ACCESS  "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"

/* True if a layer may have an xattr of this name on disk. The only list of such names. */
bool xattr_is_of_layer(const char *name);
bool xattr_is_acl(const char *name);

/* True if the kernel allows it on files of this type (xattr(7), acl(5)). */
bool xattr_fits(const char *name, mode_t mode);

/* True if only root may set it, not root of a user namespace. */
bool xattr_wants_root(const char *name);

/* The live prefix, with its last dot. */
const char *xattr_live_prefix(const struct xattr_policy *p);

/*
 * Archive name to name on disk. True: keep it, out is the name; false: drop it. A name
 * that gets too long is kept unchanged, for the kernel to refuse.
 */
bool xattr_in(
	const struct xattr_policy *p, const char *name, char out[XATTR_MAX_NAME + 16]);

/* Name on disk to archive name, the same way. */
bool xattr_out(
	const struct xattr_policy *p, const char *name, char out[XATTR_MAX_NAME + 16]);

/* True for the xattrs that a file passes on to its copy in another layer. policy is a
 * struct xattr_policy; it is not typed so that fs_keep_xattrs() can call this. */
bool xattr_inherits(const void *policy, const char *name);

/*
 * SCHILY.xattr.* keywords have '=' and '%' (GNU tar), or everything but plain ASCII
 * (libarchive), written as %XX; libarchive's reader does not undo that. Decodes in place.
 */
void xattr_decode_keyword(char *name);

#endif
