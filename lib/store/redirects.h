/*
 * What an upper must be mounted with to be seen whole. A directory that was renamed in a
 * mount with redirect_dir=on, or a file changed in one with metacopy=on, is in the upper
 * only as a mark that says where its contents are (overlayfs.rst, "Redirecting
 * directories", "Metadata only copy up"). So a writable layer remembers that it was
 * mounted so, in empty files of its directory, .redirect and .metacopy.
 */
#ifndef OVL_REDIRECTS_H
#define OVL_REDIRECTS_H

#include "base/err.h"
#include "store/layer.h"

enum { HAS_REDIRECTS = 1, HAS_METACOPY = 2 };

/* What the layer remembers. */
unsigned redirects_of(const struct layer *l);

/* Remembers that too, before the mount. *added: what was not remembered before. */
int redirects_note(
	const struct layer *l, unsigned what, unsigned *added, struct ovl_err *err);

/* There was no such mount after all. */
void redirects_forget(const struct layer *l, unsigned what);

#endif
