/*
 * The arguments of mount(2): the one place that knows the syntax of overlay's options.
 *
 * The kernel takes at most 4,095 bytes of options, so lowers are named relative to the
 * driver's directory: with l/ and 26 characters each, 128 fit with an upper and a work
 * directory of 64 digits. None of these names can contain ':' or ','. Absolute names
 * would leave room for about 75. More lowers, up to the kernel's limit of 500, are
 * opened, and the options name their descriptors, relative to /proc/self/fd, and so is a
 * directory of the host, whose name may be anything:
 *
 *	lowerdir=7:8:9...,upperdir=4/overlay2/<id>/diff,workdir=4/overlay2/<id>/work
 *	lowerdir=4/overlay2/l/<short id>:7:8:9...
 *
 * where 4 is the store's root. So the table of mounts says which layer it is (mounts.h).
 * Beyond either limit the kernel only says EINVAL, see explain.h.
 *
 * A single lower without an upper is EINVAL too: the store's empty directory is added as
 * a second. By default the kernel follows redirects in lowers, which imported layers may
 * contain; the options turn that off unless the user asks for it.
 */
#ifndef OVL_MOUNTSPEC_H
#define OVL_MOUNTSPEC_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "ovl.h"
#include "store/driver.h"

#define MOUNT_DATA_MAX 4095
/* The options can name this many lowers; more are given as descriptors. */
#define MOUNT_NAMED_MAX 128
/* The store's empty directory, relative to a driver's. */
#define MOUNT_EMPTY "../empty"
/* Precedes the name of a staged layer. */
#define MOUNT_STAGED "../staging/"

struct mountspec {
	unsigned long flags; /* MS_* */
	struct buf data; /* overlay's options */
	struct buf extra; /* the options of the user among them */
	bool with_upper;
	bool by_fd; /* names are relative to /proc/self/fd, not to the driver's directory */
	struct stack lowers; /* their names */
	int *fd; /* the lowers that are named by descriptor */
	unsigned n_fd;
	unsigned leaves; /* HAS_* of what the mount may leave in the upper, see
			  * redirects.h */
};

void mountspec_release(struct mountspec *s);
#define auto_mountspec __attribute__((cleanup(mountspec_release))) struct mountspec

/*
 * Builds the arguments for a mount of the layer. options: as with mount(8)'s -o, or NULL.
 * readonly: asked for; always true for an image layer.
 */
int mountspec_build(const struct layer *l, const char *options, bool readonly,
	struct mountspec *out, struct ovl_err *err);

/* Checks each lower that the options name by a short link, before the mount; see
 * lowers.h. */
int mountspec_check(
	const struct mountspec *s, const struct layer *l, struct ovl_err *err);

/* True if "name" or "name=value" is among overlay's options. */
bool mountspec_has(const struct mountspec *s, const char *option);

/* Calls mount(2) on the open directory target; 0 or -errno. */
int mountspec_mount(
	const struct mountspec *s, const struct layer *l, const char *source, int target);

/* The command that mounts the layer, as a shell command. */
int mountspec_line(const struct layer *l, struct buf *out, struct ovl_err *err);

#endif
