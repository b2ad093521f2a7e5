/*
 * A layer in the making.
 *
 *	stage_begin		staging/<random>/ exists, locked by this process
 *	   |
 *	   | tree, .layer and the driver's files are written into sg.fd
 *	   v
 *	stage_commit		hint in the parent, sync, name, l/<link>, rename, sync
 *	   |			-> the layer is there, all of it
 *	   |
 *	stage_end		drops what was not committed, always called
 *
 * Nothing outside staging/ changes before stage_commit. What a dead process leaves in
 * staging/ nobody has locked, and prune takes it.
 *
 * A writable layer that becomes an image layer is staged in itself, see commit.h: its
 * tree is moved in at the last moment, and never lies where prune would take it.
 */
#ifndef OVL_STAGE_H
#define OVL_STAGE_H

#include "err.h"
#include "id.h"
#include "ovl.h"

struct driver;
struct layer;
struct layer_ref;
struct ovl_store;

struct stage {
	struct ovl_store *st;
	const struct driver *drv;
	int drv_fd; /* the store's */
	int home; /* the directory it lies in: staging/, or that of a layer */
	int fd; /* the staged layer's directory */
	int spare; /* a descriptor for who has to clean up when all are in use */
	int tree_from; /* directory its tree is moved in from; -1: it has one */
	bool hold; /* keep the layer from being removed when it is there, until stage_end */
	int held; /* its directory, locked */
	bool appeared; /* the layer was put in place */
	char name[ID_LEN + 1];
	char link[SHORT_LEN + 1];
};

#define STAGE_INIT                                                  \
	{                                                           \
		.fd = -1, .spare = -1, .tree_from = -1, .held = -1, \
	}
#define auto_stage __attribute__((cleanup(stage_end))) struct stage

int stage_begin(struct ovl_store *st, const struct driver *drv, struct stage *out,
	struct ovl_err *err);

/* The same as name in the open and exclusively locked layer, whose tree it will get. */
int stage_begin_in(
	const struct layer *l, const char *name, struct stage *out, struct ovl_err *err);

/*
 * Makes it layer id, on top of the open and locked parent (NULL: none), known as name
 * (NULL: without one). durable: sync before and after. 1: committed; 0: a layer of that
 * id is there already; it has the name now, and the staged one will be dropped. On
 * failure neither layer nor name is there; but for a tree that was moved in, which stays
 * where it is when nothing but the last sync failed.
 */
int stage_commit(struct stage *sg, const struct ovl_id *id, const struct layer *parent,
	const char *name, bool durable, struct ovl_err *err);

/* Lets go of what hold keeps. */
void stage_release(struct stage *sg);

void stage_end(struct stage *sg);

/*
 * Of a layer that was found instead of made: it gets the name (NULL: none). Who made it may
 * have synced nothing, or not yet; durable: all of it is on disk when this returns.
 * OVL_NOLAYER when it is gone again. held (may be NULL): its directory, locked, the caller's
 * to close.
 */
int stage_found(struct ovl_store *st, const struct layer_ref *ref, const char *name,
	bool durable, int *held, struct ovl_err *err);

#endif
