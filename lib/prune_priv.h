/*
 * The parts of prune.
 *
 *	prune.c		what killed processes have left
 *	prune_layers.c	layers that nothing names or needs
 */
#ifndef OVL_PRUNE_PRIV_H
#define OVL_PRUNE_PRIV_H

#include "base/err.h"
#include "base/fs.h"
#include "mount/inuse.h"
#include "ovl.h"
#include "store/store.h"

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
static inline int prune_report(struct pruner *p, const struct ovl_pruned *gone)
{
	p->ended = p->fn(p->ctx, gone);
	return p->ended;
}

/* Something that cannot be removed, such as a directory with a mount in it, must not
 * keep anything else: returns r, but 0 for a failure, which is kept for the end. */
static inline int prune_go_on(struct pruner *p, int r)
{
	if (r >= 0 || p->ended || store_stopped(p->st))
		return r;
	if (p->rc == 0) {
		p->rc = r;
		p->why = *p->err;
	}
	return 0;
}

int prune_layers(struct pruner *p);

#endif
