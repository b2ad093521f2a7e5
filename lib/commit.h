/*
 * What a commit leaves in a writable layer's directory while it goes on; commit.c says in
 * which order. Both are gone when it is done.
 *
 *	.commit/	the image layer in the making, all but its tree
 *	.becomes	the id it will have: 64 hex digits
 *
 * and in the image layer, until the writable one is gone:
 *
 *	.from		the id of that
 */
#ifndef OVL_COMMIT_H
#define OVL_COMMIT_H

#include <stdbool.h>

#include "err.h"
#include "layer.h"
#include "ovl.h"

#define COMMIT_STAGE ".commit"
#define COMMIT_NOTE  ".becomes"
#define COMMIT_FROM  ".from"

/*
 * Of a locked writable layer whose commit was killed: puts its tree back, if the image
 * layer had not appeared yet. From then on nothing has happened.
 */
int commit_heal(const struct layer *l, struct ovl_err *err);

/* Has its tree become that of an image layer? */
int commit_became(const struct layer *l, struct ovl_id *id, struct ovl_err *err);

/* Does it hold the tree of a writable layer whose commit did not come to its end? Yes, if that
 * cannot be seen. */
bool commit_needs(const struct layer *image);

/* ---- between the files of this module --------------------------------------------- */

struct pathset;

/* What packing the tree found out about it. */
struct committed {
	char diff_id[ID_LEN + 1];
	uint64_t size; /* bytes of file data */
	uint64_t entries;
	uint64_t tar_size;
	uint64_t sockets;
	bool cut; /* hides all of the stack below */
	bool unpack; /* cannot be moved: only its tar says what it holds */
	struct pathset *keep; /* whiteouts and opaque marks that hide something */
	struct pathset *own; /* directories with files that have overlayfs's xattrs */
};

/* The tar of the layer: digest and recipe, which goes into the directory stage_fd. */
int commit_pack(
	const struct layer *l, int stage_fd, struct committed *c, struct ovl_err *err);

/* Takes out of the tree what is overlayfs's own, as c says. What comes in its place is made
 * in the directory stage_fd. */
int commit_clean(const struct layer *l, int stage_fd, const struct committed *c,
	struct ovl_err *err);

void committed_release(struct committed *c);

struct ingest;

/* Puts the tar of the layer into an ingest that is about to be run, see ingest.h. */
int commit_unpack(const struct layer *l, const struct driver *drv, struct ingest *in,
	uint64_t *sockets, struct ovl_err *err);

/* All that remains when the image layer is there: names, and the end of the writable one,
 * which is closed; or its new beginning. */
int commit_hand_over(struct layer *l, const struct layer *image, const char *name,
	bool keep, struct ovl_err *err);

#endif
