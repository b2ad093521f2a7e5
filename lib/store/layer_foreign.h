/*
 * Layers, names and configs of another program's store, for the files of this room that
 * look for those of ours. They find everything in the table st->foreign.
 */
#ifndef OVL_LAYER_FOREIGN_H
#define OVL_LAYER_FOREIGN_H

#include "base/buf.h"
#include "base/err.h"
#include "store/layer.h"
#include "store/names.h"

struct stat;
struct foreign;

/* The layer in the table; NULL: there is none. */
const struct foreign_layer *layer_foreign(
	const struct ovl_store *st, const struct ovl_id *id);

/* Fills the metadata of such a layer. */
void layer_foreign_meta(const struct foreign_layer *f, struct meta *m);

/* As layer_open_ref(), without a lock: nobody is kept from removing it. */
int layer_foreign_open(struct ovl_store *st, const struct layer_ref *ref,
	const char *what, struct layer *out, struct ovl_err *err);

/* The layer (NULL: none of such a store) could not be read, with rc: if it has been
 * removed meanwhile, OVL_NOLAYER and a text, else rc. */
int layer_foreign_failed(const struct ovl_store *st, const struct foreign_layer *l,
	int rc, struct ovl_err *err);

/* Opens the tree name, which has vanished if it does not exist (OVL_NOLAYER). To mount
 * it, through the root itself: old kernels mount nothing from a mount that is in no
 * namespace. */
int layer_foreign_tree(
	const struct layer *l, const char *name, bool to_mount, struct ovl_err *err);

/* As layers_each(). */
int layer_foreign_each(struct ovl_store *st, layers_fn fn, void *ctx);
/* As layer_children(). */
int layer_foreign_children(const struct layer *l,
	int (*fn)(void *ctx, const struct layer_ref *child), void *ctx);

/* Finds the layer that has a name, or is called so by its engine: 1, 0 none, OVL_USAGE if
 * several are. */
int layer_foreign_named(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct ovl_err *err);
/* The name of the image that is called so, maybe in another form (name_form) or by the
 * beginning of its id; NULL: there is none. */
const struct foreign_name *layer_foreign_image(const struct foreign *t, const char *what);
/* Calls fn for the ids that the engine has for layers and that begin with prefix. */
void layer_foreign_begun(struct ovl_store *st, const char *prefix,
	void (*fn)(void *ctx, const struct driver *drv, const char *id), void *ctx);
/* If what is, or begins, the name of a directory that is not a layer: OVL_NOLAYER, and what
 * it is for; otherwise 0. */
int layer_foreign_no_layer(struct ovl_store *st, const char *what, struct ovl_err *err);
/* As names_first(). */
int layer_foreign_name(
	struct ovl_store *st, const struct layer_ref *ref, char out[NAME_LEN_MAX + 1]);
/* As names_each(). */
int layer_foreign_names(struct ovl_store *st,
	int (*fn)(void *ctx, const char *name, const struct layer_ref *ref), void *ctx);

/* Adds a line with the digest of each image config of the layer. */
void layer_foreign_configs(const struct layer *l, struct buf *out);
/* The config that goes with a name of the layer: 1 and hex, 0 none. */
int layer_foreign_config(const struct layer *l, const char *name, char hex[ID_LEN + 1]);
/* Opens that config; -1 with errno. */
int layer_foreign_config_open(const struct layer *l, const char *hex);

/* Warns of layers that are not listed. */
void layer_foreign_warn(const struct ovl_store *st);

#endif
