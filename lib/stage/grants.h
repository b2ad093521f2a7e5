/* SPDX-License-Identifier: ISC */
/*
 * Gives names and image configs to layers, all or none.
 *
 *	grants_config, grants_name	write them into a directory of the caller
 *	   |
 *	   | the caller syncs them; the layers may appear only now
 *	   v
 *	grants_give			locks the names, checks everything again, renames and
 *					links it into place, and syncs that; what fails is
 *					undone
 *
 * A name that moves is always somebody's:
 *
 *	1  the note in the layer that is to have it, and the one in the layer that has it,
 *	   are pending
 *	2  the symlink leads there
 *	3  the first note is settled	-> synced
 *	4  the second note is removed
 *
 * A kill after 1 or 2 leaves a pending note in a layer that does not have the name, which
 * says nothing to anybody. One in between leaves the first of several grants. Processes
 * that give the same config at the same time also need the lock of the names, so that none
 * removes what another one relies on.
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
	bool tell; /* report names that move from one layer to another */
	struct grant *item;
	size_t n;
};

/* l must be open and locked (shared) until they are given. hex is the config's digest. */
int grants_config(struct grants *g, const struct layer *l, const char *hex,
	const struct buf *bytes, struct ovl_err *err);
/* config: the digest of the config that belongs to the name; NULL: none, or the one that it
 * has if it is the layer's already. moves: the name may be taken from another layer. */
int grants_name(struct grants *g, const struct layer *l, const char *name,
	const char *config, bool moves, struct ovl_err *err);
int grants_give(struct grants *g, struct ovl_err *err);
void grants_release(struct grants *g);

/* All of that for one name. Also syncs the layer, as its maker may not have done that. */
int grants_give_name(const struct layer *l, const char *name, const char *config,
	bool moves, struct ovl_err *err);

#endif
