/*
 * A writable layer W on its way to image layer I: what lies on disk while a commit does its
 * work, and how it is read. The commit is done when W's directory has left its name; all
 * that is told here was put there before and says nothing as long as the directory W is
 * there. See commit.c for the steps, finish.c for what is left to do after them.
 *
 *	W/.layer		says what W becomes. Where the directory has that name, it
 *				is the image layer,
 *	W/.image/.layer		and this its .layer, until it is put in place of the other;
 *	W/.image/link		the same of a driver's file that both kinds have;
 *	W/.image/was		.layer as it was, for a commit that changes nothing.
 *	staging/W/.to		-> ../../<driver>/I: where W went, for who looks for it. It
 *				is followed for names, never for ids.
 *	staging/W/.gives	.names of I to come: notes of the names that it is to have
 *				besides those that it has notes of
 *	staging/W		with the other files of a layer: W itself, empty, on its
 *				way back
 *
 * staging/W is locked as long as the commit is at work.
 */
#ifndef OVL_BECOMING_H
#define OVL_BECOMING_H

#include "base/err.h"
#include "store/layer.h"
#include "store/meta.h"

#define BECOMING_IMAGE ".image"
#define BECOMING_WAS   "was"
#define BECOMING_TO    ".to"
#define BECOMING_GIVES ".gives"

/*
 * Reads .layer of the layer directory fd, which is found under that id. Of an image layer
 * whose commit is not finished m->was is the writable layer's id.
 */
int becoming_meta(int fd, const char *id, struct meta *m, struct ovl_err *err);

/* Is that image layer still to be finished? */
bool becoming_unfinished(const struct meta *m);

/* Where the layer went, which is not in its place: 1 and the image layer, which is there;
 * 0: nowhere; negative errno. */
int becoming_to(
	struct ovl_store *st, const struct layer_ref *from, struct layer_ref *image);

/* Where staging/NAME leads, whether that is there or not: 1, 0, negative errno. */
int becoming_read_to(struct ovl_store *st, const char *name, struct layer_ref *image);

/* Is a file there of the layer that is on its way back? 1, 0, negative errno. */
int becoming_has(struct ovl_store *st, const struct ovl_id *id, const char *file);

/* Is the commit of that layer at work? 1, 0, negative errno. */
int becoming_is_alive(struct ovl_store *st, const struct ovl_id *id);

/* Removes staging/W, which a commit has left that was killed or failed. The layer W is in
 * its place and locked. */
int becoming_forget(struct ovl_store *st, const struct ovl_id *id, struct ovl_err *err);

#endif
