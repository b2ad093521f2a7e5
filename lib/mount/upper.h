/*
 * Is a writable layer the upper of a live mount? The kernel knows, whoever made the mount
 * and wherever it is, also of one that is detached but in use.
 *
 * Each question puts a line of the level "error" into the kernel's log, which takes
 * milliseconds where the console is a serial line. So a layer whose mounts have been seen
 * to end is at rest: the directory work/work, which every mount makes anew (kernel,
 * fs/overlayfs: ovl_workdir_create), has another name then, work/rest, and nothing need be
 * asked. Before the next mount it gets its name back, so that on a full file system
 * nothing must be made.
 */
#ifndef OVL_UPPER_H
#define OVL_UPPER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "store/layer.h"

/* true: no mount that could write has the layer as its upper. false: not known. */
bool upper_at_rest(const struct layer *l);

/*
 * Asks the kernel: 1 it is the upper of a live mount, 0 it is not, -EPERM: may not ask (no
 * text), also not as root of a user namespace made for it; another errno: no answer.
 * Changes the working directory for the moment.
 */
int upper_ask(const struct layer *l, struct ovl_err *err);

/* What tells one mount's work/work from that of the next. */
struct upper_work {
	bool there;
	ino_t ino;
	struct timespec ctime;
};

/* Before an unmount. */
void upper_before(const struct layer *l, struct upper_work *out);

/*
 * Under the lock of mounts, when the mounts of the layer are known to have ended: at rest,
 * unless somebody has mounted it since before (NULL: nobody can have).
 */
void upper_rest(const struct layer *l, const struct upper_work *before);

/* Before a mount: not at rest any more. true: it was, and upper_rest() undoes that. */
bool upper_wake(const struct layer *l);

#endif
