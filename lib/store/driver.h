/*
 * A driver defines how layers are stored and stacked: by data, and by the syntax of the
 * file that lists a layer's lowers. The store chooses it for new layers; for existing
 * ones it follows from where they are. Outside driver*.c nothing compares a driver's
 * name.
 *
 * Every driver keeps a layer in one directory <driver>/<id>/ that appears by one rename.
 * Files in it that begin with a dot are ours and the same for each driver:
 *
 *	.layer		metadata, see meta.h
 *	.children/	a file for each layer on top: a hint, created before the child
 *			appears and checked against the child when read
 *	.names/		a file for each name: a hint of the same sort
 *	.image/		while it becomes an image layer, see becoming.h
 */
#ifndef OVL_DRIVER_H
#define OVL_DRIVER_H

#include "base/buf.h"
#include "base/err.h"
#include "ovl.h"
#include "store/layer.h"

/* The lower layers of a mount, nearest first, as names in the driver's directory. */
struct stack {
	unsigned n;
	char *text; /* owns what name[] points into */
	const char *name[OVL_MAX_LOWERS];
};

void stack_release(struct stack *s);
#define auto_stack __attribute__((cleanup(stack_release))) struct stack

/* Parameters of a new layer. */
struct seed {
	const struct layer *parent; /* NULL: none */
	const char *link; /* its short id */
	bool writable;
	bool opaque; /* hides all layers below, so it has a parent but no lowers */
};

/* The parts that a driver keeps of a layer; not every layer has all of them. */
enum driver_part {
	DRV_TREE,
	DRV_LINK_FILE, /* the file with its short id */
	DRV_LINK, /* the short link to it */
	DRV_LOWER, /* the file that lists its lowers */
	DRV_WORK,
	DRV_MERGED,
	DRV_PARTS
};

struct driver {
	unsigned number; /* index in driver_list */
	const char *name; /* also its directory under the root */
	const char *tree[2]; /* a layer's own tree, inside the layer, by enum ovl_kind */
	/* An image layer's tree is complete, with everything in the layers below. It is
	 * mounted without lowers, and an import starts from a copy (by hard links) of the
	 * tree below. */
	bool flat;
	/* The directory of short links, made together with the driver's own. NULL: short
	 * ids are recorded only in the layers. */
	const char *links;
	const char *work; /* overlayfs's work directory, inside a writable layer */
	const char *merged; /* the default mount point, inside the layer */
	const char *link_file; /* its short id, inside the layer; or NULL */
	const char *lower_file; /* lists the lowers, inside the layer */
	unsigned max_lowers; /* of one mount */

	/* Splits the text of lower_file into lowers in the form that a mount needs.
	 * -EUCLEAN if it is invalid. */
	int (*parse_lower)(const char *text, size_t len, struct stack *out);
	/* The text of lower_file in a new layer on top of how->parent; empty: none. */
	int (*new_lower)(const struct seed *how, struct buf *out, struct ovl_err *err);
	/* The same in a layer whose lowers should be n layers with these short ids,
	 * nearest first. */
	void (*lower_text)(const struct layer *l, const char (*lowers)[SHORT_LEN + 1],
		unsigned n, struct buf *out);
};

/* drivers.c: all drivers, NULL-terminated; the first is the default of a new store. */
extern const struct driver *const driver_list[];

/* The driver of the list with that name, NULL if there is none. */
const struct driver *driver_in(const struct driver *const *list, const char *name);
#define driver_find(name) driver_in(driver_list, name)

/*
 * Sets parent, depth and lowers in the metadata of a layer whose kind is set: on top of
 * parent (NULL: none), which it hides with all layers below if it is opaque.
 */
void driver_place(struct meta *m, const struct layer *parent, bool opaque);

/* True if the layer always has a work directory and a mount point; others have a mount
 * point only while they are mounted on it. */
bool driver_keeps_mount(const struct layer *l);

/* Puts the driver's own files into fd, a new layer whose tree exists already. */
int driver_seed(
	const struct driver *drv, int fd, const struct seed *how, struct ovl_err *err);

/* Lists the lowers of a layer anew, whose parent is not the one that it was made on but
 * another with the same id. */
int driver_reseed(const struct driver *drv, int fd, const struct layer *parent,
	struct ovl_err *err);

/* Adds the short link that leads to layer id, before the layer is renamed in. */
int driver_publish(const struct driver *drv, int drv_fd, const char *link,
	const struct ovl_id *id, struct ovl_err *err);
/* Removes it again; also for a layer that is being removed. */
int driver_retract(const struct driver *drv, int drv_fd, const char *link,
	const struct ovl_id *id, struct ovl_err *err);
/* Reads the short id from the driver's file in the directory name of a layer; "" if there
 * is none. If it cannot be read, -errno and "". */
int driver_link_of(
	const struct driver *drv, int dirfd, const char *name, char link[SHORT_LEN + 1]);
/* The id of the layer that a short link leads to: 1 found, 0 none, negative errno. */
int driver_by_link(
	const struct driver *drv, int drv_fd, const char *link, struct ovl_id *id);

/* The lowers of a mount of the layer: its stack without the layer itself. */
int driver_lowers(const struct layer *l, struct stack *out, struct ovl_err *err);
/* The layer itself as a lower. */
int driver_as_lower(const struct layer *l, struct buf *out, struct ovl_err *err);
/* Finds the parent from the driver's files in the layer, whatever .layer says: 1 found, 0
 * none, negative errno: they are damaged. */
int driver_parent_of(const struct layer *l, struct ovl_id *id);

/*
 * Checks that part of the layer. lower: the text of lower_file; NULL: unknown. mend:
 * repairs it, unless it is the tree.
 */
enum driver_state { DRV_WRONG, DRV_RIGHT, DRV_MENDED };
int driver_check(const struct layer *l, enum driver_part part, const char *lower,
	bool mend, struct ovl_err *err);

/* The name of its own tree inside the layer. */
const char *layer_tree_name(const struct layer *l);

/* Checks that a layer of that kind on top of parent would not have too many lowers. */
int driver_check_depth(
	const struct layer *parent, enum ovl_kind kind, struct ovl_err *err);

#endif
