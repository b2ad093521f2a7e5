/*
 * Hard links cannot be made from one mount to another, even of the same file system, for
 * example if a directory is bound to itself, as dockerd does with its root.
 */
#ifndef OVL_TOGETHER_H
#define OVL_TOGETHER_H

#include "base/err.h"

/*
 * 0 if the directory a and the directory below in b are on the same mount. Otherwise 1
 * and out: a and b opened again through a private copy of a mount that contains all of
 * them; or -1 if there is no such mount.
 */
int mount_together(int a, int b, const char *below, int out[2]);

#endif
