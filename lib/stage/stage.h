/*
 * A new layer, before it appears in the store.
 *
 *	stage_begin		staging/<random>/ exists, locked by this process
 *	   |
 *	   | tree, .layer and the driver's files are written into sg.fd
 *	   v
 *	stage_commit		hint in the parent, sync, name, l/<link>, rename, sync
 *	   |			-> the layer exists, complete
 *	   |
 *	stage_end		always called; removes what was not committed
 *
 * Nothing outside staging/ changes before stage_commit. What a killed process leaves in
 * staging/ is not locked, and prune removes it.
 *
 * The files that a commit adds to a writable layer are staged inside that layer; see
 * becoming.h.
 */
#ifndef OVL_STAGE_H
#define OVL_STAGE_H

#include "base/err.h"
#include "base/id.h"
#include "ovl.h"

struct driver;
struct layer;
struct layer_ref;
struct ondir;
struct ovl_store;

struct stage {
	struct ovl_store *st;
	const struct driver *drv;
	int drv_fd; /* owned by the store */
	int home; /* the directory it is in: staging/, a layer's, another stage's */
	int fd; /* the staged layer's directory */
	int spare; /* a descriptor for cleaning up when all others are in use */
	bool within; /* it is inside another stage, whose lock and removal include it */
	bool hold; /* after the layer has appeared, keep it locked until stage_end */
	bool no_sync; /* the caller holds a lock: if stage_appear had to sync a hint that
		       * was removed meanwhile, it returns -EAGAIN instead */
	int held; /* its directory, locked */
	bool appeared; /* the layer exists, even if something failed after that */
	char name[ID_LEN + 1];
	char link[SHORT_LEN + 1];
};

#define STAGE_INIT                                 \
	{                                          \
		.fd = -1, .spare = -1, .held = -1, \
	}
#define auto_stage __attribute__((cleanup(stage_end))) struct stage

/* Begins as staging/<as>; NULL: <random>. */
int stage_begin(struct ovl_store *st, const struct driver *drv, const struct ovl_id *as,
	struct stage *out, struct ovl_err *err);

/* Fills it with an empty writable layer on parent, on a directory of the host, or (both
 * NULL) on nothing: tree, .layer, the driver's files. */
int stage_fill_empty(struct stage *sg, const struct layer *parent, struct ondir *on,
	struct timespec created, struct ovl_err *err);

/* Begins in an empty directory, which the stage takes over: for something that will
 * never be a layer. Its contents are not removed; they go with the file system that
 * the directory is the root of. */
int stage_begin_at(struct ovl_store *st, const struct driver *drv, int dir,
	struct stage *out, struct ovl_err *err);

/* Begins as name inside another stage, which must end later. Many layers then need only
 * one lock. Between stage_suspend and stage_resume the stage uses no descriptor. */
int stage_begin_within(
	const struct stage *of, const char *name, struct stage *out, struct ovl_err *err);
void stage_suspend(struct stage *sg);
int stage_resume(struct stage *sg, struct ovl_err *err);

/* Begins as .image in the open and exclusively locked layer, which is called what in
 * messages; replaces an existing one. */
int stage_begin_in(
	const struct layer *l, const char *what, struct stage *out, struct ovl_err *err);

/*
 * Makes it layer id, on top of the open and locked parent (NULL: none), with a name
 * (NULL: none). durable: sync before and after. 1: it exists now; 0: a layer with that id
 * exists already, and the staged one will be removed. On failure the name is not given,
 * and the layer does not exist, unless sg->appeared: then it exists without the name, and
 * may not be on disk.
 */
int stage_commit(struct stage *sg, const struct ovl_id *id, const struct layer *parent,
	const char *name, bool durable, struct ovl_err *err);

/*
 * The parts of stage_commit, for many layers that are synced together: the hint in the
 * parent (which may be staged itself), a sync, the rename, then stage_sync_dirs once for
 * all.
 */
int stage_hint(const struct ovl_id *id, const struct layer *parent, struct ovl_err *err);
int stage_appear(struct stage *sg, const struct ovl_id *id, const struct layer *parent,
	const char *name, bool durable, struct ovl_err *err);
int stage_sync_dirs(const struct driver *drv, int drv_fd, struct ovl_err *err);

void stage_end(struct stage *sg);

/* Ends it, but keeps what was staged in place: it is part of a layer now. */
void stage_leave(struct stage *sg);

#endif
