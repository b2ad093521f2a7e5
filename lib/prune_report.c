/* SPDX-License-Identifier: ISC */
/* Reports what prune removes, and keeps its failures for the end. */
#include "prune_priv.h"
#include "store/store.h"

int prune_report(struct pruner *p, const struct ovl_pruned *gone)
{
	p->ended = p->fn ? p->fn(p->ctx, gone) : 0;
	return p->ended;
}

int prune_go_on(struct pruner *p, int r)
{
	if (r >= 0 || p->ended || store_stopped(p->st))
		return r;
	if (p->rc == 0) {
		p->rc = r;
		p->why = *p->err;
	}
	return 0;
}
