/*
 * Layers with all that are on top of them, taken together: for who removes or heals them.
 *
 *	family_lock	each of them once, open and exclusively locked, none in use
 *	family_add	for who says which: the layer, with or without its descendants
 *	family_release	always
 */
#ifndef OVL_FAMILY_H
#define OVL_FAMILY_H

#include "base/err.h"
#include "store/layer.h"

struct inuse;
struct pathset;

struct member {
	struct layer_ref ref;
	const char *
		asked; /* what the user called it, "" if nobody did; NULL: a descendant */
	struct layer layer; /* open after family_lock */
};

struct family {
	struct ovl_store *st;
	struct inuse *inuse; /* what was seen for other families; NULL: nothing */
	bool missing_ok; /* one that was asked for may be gone; others may anyhow */
	struct member *member; /* sorted by id after family_lock */
	size_t n;
	struct pathset *seen; /* ids, with the number of the driver as a letter */
};

/*
 * fill adds the layers. It is called again, for a new start, when one of them was waited
 * for: with --wait, until none is locked by another process, or in use (see inuse.h),
 * and nothing is held meanwhile. Else OVL_BUSY. What is gone since it was added is no
 * member.
 */
int family_lock(struct family *f,
	int (*fill)(struct family *f, void *ctx, struct ovl_err *err), void *ctx,
	struct ovl_err *err);

/* asked: as in struct member; lives as long as the family. */
int family_add(struct family *f, const struct layer_ref *ref, const char *asked,
	bool children, struct ovl_err *err);

/* What to call it in a message: as the user did, or as layer_label() does. */
const char *family_label(
	const struct family *f, const struct member *m, char out[OVL_LABEL_SIZE]);

bool family_has(const struct family *f, const struct layer_ref *ref);

void family_release(struct family *f);
#define auto_family __attribute__((cleanup(family_release))) struct family

#endif
