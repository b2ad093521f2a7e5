/*
 * Which extended attributes go into a layer and come out of it, and under what name.
 *
 * A mount gives meaning to one prefix (kernel overlayfs.rst): trusted.overlay., or with
 * userxattr user.overlay. A store is for one of the two (its stamp says which). An
 * attribute of an archive with the live prefix is kept escaped, as the kernel escapes
 * those of an overlay inside an overlay: P.overlay.X as P.overlay.overlay.X; on the way
 * out it is unescaped, and what is not escaped is overlayfs's own and stays behind.
 * The other prefix is an attribute like any other.
 *
 * security.selinux, .ima and .evm are dropped both ways: they speak about this machine.
 */
#ifndef OVL_XATTR_H
#define OVL_XATTR_H

#include <stdbool.h>
#include <stddef.h>

struct xattr_policy {
	bool user; /* the live prefix is user.overlay. */
};

#define XATTR_MAX_NAME  255
#define XATTR_MAX_VALUE 65536

#define XATTR_ACL_ACCESS  "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"

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
