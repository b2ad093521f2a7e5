/*
 * A driver defines how layers are stored and stacked: data first, functions second. The
 * store chooses it for new layers; for existing ones it follows from where they are.
 * Outside driver*.c nothing compares a driver's name.
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

/* Faults in a driver's files of a layer. */
enum {
	DRV_NO_TREE = 1,
	DRV_LINK_FILE = 2, /* the file with its short id */
	DRV_LINK = 4, /* the short link to it */
	DRV_LOWER = 8, /* the file that lists its lowers */
	DRV_WORK = 16,
	DRV_MERGED = 32
};

struct driver {
	unsigned number; /* its place in driver_list */
	const char *name; /* also its directory under the root */
	const char *tree[2]; /* a layer's own tree, inside the layer, by enum ovl_kind */
	/* An image layer's tree is complete, with all that the layers below have: it
	 * is mounted without lowers, and an import starts from a copy (by hard links)
	 * of the tree below. */
	bool flat;
	const char *links; /* directory of short links, made with the driver's own; or
			    * NULL */
	const char *work; /* overlayfs's work directory, inside a writable layer */
	const char *merged; /* the default mount point, inside the layer */
	const char *link_file; /* its short id, inside the layer; or NULL */
	const char *lower_file; /* lists the lowers, inside the layer */
	unsigned max_lowers; /* of one mount */

	/* Puts the driver's own files into fd, a new layer whose tree exists already. */
	int (*seed)(int fd, const struct seed *how, struct ovl_err *err);
	/* Adds the short link that leads to layer id, before the layer is renamed in. */
	int (*publish)(int drv_fd, const char *link, const struct ovl_id *id,
		struct ovl_err *err);
	/* Undoes publish; also for a layer that is being removed. */
	int (*retract)(int drv_fd, const char *link, const struct ovl_id *id,
		struct ovl_err *err);
	/* The lowers of a mount of the layer: its stack without the layer itself. */
	int (*lowers)(const struct layer *l, struct stack *out, struct ovl_err *err);
	/* The layer itself as a lower. */
	int (*as_lower)(const struct layer *l, struct buf *out, struct ovl_err *err);
	/* Reads the short id from the driver's file in the layer; "" if there is none.
	 * -errno, and "", if it cannot be read. */
	int (*link_of)(int layer_fd, char link[SHORT_LEN + 1]);
	/*
	 * Sets the DRV_* faults of the layer, whose lowers should be n layers with these
	 * short ids, nearest first (NULL: unknown).
	 */
	int (*verify)(const struct layer *l, const char *const *lowers, unsigned n,
		unsigned *faults, struct ovl_err *err);
	/* Repairs faults as far as possible; *left: those that remain. */
	int (*mend)(const struct layer *l, const char *const *lowers, unsigned n,
		unsigned faults, unsigned *left, struct ovl_err *err);
	/* The id of the layer with this short id: 1 found, 0 none, negative errno. */
	int (*by_link)(int drv_fd, const char *link, struct ovl_id *id);
	/* Finds the parent from the driver's files in the layer, whatever .layer says:
	 * 1 found, 0 none, negative errno: they are damaged. */
	int (*parent_of)(const struct layer *l, struct ovl_id *id);
};

/* drivers.c: all drivers, NULL-terminated; the first is the default of a new store. */
extern const struct driver *const driver_list[];

/* The driver with that name, NULL if there is none. */
const struct driver *driver_find(const char *name);

/*
 * Sets parent, depth and lowers in the metadata of a layer whose kind is set: on top of
 * parent (NULL: none), which it hides with all layers below if it is opaque.
 */
void driver_place(struct meta *m, const struct layer *parent, bool opaque);

/* True if the layer always has a work directory and a mount point; others have a mount
 * point only while they are mounted on it. */
bool driver_keeps_mount(const struct layer *l);

/* The name of its own tree inside the layer. */
static inline const char *layer_tree_name(const struct layer *l)
{
	return l->drv->tree[l->meta.kind];
}

/* ---- for drivers ------------------------------------------------------------------ */

/* Makes work directory and mount point in fd, a new layer of drv. */
int driver_seed_mount(const struct driver *drv, int fd, struct ovl_err *err);

/* 1 if a file of the layer has the content want ("": does not exist), 0 if not, -1 if
 * it cannot be read. */
int driver_file_is(const struct layer *l, const char *name, const char *want);
/* Atomically gives it that content. -1 with errno. */
int driver_set_file(const struct layer *l, const char *name, const char *text);

/* Sets which of DRV_NO_TREE, DRV_WORK and DRV_MERGED are wrong in the layer; -1 if
 * unknown. */
int driver_missing(const struct layer *l, unsigned *faults);

/* Adds fault if as_it_should is 0; -1 if it is negative. */
int driver_fault(unsigned *faults, unsigned fault, int as_it_should);
/* Creates those that can be created. -1 with errno. */
int driver_make_missing(const struct layer *l, unsigned faults);

/* Checks that a layer of that kind on top of parent would not have too many lowers. */
int driver_check_depth(
	const struct layer *parent, enum ovl_kind kind, struct ovl_err *err);

#endif
