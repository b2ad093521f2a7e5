/* SPDX-License-Identifier: ISC */
/*
 * Gives names and image configs to layers, all or none.
 *
 *	grants_config, grants_name	write notes and configs into a directory of the
 *	   |				caller
 *	   | the caller syncs them; only now the layers may appear
 *	   v
 *	grants_give			locks the names, checks everything again, renames
 *					and links the files into place, and syncs that; if
 *					something fails, all of it is undone
 *
 * A name that moves from one layer to another belongs to one of them at any time:
 *
 *	1  the notes of the name in the new and in the old layer are pending
 *	2  the symlink leads to the new layer
 *	3  the note in the new layer is settled		-> synced
 *	4  the note in the old layer is removed
 *
 * A kill after 1 or 2 leaves a pending note in a layer that does not have the name, which
 * is ignored. A kill between two names or configs leaves only the earlier ones given.
 * Processes that give the same config at the same time also need the lock of the names,
 * so that none of them removes a file that another one needs.
 */
#ifndef OVL_GRANTS_H
#define OVL_GRANTS_H

#include "base/buf.h"
#include "base/err.h"
#include "store/layer.h"

struct grant;

struct grants {
	struct ovl_store *st;
	int dir; /* the directory of the caller, which stays open */
	bool tell; /* report names that move from one layer to another */
	struct grant *item;
	size_t n;
};

/* l must be open and locked (shared) until grants_give(). hex is the digest of the
 * config. */
int grants_config(struct grants *g, const struct layer *l, const char *hex,
	const struct buf *bytes, struct ovl_err *err);
/* config: the digest of the config that belongs to the name; NULL: that of the name,
 * if the layer has it already, otherwise none. moves: the name may be taken from
 * another layer. */
int grants_name(struct grants *g, const struct layer *l, const char *name,
	const char *config, bool moves, struct ovl_err *err);
int grants_give(struct grants *g, struct ovl_err *err);
void grants_release(struct grants *g);

/* All of that for one name. Also syncs the layer, which may have been made without a
 * sync. */
int grants_give_name(const struct layer *l, const char *name, const char *config,
	bool moves, struct ovl_err *err);

#endif
