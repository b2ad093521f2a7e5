/*
 * Layers with all that are on top of them, taken together: for who removes or heals them.
 *
 *	family_add	the layer, with or without its descendants
 *	family_lock	each of them once, open and exclusively locked
 *	family_mounted	is any of them mounted? asked under the locks, so none can be
 *	family_release	always
 */
#ifndef OVL_FAMILY_H
#define OVL_FAMILY_H

#include "err.h"
#include "layer.h"

struct pathset;

struct member {
	struct layer_ref ref;
	bool asked; /* for itself, not as a descendant */
	struct layer layer; /* open after family_lock */
};

struct family {
	struct ovl_store *st;
	bool missing_ok; /* one that was asked for may be gone; others may anyhow */
	struct member *member; /* sorted by id after family_lock */
	size_t n;
	size_t size;
	struct pathset *seen; /* ids, with the number of the driver as a letter */
};

int family_add(struct family *f, const struct layer_ref *ref, bool children,
	struct ovl_err *err);

/* OVL_BUSY if anyone is at work on one of them. What is gone meanwhile is no member. */
int family_lock(struct family *f, struct ovl_err *err);

/* OVL_BUSY if one of them is mounted, see mounted.h. */
int family_mounted(struct family *f, struct ovl_err *err);

bool family_has(const struct family *f, const struct layer_ref *ref);

void family_release(struct family *f);
#define auto_family __attribute__((cleanup(family_release))) struct family

#endif
