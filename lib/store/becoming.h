/*
 * A writable layer W that becomes image layer I: the files on disk during a commit, and
 * how they are read. The rename of W's directory is the commit. All these files are
 * written before it, and are ignored as long as the directory is named W. commit.c has
 * the steps, becoming_finish.c the work after the rename.
 *
 *	W/.layer		says what W becomes. Under the name I the directory is the
 *				image layer,
 *	W/.image/.layer		and this is its .layer, until it replaces the other one;
 *	W/.image/link		the same for a driver's file that both kinds have;
 *	W/.image/previous	.layer before the commit, to be restored if it fails
 *	staging/W/.image-layer	-> ../../<driver>/I. It is followed for names, never for
 *				ids
 *	staging/W/.image-names	.names of I: notes of the names that it will have; and
 *				links to it, which will replace those in names/
 *	staging/W		with the other files of a layer: W itself, empty, before
 *				it is moved back
 *
 * staging/W is locked while the commit is at work.
 */
#ifndef OVL_BECOMING_H
#define OVL_BECOMING_H

#include "base/err.h"
#include "store/layer.h"
#include "store/meta.h"

#define BECOMING_IMAGE       ".image"
#define BECOMING_PREVIOUS    "previous"
#define BECOMING_IMAGE_LAYER ".image-layer"
#define BECOMING_IMAGE_NAMES ".image-names"

/*
 * Reads .layer of the layer directory fd, whose name is id. For an image layer whose
 * commit is not finished, out->was is the id of the writable layer.
 */
int becoming_meta(int fd, const char *id, struct meta *out, struct ovl_err *err);

/* True if the commit to that image layer is not finished. */
bool becoming_unfinished(const struct meta *m);

/* Finds out what became of a layer whose directory does not exist: 1 and the image layer,
 * which exists; 0: nothing; negative errno. */
int becoming_find(
	struct ovl_store *st, const struct layer_ref *from, struct layer_ref *image);

/* Reads staging/NAME/.image-layer, whether its target exists or not: 1, 0, negative
 * errno. */
int becoming_read(struct ovl_store *st, const char *name, struct layer_ref *image);

/* Parses the target of .image-layer or of a name, "<driver>/<id>" after up; changes the
 * text. */
bool becoming_parse(char *target, const char *up, struct layer_ref *ref);

/* 1 if the layer that is to be put back (with --keep) has that file, 0 if not, negative
 * errno. */
int becoming_has(struct ovl_store *st, const struct ovl_id *id, const char *file);

/* 1 if a process is committing that layer, 0 if not, -1. */
int becoming_is_alive(struct ovl_store *st, const struct ovl_id *id);

/* Removes staging/W, left by a commit that was killed or has failed. The layer W must
 * exist and be locked. */
int becoming_forget(struct ovl_store *st, const struct ovl_id *id, struct ovl_err *err);

#endif
