/*
 * Compares a file in two merged directories.
 */
#ifndef OVL_DIFFER_H
#define OVL_DIFFER_H

#include <stdatomic.h>

#include "base/xattr.h"
#include "union/merged.h"

/*
 * 1 if name is not the same file in a and b: another type, owner, mode, modification
 * time, device, size, link target, xattr or content. 0 if it is the same; -1 with errno
 * (EINTR: *stop is set; NULL: never). Only xattrs that xp exports count. The same inode
 * is the same file and is not read.
 */
int differ_file(const struct merged *a, const struct merged *b, const char *name,
	const struct xattr_policy *xp, const atomic_int *stop);

/* The same for the owner, mode and xattrs of two open directories. */
int differ_dir(int a, int b, const struct xattr_policy *xp);

#endif
