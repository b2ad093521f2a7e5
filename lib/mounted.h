/*
 * May a layer be removed, moved or repaired? Not while it is mounted, or anything is
 * mounted in its directory, which must not go with it.
 *
 * Of a writable layer the kernel itself says whether it is the upper of a live mount,
 * anywhere. Of an image layer, and of other mounts in its directory, no such question can
 * be asked: the mounts of all namespaces that can be seen are looked through.
 */
#ifndef OVL_MOUNTED_H
#define OVL_MOUNTED_H

#include "err.h"
#include "layer.h"
#include "mountinfo.h"

/*
 * For an exclusively locked layer, so that nobody can mount it meanwhile. OVL_BUSY, with
 * where; what is its name for messages. seen is read by the first of several calls; {0}
 * before.
 */
int mounted_refuse(const struct layer *l, const char *what, struct mi_all *seen,
	struct ovl_err *err);

#endif
