/* What the dead have left in staging/ and trash/, see prune.c. */
#ifndef OVL_PRUNE_H
#define OVL_PRUNE_H

#include <stdbool.h>

#include "base/err.h"
#include "ovl.h"

/* That part of ovl_prune() which takes no lock that anyone waits for. */
int prune_dead(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err);

/*
 * For who only looks: is that file or directory younger than a minute? What is made before
 * it can be locked, or before what it leads to, is a living process's for a moment.
 */
bool prune_is_young(int dirfd, const char *name);

#endif
