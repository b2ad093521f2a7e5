/*
 * What mount(2) is told: the one place that knows the syntax of overlay's options.
 *
 * The kernel takes at most 4,095 bytes of them, so lowers are named relative to the
 * driver's directory: with l/ and 26 characters each, 128 fit with an upper and a work
 * directory of 64 digits. None of these names can hold a ':' or ','. Absolute names would
 * leave room for about 75. The other limit is 500 lowers. Beyond either the kernel says
 * EINVAL and no more, see explain.h.
 *
 * A lower alone, without an upper, is EINVAL too: the store's empty directory is the second.
 * By default the kernel follows redirects in lowers, which layers that were imported may
 * hold; the options turn that off unless the user asked for it.
 */
#ifndef OVL_MOUNTSPEC_H
#define OVL_MOUNTSPEC_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "ovl.h"
#include "store/driver.h"

#define MOUNT_DATA_MAX 4095
/* The store's empty directory, from a driver's. */
#define MOUNT_EMPTY "../empty"

struct mountspec {
	unsigned long flags; /* MS_* */
	struct buf data; /* overlay's options */
	struct buf extra; /* those of them that the user gave */
	bool with_upper;
	unsigned leaves; /* marks the mount may leave in the upper, see redirects.h */
};

void mountspec_release(struct mountspec *s);
#define auto_mountspec __attribute__((cleanup(mountspec_release))) struct mountspec

/*
 * For a mount of the layer. options: as with mount(8)'s -o, or NULL. readonly: asked for;
 * an image layer's always is.
 */
int mountspec_build(const struct layer *l, const char *options, bool readonly,
	struct mountspec *out, struct ovl_err *err);

/* Is "name" or "name=value" one of overlay's options? */
bool mountspec_has(const struct mountspec *s, const char *option);

/* The command that mounts the layer, as a line to type. */
int mountspec_line(const struct layer *l, struct buf *out, struct ovl_err *err);

#endif
