/*
 * Adds the files of another tree to a tree, as hard links: all names that the tree does
 * not have, with everything below them. Directories are created, with their metadata. So
 * a layer's own tree becomes the complete merged tree.
 *
 *	own tree   a/x          below  a/x  a/y  b/z	->  a/x  a/y*  b/  b/z*	(* shared)
 *
 * Existing files are never written to. A file that cannot get another link (ext4:
 * 65,000), or all files on a file system without links, are copied; hard links among them
 * are kept.
 */
#ifndef OVL_GRAFT_H
#define OVL_GRAFT_H

#include "base/err.h"
#include "base/fs.h"
#include "base/xattr.h"

struct inodes;

struct graft {
	int tree; /* the root of the tree that is added to; the caller's, as is */
	int stage; /* a private directory for temporary names */
	struct fs_copier how; /* stop ends the whole work; NULL: never */
	struct inodes *copied; /* files that were copied, with the path of the copy; NULL:
			  * none */
};

void graft_begin(struct graft *g, int tree, int stage, const struct xattr_policy *xp,
	const atomic_int *stop);

/*
 * Adds the entries of directory from to directory to, whose path in the tree is path. A
 * name that to has already, whatever it is, hides that of from. The caller sets the times
 * of to.
 */
int graft_dir(struct graft *g, int from, int to, const char *path, struct ovl_err *err);

/* To be called when everything has been added. */
int graft_finish(struct graft *g, struct ovl_err *err);

/* Notes that the file at path in the tree has replaced another file. -1 with errno. */
int graft_replaced(struct graft *g, const struct stat *was, const char *path);
/* In another tree, makes names of replaced files names of the new files. */
int graft_regroup(struct graft *g, int other, struct ovl_err *err);

void graft_end(struct graft *g);

#endif
