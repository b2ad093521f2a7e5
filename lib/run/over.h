/*
 * The file system that a command of run --on finds: that of the host, with the view of a layer
 * on the directory that the layer is on.
 */
#ifndef OVL_OVER_H
#define OVL_OVER_H

#include "base/err.h"
#include "store/store.h"

/* After the view could not be mounted on dir in a user namespace: adds why to err, if it is
 * what is mounted below; returns rc. */
int over_explain(const char *dir, int rc, struct ovl_err *err);

/* After the view is mounted on dir: puts what is mounted below into it, read-only, hides the
 * store, and enters the working directory again, which else would be in the original. old:
 * opened before, in this namespace. */
int over_enter(const struct ovl_store *st, const char *dir, int old, const char *cwd,
	struct ovl_err *err);

#endif
