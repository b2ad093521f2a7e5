/*
 * A driver is how layers lie on disk and how they stack: data first, functions second.
 * It is chosen once, by the store for new layers, by where a layer lies for old ones.
 * Outside driver*.c nothing compares a driver's name.
 *
 * Every driver keeps a layer in one directory <driver>/<id>/ that appears by one
 * rename. Of its files those that begin with a dot are ours and the same in each driver:
 *
 *	.layer		what is remembered of it, see meta.h
 *	.children/	a file for each layer on top of it: a hint, put there before the
 *			child appears and checked against the child when read
 *	.names/		a file for each of its names: a hint of the same sort
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

/* How a new layer is to be set up. */
struct seed {
	const struct layer *parent; /* NULL: none */
	const char *link; /* its short id */
	bool writable;
	bool cut; /* hides all its parents: no lowers, though a parent */
};

/* What can be wrong with what a driver keeps of a layer. */
enum {
	DRV_NO_TREE = 1,
	DRV_LINK_FILE = 2, /* the layer's own word of its short id */
	DRV_LINK = 4, /* the short link that leads to it */
	DRV_LOWER = 8, /* the file that says its lowers */
	DRV_WORK = 16,
	DRV_MERGED = 32
};

struct driver {
	unsigned number; /* its place in driver_list */
	const char *name; /* also its directory under the root */
	const char *tree[2]; /* a layer's own tree, inside the layer, by enum ovl_kind */
	/* An image layer's tree is all there is to see of it, what is below it as well: it
	 * is mounted without lowers, and its tar is applied to what is below. */
	bool whole;
	const char *links; /* directory of short links, made with the driver's; or NULL */
	const char *work; /* overlayfs's work directory, inside a writable layer */
	const char *merged; /* the default mount point, inside the layer */
	const char *link_file; /* its short id, inside the layer; or NULL */
	const char *lower_file; /* says the lowers of a layer, inside the layer */
	unsigned max_lowers; /* of one mount */

	/* Puts the driver's own files into fd, a new layer whose tree exists already. */
	int (*seed)(int fd, const struct seed *how, struct ovl_err *err);
	/* Adds the short link that leads to layer id, before the layer is renamed in. */
	int (*publish)(int drv_fd, const char *link, const struct ovl_id *id,
		struct ovl_err *err);
	/* Takes back what publish did; also for a layer that is on its way out. */
	int (*retract)(int drv_fd, const char *link, const struct ovl_id *id,
		struct ovl_err *err);
	/* The lowers of a mount of the layer: its stack, without itself. */
	int (*lowers)(const struct layer *l, struct stack *out, struct ovl_err *err);
	/* The layer itself as a lower. */
	int (*as_lower)(const struct layer *l, struct buf *out, struct ovl_err *err);
	/* The short id as a file of the driver's in the layer has it, else "". -errno, and
	 * "", if that cannot be told. */
	int (*link_of)(int layer_fd, char link[SHORT_LEN + 1]);
	/*
	 * Which of DRV_* are wrong in the layer, whose lowers are to be n layers of these
	 * short ids, nearest first (NULL: not known).
	 */
	int (*verify)(const struct layer *l, const char *const *lowers, unsigned n,
		unsigned *faults, struct ovl_err *err);
	/* Puts faults right as far as it can; *left: those that remain. */
	int (*mend)(const struct layer *l, const char *const *lowers, unsigned n,
		unsigned faults, unsigned *left, struct ovl_err *err);
	/* The id of the layer with this short id: 1 found, 0 none, negative errno. */
	int (*by_link)(int drv_fd, const char *link, struct ovl_id *id);
	/* The parent as the driver's files in the layer have it, whatever .layer says: 1
	 * found, 0 none, negative errno: they are damaged. */
	int (*parent_of)(const struct layer *l, struct ovl_id *id);
};

/* drivers.c: all of them, NULL at the end; the first is the default of a new store. */
extern const struct driver *const driver_list[];

/* The driver with that name, NULL if there is none. */
const struct driver *driver_find(const char *name);

/*
 * What .layer says of the place of a layer, whose kind is set: on top of parent (NULL:
 * none), which cut hides with all below it.
 */
void driver_place(struct meta *m, const struct layer *parent, bool cut);

/* Does the layer keep a work directory and a mount point? Else it has a mount point only
 * while it is mounted there. */
bool driver_keeps_mount(const struct layer *l);

/* What its own tree is called, inside the layer. */
static inline const char *layer_tree_name(const struct layer *l)
{
	return l->drv->tree[l->meta.kind];
}

/* ---- for drivers ------------------------------------------------------------------ */

/* Makes work directory and mount point in fd, a new layer of drv. */
int driver_seed_mount(const struct driver *drv, int fd, struct ovl_err *err);

/* Is a file of the layer what it is to be? An empty text stands for no file. 1, 0, -1: it
 * cannot be read. */
int driver_file_is(const struct layer *l, const char *name, const char *want);
/* Makes it that, in one step. -1 with errno. */
int driver_set_file(const struct layer *l, const char *name, const char *text);

/* Those of DRV_NO_TREE, DRV_WORK and DRV_MERGED that are wrong in the layer. -1: that
 * cannot be told. */
int driver_missing(const struct layer *l, unsigned *faults);

/* Adds fault if as_it_should is 0; -1 if that is negative. */
int driver_fault(unsigned *faults, unsigned fault, int as_it_should);
/* Makes what of these can be made. -1 with errno. */
int driver_make_missing(const struct layer *l, unsigned faults);

/* Checks that a mount of a layer of that kind on top of parent has not too many lowers. */
int driver_check_depth(
	const struct layer *parent, enum ovl_kind kind, struct ovl_err *err);

#endif
