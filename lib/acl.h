/*
 * POSIX ACLs from the text form of SCHILY.acl.access and .default into the value of the
 * xattr system.posix_acl_access or _default (linux/posix_acl_xattr.h): version 2, then
 * tag, permissions and id of each entry, little endian, in the order the kernel wants.
 */
#ifndef OVL_ACL_H
#define OVL_ACL_H

#include <archive_entry.h>

#include "buf.h"
#include "err.h"

/*
 * The entry's ACL of that type (ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT): 1 and the
 * value, 0 if it has none, negative errno. Names without a number (GNU tar writes them
 * so) are looked up in /etc/passwd and /etc/group; an unknown one is an error.
 */
int acl_value(struct archive_entry *e, int type, struct buf *out, struct ovl_err *err);

#endif
