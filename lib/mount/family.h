/*
 * Layers with all layers on top of them, locked together, to remove or heal them.
 *
 *	family_lock	opens and locks each once, exclusively; none may be in use
 *	family_add	called by the caller's function: adds a layer, with or without its
 *			descendants
 *	family_release	always
 */
#ifndef OVL_FAMILY_H
#define OVL_FAMILY_H

#include "base/err.h"
#include "store/layer.h"

struct inuse;
struct pathset;

struct family_member {
	struct layer_ref ref;
	const char *
		asked; /* what the user called it, "" if nobody did; NULL: a descendant */
	struct layer layer; /* open after family_lock */
};

struct family {
	struct ovl_store *st;
	struct inuse *inuse; /* cache shared with other families; NULL: none */
	bool missing_ok; /* a layer that was asked for may be missing; others always
			  * may */
	struct family_member *member; /* sorted by id after family_lock */
	size_t n;
	struct pathset *seen; /* ids, with the number of the driver as a letter */
};

/*
 * fill adds the layers. It is called again, from scratch, after waiting for one of them:
 * with --wait, until none is locked by another process or in use (see inuse.h); no lock
 * is held meanwhile. Else OVL_BUSY. Layers that were removed after they were added are
 * not members.
 */
int family_lock(struct family *f,
	int (*fill)(struct family *f, void *ctx, struct ovl_err *err), void *ctx,
	struct ovl_err *err);

/* asked: as in struct member; lives as long as the family. */
int family_add(struct family *f, const struct layer_ref *ref, const char *asked,
	bool children, struct ovl_err *err);

/* What to call it in a message: as the user did, or as layer_label() does. */
const char *family_label(
	const struct family *f, const struct family_member *m, char out[OVL_LABEL_SIZE]);

bool family_has(const struct family *f, const struct layer_ref *ref);

void family_release(struct family *f);
#define auto_family __attribute__((cleanup(family_release))) struct family

#endif
