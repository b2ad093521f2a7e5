/*
 * What check finds, and the parts it is made of.
 *
 *	check.c		the walk over the store, layers parents first
 *	check_layer.c	one layer: its metadata, parents, and what its driver knows
 *	check_content.c	one layer's tree against its recipe
 */
#ifndef OVL_CHECKER_H
#define OVL_CHECKER_H

#include "err.h"
#include "layer.h"
#include "ovl.h"

struct checker {
	struct ovl_store *st;
	const struct ovl_check *req;
	int (*fn)(void *ctx, const struct ovl_finding *f);
	void *ctx;
	unsigned result; /* OVL_CHECK_* */
	struct ovl_err *err;
};

/* Tells of a finding. mended: it was repaired. Returns what fn returned. */
int check_tell(struct checker *c, enum ovl_severity severity, const char *kind,
	const char *id, const char *path, bool mended, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));

/* One layer of the store, whose parents were looked at before. */
int check_layer(struct checker *c, const struct layer_ref *ref);

/* The tree of an open image layer against what was imported. */
int check_content(struct checker *c, const struct layer *l);

#endif
