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
 * What a commit needs to make an image layer of a writable one is staged in that, see
 * becoming.h.
 */
#ifndef OVL_STAGE_H
#define OVL_STAGE_H

#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "ovl.h"

struct driver;
struct layer;
struct layer_ref;
struct ovl_store;

struct stage {
	struct ovl_store *st;
	const struct driver *drv;
	int drv_fd; /* the store's */
	int home; /* the directory it lies in: staging/, a layer's, another stage's */
	int fd; /* the staged layer's directory */
	int spare; /* a descriptor for cleaning up when all others are in use */
	bool within; /* another stage, whose lock and end are this one's as well */
	bool hold; /* keep the layer from being removed when it is there, until stage_end */
	int held; /* its directory, locked */
	bool appeared; /* it is in its place, whatever went wrong after that */
	char name[ID_LEN + 1];
	char link[SHORT_LEN + 1];
};

#define STAGE_INIT                                 \
	{                                          \
		.fd = -1, .spare = -1, .held = -1, \
	}
#define auto_stage __attribute__((cleanup(stage_end))) struct stage

int stage_begin(struct ovl_store *st, const struct driver *drv, struct stage *out,
	struct ovl_err *err);

/* Puts an empty writable layer into it: tree, .layer, the driver's files. parent NULL:
 * none. */
int stage_fill_empty(struct stage *sg, const struct layer *parent, int64_t created,
	struct ovl_err *err);

/* The same in an empty directory, which is the stage's from then on: of what is never to be
 * a layer. What is in it goes with the file system that it is the root of. */
int stage_begin_at(struct ovl_store *st, const struct driver *drv, int dir,
	struct stage *out, struct ovl_err *err);

/* The same as name in another stage, which is to end after it: so that many layers need
 * one lock. Between stage_rest and stage_resume it takes no descriptor. */
int stage_begin_within(
	const struct stage *of, const char *name, struct stage *out, struct ovl_err *err);
void stage_rest(struct stage *sg);
int stage_resume(struct stage *sg, struct ovl_err *err);

/* The same as staging/<as>. */
int stage_begin_as(struct ovl_store *st, const struct driver *drv,
	const struct ovl_id *as, struct stage *out, struct ovl_err *err);
/* And in the open and exclusively locked layer, as .image; one that is there goes. */
int stage_begin_in(const struct layer *l, struct stage *out, struct ovl_err *err);

/*
 * Makes it layer id, on top of the open and locked parent (NULL: none), known as name
 * (NULL: without one). durable: sync before and after. 1: it is there; 0: a layer of that
 * id is there already, and the staged one will be dropped. On failure the name is not
 * given, and the layer is not there, unless sg->appeared: then it is, without the name, and
 * may not be on disk.
 */
int stage_commit(struct stage *sg, const struct ovl_id *id, const struct layer *parent,
	const char *name, bool durable, struct ovl_err *err);

/*
 * The parts of that, for many layers that are synced together: the hint in the parent
 * (which may be staged itself), then a sync, then the step, then stage_sync_dirs once for
 * them all.
 */
int stage_hint(const struct ovl_id *id, const struct layer *parent, struct ovl_err *err);
int stage_appear(struct stage *sg, const struct ovl_id *id, const struct layer *parent,
	const char *name, bool durable, struct ovl_err *err);
int stage_sync_dirs(const struct driver *drv, int drv_fd, struct ovl_err *err);

void stage_end(struct stage *sg);

/* Ends it, but leaves what was staged where it is: it is part of a layer now. */
void stage_leave(struct stage *sg);

/*
 * A layer that was found instead of made is the same, but its maker may have synced
 * nothing, or not yet: durable: all of it is on disk when this returns. OVL_NOLAYER when it
 * is gone again. out: open and locked, the caller's to close.
 */
int stage_found(struct ovl_store *st, const struct layer_ref *ref, bool durable,
	struct layer *out, struct ovl_err *err);

#endif
