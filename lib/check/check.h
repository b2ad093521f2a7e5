/*
 * The parts of check, and its findings.
 *
 *	check.c		walks over the store, parents before children
 *	check_found.c	reports findings
 *	check_layer.c	one layer: its metadata, parents, and the driver's files
 *	check_content.c	compares a layer's tree with its recipe
 *	check_meta.c	restores the metadata of a layer that has lost its .layer
 *	check_foreign.c	the store of another program
 *	check_heal.c	compares a layer's tree with its tar, and repairs it
 */
#ifndef OVL_CHECK_PRIV_H
#define OVL_CHECK_PRIV_H

#include <stdatomic.h>

#include "base/err.h"
#include "check/report.h"
#include "ovl.h"
#include "store/layer.h"
#include "store/meta.h"

/* A layer of the store, and its metadata when the check began. */
struct check_known {
	struct layer_ref ref;
	struct meta meta; /* depth UINT_MAX: it cannot be read */
	bool lost; /* it cannot be read, which was reported */
};

struct checker {
	struct ovl_store *st;
	const struct ovl_check *req;
	int (*fn)(void *ctx, const struct ovl_finding *f);
	void *ctx;
	unsigned result; /* OVL_CHECK_* */
	int ended; /* the result of fn that ended the check */
	struct ovl_err *err;
	struct check_known *known; /* all layers, in the order of check_order() */
	size_t n_known;
	bool holding; /* hold findings back, because others wait for a lock or because
		       * they may prove wrong */
	const struct layer
		*unlocked; /* findings about this layer are held back, because it may be
			    * removed meanwhile */
	unsigned looks; /* how often names were looked at again, for all names */
	struct report later; /* findings that are held back */
	atomic_uint_fast64_t bytes; /* bytes and entries of content checked so far */
	atomic_uint_fast64_t entries;
	uint64_t total; /* bytes of content to be checked; 0: not known yet */
};

/* Reports a finding. Returns the result of fn. */
int check_found(struct checker *c, enum ovl_severity severity, const char *kind,
	const char *id, const char *path, enum ovl_outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));

/* Reports a fault of a whole layer, left or repaired. */
#define check_fault(c, kind, id, ...) \
	check_found(c, OVL_ERROR, kind, id, "", OVL_LEFT, __VA_ARGS__)
#define check_mended(c, kind, id, ...) \
	check_found(c, OVL_ERROR, kind, id, "", OVL_REPAIRED, __VA_ARGS__)

/* Moves a file of a directory to aside/PLACE.NAME, and reports that. id: the layer it
 * belongs to, or "". */
int check_set_aside(struct checker *c, const char *kind, const char *id, int dirfd,
	const char *name, const char *place, const char *text);

/* Called when the lock is released: reports the findings that were held back. Returns
 * r, or the result of fn. */
int check_flush(struct checker *c, int r);
/* Drops the findings that were held back. */
void check_drop_held(struct checker *c);

/* Reports a layer that cannot be read, for the reason in c->err, so that the check can
 * go on with the others. */
int check_unreadable(struct checker *c, const char *id);

/* The order of layers in a check: parents before children. */
int check_order(const void *a, const void *b);

/* Checks one layer; its parents must have been checked before. */
int check_layer(struct checker *c, const struct layer_ref *ref);

/*
 * Reconstructs a damaged or missing .layer. 1: done; 0: impossible, or not yet, because
 * those of its parents are damaged or missing too.
 */
int check_rebuild(struct checker *c, const struct layer_ref *ref);
int check_put_aside(struct checker *c, const struct layer_ref *ref);

/* Finds the parent of an image layer, from its diff id and its id in ref: 1 and parent,
 * which is not open if the layer has none; 0: it is not in the store. */
int check_find_parent(struct checker *c, const struct layer_ref *ref, const char *diff_id,
	struct layer *parent);
/* The short id of an open layer according to the store; a new one if there is none. */
void check_find_link(const struct layer *l, char link[SHORT_LEN + 1]);

/* Repairs an image layer from its tar, read from fd. */
int check_heal(struct checker *c, const struct layer_ref *ref, int fd, const char *file);

/* Checks another program's store, or only one of its layers. */
int check_foreign(struct checker *c, const struct ovl_id *only);

/* Compares the tree of an open image layer with what was imported. */
int check_content(struct checker *c, const struct layer *l);

#endif
