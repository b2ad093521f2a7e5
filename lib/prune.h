/* Removes what killed processes have left in staging/ and trash/, see prune.c. */
#ifndef OVL_PRUNE_H
#define OVL_PRUNE_H

#include <stdbool.h>

#include "base/err.h"
#include "ovl.h"

/* The part of ovl_prune() that takes no lock that anyone waits for. */
int prune_dead(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err);

/*
 * For commands that only look: true if that file or directory is younger than a minute.
 * What is created before it can be locked, or before its target, belongs to a live
 * process for a moment.
 */
bool prune_is_young(int dirfd, const char *name);

#endif
