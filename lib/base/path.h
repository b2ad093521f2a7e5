/*
 * Names in a tar: the one place that decides which are allowed.
 *
 *	/a/./b//c	-> a/b/c	a leading '/' is dropped
 *	a/../b		-> b
 *	../b, a/../../b	refused: it leaves the tree
 *	./  /  (none)	-> ""		the layer's root
 *
 * Also refused: more than max_depth components, a component over 255 bytes, a name over
 * 64 KiB. ".." is resolved textually, before any symlink is looked at.
 */
#ifndef OVL_PATH_H
#define OVL_PATH_H

#include "base/buf.h"
#include "base/err.h"

#define PATH_MAX_LEN  65536
#define PATH_MAX_NAME 255
/* The name of a whiteout is longer than the name that it hides. */
#define PATH_MAX_COMPONENT (PATH_MAX_NAME + 4)

int path_clean(const char *raw, unsigned max_depth, struct buf *out, struct ovl_err *err);

/* Adds a component to a clean path. */
void path_add(struct buf *path, const char *name);

/* For messages: "/" for the root, whose clean path is "" or has no buffer yet. */
const char *path_shown(const char *clean);

/* The last component of a clean path. */
const char *path_base(const char *clean);

/* For paths of files: the part below dir ("" or "/..."); NULL if it is not below. */
const char *path_below(const char *path, const char *dir);

#endif
