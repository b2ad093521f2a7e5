/*
 * The parts of prune.
 *
 *	prune.c		what the dead have left
 *	prune_tell.c	what goes, told
 *	prune_layers.c	image layers that nothing names or needs
 */
#ifndef OVL_PRUNER_H
#define OVL_PRUNER_H

#include "base/err.h"
#include "mount/inuse.h"
#include "ovl.h"

struct pruner {
	struct ovl_store *st;
	const struct ovl_prune *req;
	int (*fn)(void *ctx, const struct ovl_pruned *p);
	void *ctx;
	struct ovl_err *err;
	struct inuse inuse; /* what was seen of mounts, for all layers */
	int64_t used_before; /* of layers that go */
	int ended; /* what fn returned that ends the work */
	int rc; /* of the first that could not be removed, its text in why */
	struct ovl_err why;
};

/* Tells of what went, or would. Returns what fn returned. */
int prune_tell(struct pruner *p, const char *what, const char *name, uint64_t bytes,
	const char *why);

/* What cannot be removed, as where something is mounted in it, keeps nothing else there:
 * r, but 0 in the place of a failure, which is kept for the end. */
int prune_go_on(struct pruner *p, int r);

int prune_layers(struct pruner *p);

#endif
