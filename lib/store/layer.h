/*
 * Layers in the store: finding, opening and locking them.
 */
#ifndef OVL_LAYER_H
#define OVL_LAYER_H

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "ovl.h"
#include "store/meta.h"

struct driver;
struct foreign_layer;
struct ovl_store;
struct stack;
struct view;

#define OVL_LABEL_SIZE 208

/* A layer opened by layer_open; see layer_close. fd is the layer's directory, and also
 * holds the lock. */
struct layer {
	struct ovl_store *st;
	const struct driver *drv;
	int drv_fd; /* owned by the store */
	int fd; /* -1: not open */
	struct ovl_id id;
	struct meta meta;
	bool staged; /* it is staging/<id>, and not a layer of the store yet */
	/* For a layer in another program's store: its directory is the one with its tree,
	 * and drv_fd is the root of the store. NULL: a layer of ovlctl. */
	const struct foreign_layer *foreign;
	int empty; /* for its mount, if there is only one lower: an open empty directory,
		    * used as another one */
	/* For its mount: a directory below all lowers, named relative to the driver's;
	 * NULL: none. */
	const char *floor;
};

/* Identifies a layer that need not be open. */
struct layer_ref {
	const struct driver *drv;
	struct ovl_id id;
};

static inline struct layer_ref layer_ref_of(const struct layer *l)
{
	return (struct layer_ref){.drv = l->drv, .id = l->id};
}

static inline bool layer_ref_same(const struct layer_ref *a, const struct layer_ref *b)
{
	return a->drv == b->drv && strcmp(a->id.s, b->id.s) == 0;
}

/* The letter for the layer's id in a pathset of ids of layers of all drivers. */
char layer_letter(const struct layer_ref *ref);

/* Finds the layer that a user named. OVL_NOLAYER if there is none, OVL_USAGE if
 * ambiguous. */
int layer_find(struct ovl_store *st, const char *what, struct layer_ref *ref,
	struct ovl_err *err);

/* Reads the metadata of a layer that layers_each() has reported: 0, -EUCLEAN if it is
 * missing or invalid, or another negative errno. */
int layer_meta(struct ovl_store *st, int dir, const char *id, struct meta *m);

/* 1 if that layer exists, 0 if not. */
int layer_exists(struct ovl_store *st, const struct layer_ref *ref, struct ovl_err *err);

/*
 * Opens and locks a layer: op is LOCK_SH, LOCK_EX, or 0 for neither (only to read its
 * metadata). An exclusive lock is waited for only if a time was configured, and never
 * with LOCK_NB: OVL_BUSY. With a lock, a killed commit to the layer is finished, if the
 * store is writable. what is for messages.
 */
int layer_open_ref(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err);
/*
 * The same for a layer that is to be removed. A layer with a damaged or missing .layer is
 * opened as a writable layer without a parent that is deeper than all others.
 */
int layer_open_to_remove(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err);
/* layer_find and layer_open_ref in one. */
int layer_open(struct ovl_store *st, const char *what, int op, struct layer *out,
	struct ovl_err *err);
/* The same, locked shared, for a layer on which a new layer of that kind is to be made:
 * OVL_FAILED unless it is an image layer and can have one more on top. */
int layer_open_base(struct ovl_store *st, const char *what, enum ovl_kind kind,
	struct layer *out, struct ovl_err *err);
/* The same for the parent of the open layer, which has one. */
int layer_open_parent(
	const struct layer *l, int op, struct layer *out, struct ovl_err *err);
void layer_close(struct layer *l);
#define auto_layer __attribute__((cleanup(layer_close))) struct layer
#define LAYER_INIT ((struct layer){.fd = -1})

/* Fails because something is mounted on the tree of the layer id of l's driver, and hides
 * it. */
int layer_covered(const struct layer *l, const struct ovl_id *id, const char *tree,
	struct ovl_err *err);

/* The layer's own tree, open for reading; -errno. */
int layer_tree(const struct layer *l, struct ovl_err *err);

/* Its lower layers as a view, see view.h and lowers.h; with_self: with its own tree on
 * top. */
int layer_view(
	const struct layer *l, bool with_self, struct view *out, struct ovl_err *err);

/* Calls fn for everything that belongs to the layer and is outside of its directory: the
 * short link, names, and what a killed commit has left. Stops when fn returns nonzero,
 * and returns that. */
int layer_outside(const struct layer *l,
	int (*fn)(void *ctx, int dirfd, const char *name), void *ctx,
	struct ovl_err *err);

/* Calls fn for the layers on top of l, verified, and for those that a repair has set
 * aside, until fn returns nonzero. */
int layer_children(const struct layer *l,
	int (*fn)(void *ctx, const struct layer_ref *child), void *ctx,
	struct ovl_err *err);

/* The directory of the hints in a layer; it may be removed when it is empty. */
#define LAYER_CHILDREN ".children"

/*
 * An image layer that was taken from another program's store. Files of its tree may be
 * hard links of files there: they are never written to, and their link counts mean
 * nothing. The file says "verified" or "unverified", a blank, and the path of that store.
 */
#define LAYER_ADOPTED ".adopted"
bool layer_is_adopted(const struct layer *l);
/* The path, for the caller to free, NULL if it is none; -ENOMEM. */
int layer_adopted(const struct layer *l, char **from, bool *verified);

/* Creates the hint .children/<id>; must be done before the child appears. 1: created,
 * 0: it existed. */
int layer_add_child(const struct layer *l, const struct ovl_id *id, struct ovl_err *err);
int layer_sync_children(const struct layer *l, struct ovl_err *err);
/* Removes the hint from the parent (empty: none), if there is no such child. One that
 * stays, because the store is locked, is harmless; prune removes it. */
void layer_drop_child(struct ovl_store *st, const struct layer_ref *child,
	const struct ovl_id *parent, enum ovl_kind kind);
/* Removes a hint that stands for nothing, from any layer or staged layer. */
void layer_drop_hint(int layer_fd, const struct ovl_id *id);
int layer_has_hint(const struct layer *l, const struct ovl_id *id, struct ovl_err *err);

/*
 * Calls fn for each name in the directories of the drivers that the store covers, and for
 * the id of each layer that a commit has yet to put back; dir is where it is. No layer is
 * renamed meanwhile. A nonzero result of fn ends the walk and is returned.
 */
typedef int (*layers_fn)(void *ctx, const struct driver *drv, int dir, const char *name);
int layers_each(struct ovl_store *st, layers_fn fn, void *ctx, struct ovl_err *err);

/* Finishes the killed commit of or to a layer, if that is possible now: locking it does
 * that. */
void layer_finish(struct ovl_store *st, const struct layer_ref *ref);
/* Finishes killed commits, as far as possible now. For commands that look at all
 * layers. */
int layers_finish(struct ovl_store *st, struct ovl_err *err);
/* 1 if there is a layer that a commit has moved away and not finished with, 0 if not,
 * negative errno: unknown. */
int layers_any_departed(struct ovl_store *st);

/* The name of a layer in messages: its first name, else 12 digits of its id. */
const char *layer_label(
	struct ovl_store *st, const struct layer_ref *ref, char out[OVL_LABEL_SIZE]);

#endif
