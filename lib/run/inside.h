/*
 * The file system that a command of run sees: the view of a layer as its root, with
 * /proc, /dev and other mounts in it.
 *
 *	inside_floor	before the view is mounted: makes mount points in a directory,
 *			which becomes the lowest of its lowers. So they are in no layer,
 *			and if a layer has the same name, that is shown
 *	inside_begin	in a new mount namespace
 *	inside_enter	the view becomes the root directory
 */
#ifndef OVL_INSIDE_H
#define OVL_INSIDE_H

#include <stdbool.h>

#include "base/err.h"
#include "ovl.h"

int inside_floor(const struct ovl_run *req, int floor, struct ovl_err *err);

/* Makes mounts private: later mounts are not visible elsewhere. */
int inside_begin(struct ovl_err *err);

/* root: the view, opened in this namespace. Afterwards nothing outside of it can be
 * reached. The store is hidden even if a directory above it is bound. */
int inside_enter(const struct ovl_store *st, const struct ovl_run *req, int root,
	struct ovl_err *err);

/* A detached copy of the mount of src and of everything mounted below it; -1 with
 * errno. */
int inside_tree(int dirfd, const char *src, bool writable);

/* Makes the store look empty from now on. */
int inside_hide(const struct ovl_store *st, struct ovl_err *err);

#endif
