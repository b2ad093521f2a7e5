/*
 * Hard links cannot be made from one mount to another, even of the same file system: as a
 * directory that is mounted on itself, which dockerd does with its root.
 */
#ifndef OVL_TOGETHER_H
#define OVL_TOGETHER_H

#include "base/err.h"

/*
 * Are the directory a and the directory below in b on the same mount? 0; or 1 and out: a and
 * b opened anew, through a private copy of a mount that has them all; -1 they are not, and no
 * such mount was found.
 */
int mount_together(int a, int b, const char *below, int out[2]);

#endif
