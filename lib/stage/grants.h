/* SPDX-License-Identifier: ISC */
/*
 * Gives names and image configs to layers, all or none.
 *
 *	grants_config, grants_name	write them into a directory of the caller
 *	   |
 *	   | the caller syncs them; the layers may appear only now
 *	   v
 *	grants_give			locks the names, checks everything again, renames and
 *					links it into place; a failure is undone
 *	   |
 *	   | the caller syncs that
 *	   v
 *	grants_leave			reports names that have moved, and removes their notes
 *					from the layers that had them; or
 *	grants_take_back		undoes it, if the sync failed
 *
 * A process that is killed in between leaves the first of them. Processes that give the
 * same config at the same time also need the lock of the names, so that none removes what
 * another one relies on.
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

/* l must be open and locked (shared) until they are given. hex is the config's digest. */
int grants_config(struct grants *g, const struct layer *l, const char *hex,
	const struct buf *bytes, struct ovl_err *err);
/* config: the digest of the config that belongs to the name. moves: the name may be taken
 * from another layer. */
int grants_name(struct grants *g, const struct layer *l, const char *name,
	const char *config, bool moves, struct ovl_err *err);
int grants_give(struct grants *g, struct ovl_err *err);
void grants_take_back(struct grants *g);
void grants_leave(struct grants *g);
void grants_release(struct grants *g);

#endif
