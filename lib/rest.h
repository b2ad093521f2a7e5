/*
 * Which writable layers are at rest: not the upper of any mount, known without asking.
 *
 * Asking the kernel (mounts.h) is right always, but each question puts a line of the
 * level "error" into the kernel's log, which takes milliseconds where the console is a
 * serial line. So a umount that sees the superblock of its mount end leaves the layer as
 * one that was never mounted: without the directory work/work, which every mount makes
 * anew (kernel, fs/overlayfs: ovl_workdir_create). Where it is missing nothing is mounted.
 */
#ifndef OVL_REST_H
#define OVL_REST_H

#include <stdbool.h>
#include <sys/stat.h>

#include "layer.h"

/* true: no mount has the layer as its upper. false: that is not known. */
bool rest_known(const struct layer *l);

/* What tells one mount's work/work from that of the next. */
struct rest_mark {
	bool there;
	ino_t ino;
	struct timespec ctime;
};

/* Before an unmount. */
void rest_before(const struct layer *l, struct rest_mark *out);

/*
 * After one, with the layer's work directory exclusively locked: if nothing holds the
 * mount's superblock dev any more, and nobody has mounted the layer since, it is at rest.
 */
void rest_after(int work, const struct rest_mark *before, dev_t dev);

#endif
