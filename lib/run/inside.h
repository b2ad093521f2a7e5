/*
 * The file system that a command of run finds: the view of a layer as its root, with /proc,
 * /dev and what else is mounted in it.
 *
 *	inside_floor	before the view is mounted: makes mount points, in a directory that
 *			is to be below all its lowers. So they are in no layer, and a layer
 *			that has one of them shows its own
 *	inside_begin	in a new mount namespace
 *	inside_enter	the view becomes the root directory
 */
#ifndef OVL_INSIDE_H
#define OVL_INSIDE_H

#include <stdbool.h>

#include "base/err.h"
#include "ovl.h"

int inside_floor(const struct ovl_run *req, int floor, struct ovl_err *err);

/* Nothing that is mounted from now on is seen elsewhere. */
int inside_begin(struct ovl_err *err);

/* root: the view, opened in this namespace. Nothing outside of it can be reached then; the
 * store is hidden even where a directory above it is bound. */
int inside_enter(const struct ovl_store *st, const struct ovl_run *req, int root,
	struct ovl_err *err);

/* The mount of src and all that is mounted below it, not in any place yet; -1 with errno. */
int inside_tree(int dirfd, const char *src, bool writable);

/* The store looks empty from now on. */
int inside_hide(const struct ovl_store *st, struct ovl_err *err);

#endif
