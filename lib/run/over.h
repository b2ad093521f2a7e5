/*
 * The file system that a command of run --on sees: that of the host, with the view of a
 * layer mounted on the directory that the layer is on.
 */
#ifndef OVL_OVER_H
#define OVL_OVER_H

#include "base/err.h"
#include "store/store.h"

/* For use after the view could not be mounted on dir in a user namespace: if mounts below
 * dir are the reason, adds that to err. Returns rc. */
int over_explain(const char *dir, int rc, struct ovl_err *err);

/* For use after the view is mounted on dir: adds the mounts below dir to it, read-only,
 * hides the store, and enters the working directory again, which would otherwise be in
 * the original. old: opened before, in this namespace. */
int over_enter(const struct ovl_store *st, const char *dir, int old, const char *cwd,
	struct ovl_err *err);

#endif
