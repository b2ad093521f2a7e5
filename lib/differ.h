/*
 * Is a file the same in two views?
 */
#ifndef OVL_DIFFER_H
#define OVL_DIFFER_H

#include "view.h"

/*
 * 1 if what is seen under name in a is not what is seen in b: another type, owner, mode,
 * modification time, device, size, link target, xattr or content. 0 if it is; -1 with
 * errno. The same inode is the same file without a look.
 */
int differ(const struct view *a, const struct view *b, const char *name,
	const struct xattr_policy *xp);

#endif
