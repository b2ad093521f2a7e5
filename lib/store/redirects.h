/*
 * Options that an upper must be mounted with to be complete. A directory renamed in a
 * mount with redirect_dir=on, or a file changed in one with metacopy=on, is in the upper
 * only as an xattr that says where its contents are (overlayfs.rst, "Redirecting
 * directories", "Metadata only copy up"). So a writable layer remembers such mounts, in
 * the empty files .redirect and .metacopy of its directory.
 */
#ifndef OVL_REDIRECTS_H
#define OVL_REDIRECTS_H

#include "base/err.h"
#include "store/layer.h"

enum { HAS_REDIRECTS = 1, HAS_METACOPY = 2 };

/* The options that the layer remembers. */
unsigned redirects_of(const struct layer *l);

/* Remembers the options before a mount. *added: those that were not remembered before. */
int redirects_note(
	const struct layer *l, unsigned what, unsigned *added, struct ovl_err *err);

/* Forgets them, if the mount failed. */
void redirects_forget(const struct layer *l, unsigned what);

#endif
