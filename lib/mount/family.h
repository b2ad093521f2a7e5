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
	/* The user's name for it, or "" if it was not given by the user; NULL: a
	 * descendant. */
	const char *asked;
	struct layer layer; /* open after family_lock */
};

struct family {
	struct ovl_store *st;
	struct inuse *inuse; /* cache shared with other families; NULL: none */
	bool missing_ok; /* a layer that was asked for may be missing; descendants always
			  * may */
	struct family_member *member; /* sorted by id after family_lock */
	size_t n;
	struct pathset *seen; /* ids, with the number of the driver as a letter */
};

/*
 * fill adds the layers. With --wait, until none of them is locked by another process or
 * in use (see inuse.h), it is called again from the beginning after each wait, during
 * which no lock is held. Without it, OVL_BUSY. Layers that were removed after they had
 * been added are not members.
 */
int family_lock(struct family *f,
	int (*fill)(struct family *f, void *ctx, struct ovl_err *err), void *ctx,
	struct ovl_err *err);

/* asked: as in struct member; lives as long as the family. */
int family_add(struct family *f, const struct layer_ref *ref, const char *asked,
	bool children, struct ovl_err *err);

/* Its name in messages: the one the user gave, or that of layer_label(). */
const char *family_label(
	const struct family *f, const struct family_member *m, char out[OVL_LABEL_SIZE]);

bool family_has(const struct family *f, const struct layer_ref *ref);

void family_release(struct family *f);
#define auto_family __attribute__((cleanup(family_release))) struct family

#endif
