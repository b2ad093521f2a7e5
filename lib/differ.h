/*
 * Is a file the same in two merged directories?
 */
#ifndef OVL_DIFFER_H
#define OVL_DIFFER_H

#include "side.h"
#include "store.h"

/*
 * 1 if what is seen under name in a is not what is seen in b: another type, owner, mode,
 * modification time, device, size, link target, xattr or content. 0 if it is; -1 with
 * errno (EINTR: the store's work is to stop). The same inode is the same file without a
 * look.
 */
int differ(const struct side *a, const struct side *b, const char *name,
	const struct ovl_store *st);

#endif
