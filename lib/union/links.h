/*
 * Turns a layer's own tree into the complete merged tree: adds all names of another tree
 * that the tree does not have, with everything below them. Files become hard links;
 * directories are created, with their metadata.
 *
 *	own tree   a/x          below  a/x  a/y  b/z	->  a/x  a/y*  b/  b/z*	(* shared)
 *
 * Existing files are never written to. Files that cannot have more links (ext4: 65,000,
 * other file systems none) are copied; hard links among the copies are kept.
 */
#ifndef OVL_LINKS_H
#define OVL_LINKS_H

#include "base/err.h"
#include "base/fs.h"
#include "base/xattr.h"

struct links {
	int tree; /* the root of the tree that is added to; owned by the caller */
	int stage; /* a private directory for temporary names; owned by the caller */
	struct fs_copier how; /* stop ends the whole work; NULL: never */
	struct inodes copied; /* files that were copied, with the path of the copy */
};

void links_begin(struct links *g, int tree, int stage, const struct xattr_policy *xp,
	const atomic_int *stop);

/*
 * Adds the entries of directory from to directory to, whose path in the tree is path.
 * Names that exist in to are skipped. The caller sets the times of to.
 */
int links_dir(struct links *g, int from, int to, const char *path, struct ovl_err *err);

/* Notes that the file at path in the tree has replaced another file. -1 with errno. */
int links_replaced(struct links *g, const struct stat *was, const char *path);
/* Replaces the links that a tree has to copied or replaced files by links to the new
 * files: in the tree itself when everything has been added, or in another one. */
int links_relink(struct links *g, int tree, struct ovl_err *err);

void links_end(struct links *g);

/* Links the file path of the tree as name in directory to. -1 with errno. */
int links_path(int tree, const char *path, int to, const char *name);

#endif
