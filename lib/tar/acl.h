/*
 * Converts ACLs from their text form in a tar to the xattr value that the kernel takes
 * (linux/posix_acl_xattr.h).
 *
 * The text is that of acl(5), entries separated by ',' or newlines, in all known
 * dialects: with a numeric id after the permissions (star, libarchive), "mask:rwx"
 * without the empty field and "defaultuser:" for "default:user:" (Solaris). libarchive's
 * reader would need quadratic time for it, so it does not get these records.
 */
#ifndef OVL_ACL_H
#define OVL_ACL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/accounts.h"
#include "base/buf.h"
#include "base/err.h"

/* Fails unless it is well-formed. */
int acl_check(const char *text, size_t n, struct ovl_err *err);
int acl_malformed(struct ovl_err *err);

/*
 * Makes the value of the access ACL (dflt: of the default ACL) from a text. Its entries
 * are access entries (text_dflt: default entries) unless they say that they are default
 * ones. 1 and the value, 0 if there are no such entries, negative errno. Names without a
 * numeric id (GNU tar writes such) are looked up in accounts; an unknown name is an
 * error.
 */
int acl_value(struct accounts *accounts, const char *text, size_t n, bool text_dflt,
	bool dflt, struct buf *out, struct ovl_err *err);

#endif
