/*
 * Finds out why a mount failed: mount(2) returns EINVAL for a dozen reasons and explains
 * them only in the kernel's log. The possible reasons are checked one by one.
 */
#ifndef OVL_EXPLAIN_H
#define OVL_EXPLAIN_H

#include "base/err.h"
#include "mount/mountspec.h"
#include "store/layer.h"

/* For use after mount(2) of the layer on target has failed with errnum: writes the
 * reason, returns -errnum. what: the layer's name in messages. */
int explain_mount(const struct layer *l, const char *what, const struct mountspec *spec,
	const char *target, int errnum, struct ovl_err *err);

#endif
