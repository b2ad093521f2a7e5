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
#ifndef OVL_LINKS_H
#define OVL_LINKS_H

#include "base/err.h"
#include "base/fs.h"
#include "base/xattr.h"

struct inodes;

struct links {
	int tree; /* the root of the tree that is added to; the caller's, as is */
	int stage; /* a private directory for temporary names */
	struct fs_copier how; /* stop ends the whole work; NULL: never */
	struct inodes *copied; /* files that were copied, with the path of the copy; NULL:
			  * none */
};

void links_begin(struct links *g, int tree, int stage, const struct xattr_policy *xp,
	const atomic_int *stop);

/*
 * Adds the entries of directory from to directory to, whose path in the tree is path. A
 * name that to has already, whatever it is, hides that of from. The caller sets the times
 * of to.
 */
int links_dir(struct links *g, int from, int to, const char *path, struct ovl_err *err);

/* To be called when everything has been added. */
int links_finish(struct links *g, struct ovl_err *err);

/* Notes that the file at path in the tree has replaced another file. -1 with errno. */
int links_replaced(struct links *g, const struct stat *was, const char *path);
/* In another tree, makes names of replaced files names of the new files. */
int links_relink(struct links *g, int other, struct ovl_err *err);

void links_end(struct links *g);

/* Makes another name for the file path in the tree. -1 with errno. */
int links_path(int tree, const char *path, int to, const char *name);

#endif
