/*
 * The parts of commit.
 *
 *	commit.c	what is made of the layer, and may it be
 *	commit_step.c	the layer becomes that, by one rename
 *	commit_tree.c	its tree, packed and cleaned
 *	commit_unpack.c	or a new tree, of its tar
 */
#ifndef OVL_COMMIT_H
#define OVL_COMMIT_H

#include <stdbool.h>

#include "base/err.h"
#include "content/ingest.h"
#include "content/pack.h"
#include "ovl.h"
#include "store/layer.h"
#include "store/meta.h"
#include "stage/stage.h"
#include "store/trash.h"

struct pathset;

/* What packing the tree found out about it. */
struct committed {
	char diff_id[ID_LEN + 1];
	uint64_t size; /* bytes of file data */
	uint64_t entries;
	uint64_t tar_size;
	struct pack_lost lost;
	bool cut; /* hides all of the stack below */
	bool unpack; /* cannot stay: only its tar says what it holds */
	struct pathset *keep; /* whiteouts and opaque marks that hide something */
	struct pathset *own; /* directories with files that have overlayfs's xattrs */
};

struct commit {
	struct ovl_store *st;
	const struct ovl_commit *req;
	struct layer
		l; /* open and exclusively locked; closed when the step took it away */
	struct layer parent; /* open and locked if has_parent */
	bool has_parent;
	struct committed c;
	struct layer_ref image; /* what it becomes */
	struct meta meta; /* .layer of that, if it is made here */
	bool promised; /* the name that it is to have leads to l, which knows nothing of it */
	bool complete; /* all that the image layer needs is there */
	struct stage stage; /* .image */
	struct ingest in; /* a new tree, in .image or in staging/ */
	struct stage went; /* staging/<id of l>, see becoming.h */
	struct layer made; /* the image layer, locked, after the step */
};

static inline const struct layer *commit_parent(const struct commit *c)
{
	return c->has_parent ? &c->parent : NULL;
}

#define COMMIT_NEW "new" /* in .image: a new tree, with what belongs to it */

/* Can the new tree lie in the layer, together with the old one? */
bool commit_in_place(const struct driver *drv);

/* The tar of the layer: digest and recipe, which goes into the directory stage_fd. */
int commit_pack(
	const struct layer *l, int stage_fd, struct committed *c, struct ovl_err *err);

/* Takes out of the tree what is overlayfs's own, as c says. What comes in its place is made
 * in the directory stage_fd. */
int commit_clean(const struct layer *l, int stage_fd, const struct committed *c,
	struct ovl_err *err);

void committed_release(struct committed *c);

/* Puts the tar of the layer into an ingest that is run, staged within (NULL: in staging/). */
int commit_unpack(const struct layer *l, const struct stage *within, struct ingest *in,
	struct pack_lost *lost, struct ovl_err *err);

/* May the image layer have the name that was asked for? As long as the names are locked. */
int commit_check_name(const struct commit *c, struct ovl_err *err);

/*
 * Makes the layer the image layer c->image, for which all is found out: 1 it was made, 0 it
 * was there already; negative errno: nothing has changed. c->made is the image layer then,
 * and *old what it does not have of the writable one.
 */
int commit_step(struct commit *c, struct trashed *old, struct ovl_err *err);

#endif
