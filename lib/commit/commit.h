/*
 * The parts of commit.
 *
 *	commit.c	the whole: checks the layer, finds out what it becomes
 *	commit_prepare.c  what is written before the step, and the name
 *	commit_step.c	the step: one rename
 *	commit_tree.c	packs the tree, and lists what has to be removed from it
 *	commit_unpack.c	or makes a new tree from its tar
 *	commit_staged.c	the same for a layer in staging/
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
	bool unpack; /* the tree cannot be kept and must be unpacked from its tar */
	struct pathset *keep; /* whiteouts and opaque directories that hide something */
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
	struct buf config; /* config of the image that the layer becomes the top of;
			    * empty: none */
	char config_digest[ID_LEN + 1];
	struct layer_ref image; /* the image layer it becomes */
	struct meta meta; /* its .layer, if it is made by this commit */
	bool promised; /* the new name leads to l already, although l has no note of it */
	bool complete; /* all files that the image layer needs exist */
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

/* True if the new tree can be in the layer's directory together with the old one. */
bool commit_in_place(const struct driver *drv);

/* Begins c->stage, and packs the layer there: digest and recipe. Sets c->c.unpack if the
 * tree cannot be kept. */
int commit_pack(struct commit *c, struct ovl_err *err);

/* Lists overlayfs's own xattrs and whiteouts in the tree, according to c, in the
 * directory stage_fd. They are removed when the layer has become an image layer. */
int commit_clean(const struct layer *l, int stage_fd, const struct committed *c,
	struct ovl_err *err);

void committed_release(struct committed *c);

/* Unpacks the tar of the layer with an ingest, staged within (NULL: in staging/). */
int commit_unpack(const struct layer *l, const struct stage *within, struct ingest *in,
	struct pack_lost *lost, struct ovl_err *err);

/* Checks that the image layer may have the requested name. The result is valid while the
 * names are locked. */
int commit_check_name(const struct commit *c, struct ovl_err *err);

/* Writes everything that must be on disk before the step, and syncs it. image: the layer
 * that it becomes, or an existing layer that replaces it. */
int commit_prepare(struct commit *c, const struct layer *image, struct ovl_err *err);
/* Restores the layer's .layer. */
void commit_unmark(struct commit *c);
/* With the names locked: 0 if the step can give the name, -EAGAIN if it has to be
 * prepared again, other negative errno. */
int commit_check_promised(const struct commit *c, struct ovl_err *err);
/* Undoes the preparation of the name. */
void commit_take_name(struct commit *c);

/*
 * Turns the layer into the image layer c->image, all of which is known by now: 1 if done,
 * 0 if it existed already; negative errno: nothing has changed. Afterwards c->made is the
 * image layer, and *old the files that only the writable one had.
 */
int commit_step(struct commit *c, struct trashed *old, struct ovl_err *err);

/* For a layer that is staged and packed and keeps its tree: makes it an image layer in
 * all respects, except that it does not appear. */
int commit_complete(struct commit *c, struct ovl_err *err);

/*
 * Makes an image layer of the staged writable layer l on top of parent. copy: by
 * unpacking its tar. If another layer has got the name meanwhile, or the lock of the
 * names may not be waited for, the layer is kept without a name: this is an error, and
 * ran->kept is set.
 */
int commit_staged(const struct layer *l, struct stage *sg, const struct layer *parent,
	bool copy, const char *name, struct ovl_ran *ran, struct ovl_err *err);
/* The same for a staged image layer on parent or (NULL) a staged writable layer. */
int commit_keep(struct stage *sg, const struct layer *parent, const char *name,
	struct ovl_ran *ran, struct ovl_err *err);

#endif
