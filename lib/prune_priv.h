/*
 * The parts of prune.
 *
 *	prune.c		what killed processes have left
 *	prune_report.c	reports what is removed
 *	prune_layers.c	layers that nothing names or needs
 */
#ifndef OVL_PRUNE_PRIV_H
#define OVL_PRUNE_PRIV_H

#include "base/err.h"
#include "base/fs.h"
#include "mount/inuse.h"
#include "ovl.h"

struct pruner {
	struct ovl_store *st;
	const struct ovl_prune *req;
	int (*fn)(void *ctx, const struct ovl_pruned *p);
	void *ctx;
	struct ovl_err *err;
	struct fs_blocks blocks; /* of what goes */
	struct inuse inuse; /* what was seen of mounts, for all layers */
	int64_t used_before; /* remove only layers last used before this */
	int ended; /* what fn returned that ends the work */
	int rc; /* the first failure, its text in why */
	struct ovl_err why;
};

/* Reports what was removed, or would be. Returns the result of fn. */
int prune_report(struct pruner *p, const struct ovl_pruned *gone);

/* Something that cannot be removed, such as a directory with a mount in it, must not
 * keep anything else: returns r, but 0 for a failure, which is kept for the end. */
int prune_go_on(struct pruner *p, int r);

int prune_layers(struct pruner *p);

#endif
