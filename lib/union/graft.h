/*
 * A tree that gets what another one has below it: the names of a directory that are not
 * there yet, with all that is below them, as hard links; directories are made anew, with
 * all that belongs to them. So a layer's own tree becomes the whole of what is seen.
 *
 *	own tree   a/x          below  a/x  a/y  b/z	->  a/x  a/y*  b/  b/z*	(* shared)
 *
 * Nothing is ever written into a file that was there. Where a file cannot have one more
 * link (ext4: 65,000), or the file system has none, it is copied; its names in the tree
 * stay names of one file.
 */
#ifndef OVL_GRAFT_H
#define OVL_GRAFT_H

#include "base/err.h"
#include "base/fs.h"
#include "base/xattr.h"

struct inodes;

struct graft {
	int tree; /* the root of what is added to; the caller's, as is */
	int stage; /* a directory of nobody else's, for names in passing */
	struct fs_copier how; /* stop is of the whole work; NULL: never */
	struct inodes
		*copied; /* files that were, under the path of the copy; NULL: none */
};

void graft_begin(struct graft *g, int tree, int stage, const struct xattr_policy *xp,
	const atomic_int *stop);

/*
 * What the directory from has, into the directory to, whose path in the tree is path. What
 * of a name is in to already, whatever it is, hides it. The times of to are the caller's.
 */
int graft_dir(struct graft *g, int from, int to, const char *path, struct ovl_err *err);

/* When all is there. */
int graft_finish(struct graft *g, struct ovl_err *err);

/* Notes that a file was replaced by the one at path in the tree. -1 with errno. */
int graft_replaced(struct graft *g, const struct stat *was, const char *path);
/* Names of files that were replaced become, in another tree, names of the new ones. */
int graft_regroup(struct graft *g, int other, struct ovl_err *err);

void graft_end(struct graft *g);

#endif
