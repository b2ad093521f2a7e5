/*
 * Finds out whether a writable layer is the upper of a live mount. The kernel knows,
 * whoever made the mount and wherever it is, even if it is detached but in use.
 *
 * Each question writes a line of the level "error" to the kernel's log, which takes
 * milliseconds if the console is a serial line. So a layer whose mounts are known to have
 * ended is marked as idle: the directory work/work, which every mount creates anew
 * (kernel, fs/overlayfs: ovl_workdir_create), is renamed to work/unmounted, and the kernel
 * need not be asked. The next mount renames it back, so that nothing must be created on a
 * full file system.
 */
#ifndef OVL_UPPER_H
#define OVL_UPPER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "store/layer.h"

/* True if the layer is not the upper of a writable mount; false if unknown. */
bool upper_is_idle(const struct layer *l);

/*
 * Asks the kernel: 1 it is the upper of a live mount, 0 it is not, -EPERM: not allowed to
 * ask (no text), not even as root of a new user namespace; another errno: no answer.
 * Changes the working directory temporarily.
 */
int upper_ask(const struct layer *l, struct ovl_err *err);

/* The same, again for a third of a second while it is: a process that reads the mount
 * tables of other namespaces keeps the mounts of one that has ended for a moment. */
int upper_ask_long(const struct layer *l, struct ovl_err *err);

/* Identifies the work/work that a mount has made. */
struct upper_work {
	bool there;
	ino_t ino;
	struct timespec ctime;
};

/* For the layer with that id, which need not be open. To be called before an unmount. */
struct upper_work upper_before(
	int drv_fd, const struct driver *drv, const struct ovl_id *id);

/*
 * Marks the layer as idle, unless it was mounted again since before (NULL: impossible).
 * Under the lock of mounts, when the mounts of the layer are known to have ended.
 */
void upper_set_idle(const struct layer *l, const struct upper_work *before);

/* Before a mount: removes the idle mark. True: there was one, which upper_set_idle()
 * restores. */
bool upper_clear_idle(const struct layer *l);

#endif
