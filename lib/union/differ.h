/*
 * Compares two files in everything that a layer stores.
 */
#ifndef OVL_DIFFER_H
#define OVL_DIFFER_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "base/xattr.h"
#include "ovl.h"
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

/* A file in an open directory, with its result of fstatat(2). */
struct differ_at {
	int dirfd;
	const char *name;
	struct stat st;
	/* If it may be a metacopy, without data: the merged directory, where it is in
	 * directory number at. Otherwise NULL. */
	const struct merged *in;
	unsigned at;
};

/*
 * What differs between two files, as bits of enum ovl_effect: OVL_TYPE only, or some of
 * OVL_DATA (a symlink's target, a device's number), OVL_MODE, OVL_OWNER, OVL_XATTR,
 * OVL_TIME. -1 with errno.
 */
enum differ_how {
	DIFFER_ANY, /* stop at the first difference */
	DIFFER_META, /* assume that files of the same size have the same data */
	DIFFER_ALL
};
int differ_what(const struct differ_at *a, const struct differ_at *b, enum differ_how how,
	const struct xattr_policy *xp, const atomic_int *stop);

#endif
