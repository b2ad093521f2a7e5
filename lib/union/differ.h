/*
 * Is a file the same in two merged directories?
 */
#ifndef OVL_DIFFER_H
#define OVL_DIFFER_H

#include <stdatomic.h>

#include "base/xattr.h"
#include "union/side.h"

/*
 * 1 if what is seen under name in a is not what is seen in b: another type, owner, mode,
 * modification time, device, size, link target, xattr or content. 0 if it is; -1 with
 * errno (EINTR: *stop is set; NULL: never). Of xattrs those count that xp lets out. The
 * same inode is the same file without a look.
 */
int differ(const struct side *a, const struct side *b, const char *name,
	const struct xattr_policy *xp, const atomic_int *stop);

#endif
