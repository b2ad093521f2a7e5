/*
 * ACLs written as text in a tar, into the value of the xattr that the kernel takes
 * (linux/posix_acl_xattr.h).
 *
 * The text is that of acl(5), entries separated by ',' or by newlines, in the dialects
 * that there are: a number behind the permissions (star, libarchive), "mask:rwx" without
 * an empty field and "defaultuser:" for "default:user:" (Solaris). The tar reader can
 * parse it as well, in quadratic time: it is not let.
 */
#ifndef OVL_ACL_H
#define OVL_ACL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/accounts.h"
#include "base/buf.h"
#include "base/err.h"

/* Is it well-formed? */
bool acl_sound(const char *text, size_t n);

/*
 * The entries for access (dflt: for what is made in the directory) of a text in which
 * entries are for access (text_dflt: are default ones) unless they say that they are
 * default ones: 1 and the value, 0 if there is none, negative errno. Names without a
 * number (GNU tar writes them so) are looked up in accounts; an unknown one is an error.
 */
int acl_value(struct accounts *accounts, const char *text, size_t n, bool text_dflt,
	bool dflt, struct buf *out, struct ovl_err *err);

#endif
