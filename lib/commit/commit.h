/*
 * The parts of commit.
 *
 *	commit.c	what is made of the layer, and may it be
 *	commit_prepare.c  what is noted before the step, and the name
 *	commit_step.c	the layer becomes that, by one rename
 *	commit_tree.c	its tree, packed, and what has to be cleaned of it
 *	commit_unpack.c	or a new tree, of its tar
 *	commit_staged.c	the same of a layer that is not in its place yet
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

/* The results of packing the tree. */
struct committed {
	char diff_id[ID_LEN + 1];
	uint64_t size; /* bytes of file data */
	uint64_t entries;
	uint64_t tar_size;
	struct pack_lost lost;
	bool opaque; /* hides the whole stack below */
	bool unpack; /* the tree cannot be kept, it must be unpacked from its tar */
	struct pathset *keep; /* whiteouts and opaque marks that hide something */
	struct pathset *own; /* directories with files that have overlayfs's own xattrs */
};

struct commit {
	struct ovl_store *st;
	const struct ovl_commit *req;
	struct layer
		l; /* open and exclusively locked; closed when the step has removed it */
	struct layer parent; /* open and locked if has_parent */
	bool has_parent;
	struct committed c;
	struct buf config; /* of the image that it is the top of; empty: none */
	char config_digest[ID_LEN + 1];
	struct layer_ref image; /* the image layer it becomes */
	struct meta meta; /* its .layer, if it is made here */
	bool promised; /* the name that it is to have leads to l, which knows nothing of it */
	bool complete; /* everything that the image layer needs exists */
	struct stage stage; /* .image */
	struct ingest in; /* a new tree, in .image or in staging/ */
	struct stage went; /* staging/<id of l>, see becoming.h */
	struct layer made; /* the image layer, locked, after the step */
};

static inline const struct layer *commit_parent(const struct commit *c)
{
	return c->has_parent ? &c->parent : NULL;
}

#define COMMIT_NEW "new" /* in .image: a new tree with its recipe and .layer */

/* True if the new tree can be in the layer together with the old one. */
bool commit_in_place(const struct driver *drv);

/* Begins c->stage, and packs the layer: digest, and a recipe in there. Sets c->c.unpack if
 * the tree cannot be kept. */
int commit_pack(struct commit *c, struct ovl_err *err);

/* Lists in the directory stage_fd what is overlayfs's own in the tree, as c says. It is
 * removed when the layer is an image layer. */
int commit_clean(const struct layer *l, int stage_fd, const struct committed *c,
	struct ovl_err *err);

void committed_release(struct committed *c);

/* Unpacks the tar of the layer by an ingest that has run, staged within (NULL: in
 * staging/). */
int commit_unpack(const struct layer *l, const struct stage *within, struct ingest *in,
	struct pack_lost *lost, struct ovl_err *err);

/* Checks that the image layer may have the requested name; valid as long as the names
 * are locked. */
int commit_check_name(const struct commit *c, struct ovl_err *err);

/* Notes all that has to be on disk before the step, and syncs it. image: what the layer will
 * be, or the layer that takes its place. */
int commit_prepare(struct commit *c, const struct layer *image, struct ovl_err *err);
/* Restores the layer's .layer. */
void commit_unmark(struct commit *c);
/* With the names locked: 0 if the name can be given by the step, -EAGAIN if it has to be
 * prepared again, another negative errno. */
int commit_check_promised(const struct commit *c, struct ovl_err *err);
/* Takes back the name that was prepared. */
void commit_take_name(struct commit *c);

/*
 * Turns the layer into the image layer c->image, when everything about it is known: 1
 * done, 0 it existed already; negative errno: nothing has changed. c->made is the image
 * layer then, and *old what only the writable one had.
 */
int commit_step(struct commit *c, struct trashed *old, struct ovl_err *err);

/* For a layer that is staged and packed, with its tree kept: all that makes it an image
 * layer, except that it appears. */
int commit_complete(struct commit *c, struct ovl_err *err);

/*
 * Makes an image layer of the staged writable layer l on top of parent. copy: of its tar.
 * If another layer has got the name meanwhile, or the names are locked and may not be waited
 * for, it is kept without a name all the same: an error, and ran->kept.
 */
int commit_staged(const struct layer *l, struct stage *sg, const struct layer *parent,
	bool copy, const char *name, struct ovl_ran *ran, struct ovl_err *err);
/* The same for what is an image layer on parent already, or (NULL) a writable layer. */
int commit_keep(struct stage *sg, const struct layer *parent, const char *name,
	struct ovl_ran *ran, struct ovl_err *err);

#endif
