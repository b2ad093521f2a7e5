/*
 * What check finds, and the parts it is made of.
 *
 *	check.c		the walk over the store, layers parents first
 *	check_tell.c	what is found, told
 *	check_layer.c	one layer: its metadata, parents, and what its driver knows
 *	check_content.c	one layer's tree against its recipe
 *	check_meta.c	what can be made out of a layer that has lost its .layer
 *	check_heal.c	one layer's tree against its tar, and made the same
 */
#ifndef OVL_CHECKER_H
#define OVL_CHECKER_H

#include <stdatomic.h>

#include "base/err.h"
#include "check/report.h"
#include "ovl.h"
#include "store/layer.h"

struct checker {
	struct ovl_store *st;
	const struct ovl_check *req;
	int (*fn)(void *ctx, const struct ovl_finding *f);
	void *ctx;
	unsigned result; /* OVL_CHECK_* */
	int ended; /* what fn returned that ends the work */
	struct ovl_err *err;
	bool holding; /* findings wait: others wait for a lock, or they may not count */
	const struct layer
		*unlocked; /* whose findings wait: it may be removed meanwhile */
	struct report later; /* kind, id, path, text; how: severity and repaired */
	atomic_uint_fast64_t bytes; /* of content looked at so far, and entries */
	atomic_uint_fast64_t entries;
};

/* Tells of a finding. mended: it was repaired. Returns what fn returned. */
int check_tell(struct checker *c, enum ovl_severity severity, const char *kind,
	const char *id, const char *path, bool mended, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));

/* After c->holding, with the lock given back: tells what was held back. Returns r, or what
 * fn returned. */
int check_tell_later(struct checker *c, int r);
/* The same, for what does not count: tells nothing. */
void check_forget(struct checker *c);

/* The disk does not give back what is in a layer, c->err says what. It is a finding, so
 * that the others are looked at. */
int check_unreadable(struct checker *c, const char *id);

/* One layer of the store, whose parents were looked at before. */
int check_layer(struct checker *c, const struct layer_ref *ref);

/*
 * For one whose .layer is torn or missing. 1: it was made out and written anew; 0: it
 * cannot be, or not yet, for its parents are in the same state.
 */
int check_rebuild(struct checker *c, const struct layer_ref *ref);
int check_put_aside(struct checker *c, const struct layer_ref *ref);

/* The parent with which an image layer of that diff id has the id of l: 1 and parent, open;
 * 0: it has none; -ENOENT: it is not in the store. */
int check_find_parent(struct checker *c, const struct layer *l, const char *diff_id,
	struct layer *parent);
/* The short id that the store has for an open layer; a new one if it has none. */
void check_find_link(const struct layer *l, char link[SHORT_LEN + 1]);

/* Heals an image layer from its tar, which fd gives. */
int check_heal(struct checker *c, const struct layer_ref *ref, int fd, const char *file);

/* The tree of an open image layer against what was imported. */
int check_content(struct checker *c, const struct layer *l);

#endif
