/* SPDX-License-Identifier: ISC */
/*
 * Names and image configs for layers, given all or none.
 *
 *	grants_config, grants_name	written into a directory of the caller's
 *	   |
 *	   | the caller syncs them; the layers may appear only now
 *	   v
 *	grants_give			the names are locked, all is looked at once more, and
 *					renamed and linked into place; a failure takes it back
 *
 * A process that is killed in between leaves the first of them. Others who give the same
 * config at the same time hold the lock of the names as well, so that none is taken back
 * that another counts on.
 */
#ifndef OVL_GRANTS_H
#define OVL_GRANTS_H

#include "base/buf.h"
#include "base/err.h"
#include "store/layer.h"

struct grant;

struct grants {
	struct ovl_store *st;
	int dir; /* the caller's */
	struct grant *item;
	size_t n;
};

/* l is to be open and locked shared when they are given. hex is the config's digest. */
int grants_config(struct grants *g, const struct layer *l, const char *hex,
	const struct buf *bytes, struct ovl_err *err);
/* config: of a name, the digest of the one that goes with it. */
int grants_name(struct grants *g, const struct layer *l, const char *name,
	const char *config, struct ovl_err *err);
int grants_give(struct grants *g, struct ovl_err *err);
void grants_release(struct grants *g);

#endif
