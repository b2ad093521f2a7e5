/* SPDX-License-Identifier: ISC */
/*
 * For a tree that cannot be kept: makes its tar and imports it at the same time.
 */

#include "commit/commit.h"
#include "content/pack.h"
#include "content/ingest.h"

struct packing {
	const struct layer *l;
	struct pack_lost *lost;
};

static int pack_into(void *ctx, sink_fn sink, void *to, struct ovl_err *err)
{
	const struct packing *p = ctx;
	const struct pack_watch watch = {.lost = p->lost};

	return pack_layer(p->l, sink, to, &watch, err);
}

int commit_unpack(const struct layer *l, const struct stage *within, struct ingest *in,
	struct pack_lost *lost, struct ovl_err *err)
{
	struct packing p = {.l = l, .lost = lost};
	const struct ingest_config cfg = {
		.input = {.make = pack_into, .make_ctx = &p},
		.drv = l->drv,
		.within = within,
		.as = COMMIT_NEW,
		INGEST_NO_LIMITS,
		.tell = true,
	};

	return ingest_all(in, l->st, &cfg, err);
}
