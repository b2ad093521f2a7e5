/* Removes what killed processes have left in staging/ and trash/, see prune.c. */
#ifndef OVL_PRUNE_H
#define OVL_PRUNE_H

#include <stdbool.h>

#include "base/err.h"
#include "ovl.h"
#include "store/driver.h"
#include "store/names.h"

/* The part of ovl_prune() that looks at staging/ and trash/, see lock.h for its locks. */
int prune_dead(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err);

/*
 * For commands that only look: true if that file or directory is younger than a minute.
 * What is created before it can be locked, or before its target, belongs to a live
 * process for a moment.
 */
bool prune_is_young(int dirfd, const char *name);

/* A short link, a name, or a note or hint in a layer. */
struct prune_place {
	const char *what;
	const struct driver *drv; /* NULL: a name */
	const char *id; /* the layer it is in, if any */
	int dir; /* the directory it is in */
	const char *file;
	const char *shown; /* the name to report */
	const char *kind; /* what is wrong with it, as check calls it; NULL: nothing */
	const char *why; /* why it is not needed; NULL: it is, or may be */
	char name[NAME_LEN_MAX + 1];
};

/* Sets shown, kind and why; negative errno: unknown. What is not a short link or name at
 * all has a kind without a why. */
typedef int (*prune_judge)(
	struct ovl_store *st, struct prune_place *at, struct ovl_err *err);
int prune_judge_link(struct ovl_store *st, struct prune_place *at, struct ovl_err *err);
int prune_judge_name(struct ovl_store *st, struct prune_place *at, struct ovl_err *err);

#endif
