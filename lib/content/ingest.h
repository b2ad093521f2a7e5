/*
 * Unpacks a layer's tar into a staged layer.
 *
 *	ingest_begin	makes a staging directory and starts to read the input
 *	ingest_run	the only pass: tree, recipe, digest; independent of the stack below,
 *			so that layers of an image can be unpacked in parallel
 *	ingest_commit	does what depends on the stack below, then makes it a layer
 *	ingest_end	always; removes what was not committed
 *
 * begin, commit and end must run in the thread that uses the store; run may be in any.
 */
#ifndef OVL_INGEST_H
#define OVL_INGEST_H

#include <stdatomic.h>

#include "base/pace.h"
#include "codec/stream.h"
#include "content/unpack.h"
#include "store/layer.h"
#include "stage/stage.h"
#include "tar/tarin.h"

struct ingest_config {
	struct stream_config input; /* max_size and stop are set by ingest_begin */
	/* A stream that is open already, with that max_size, to be read instead of input;
	 * closed by ingest_begin or ingest_end. NULL: none. */
	struct stream *stream;
	void (*seen)(void *ctx, struct archive_entry *e); /* each entry; NULL: no */
	void *seen_ctx;
	const struct driver *drv;
	const struct stage *within; /* with as: stage it inside this stage */
	const char *as; /* under this name; NULL: in a stage of its own */
	uint64_t max_size; /* 0: default; also for the others */
	uint64_t max_entries;
	unsigned max_depth;
	const char *digest; /* expected digest of the input as it is, hex; NULL: any */
	const char *diff_id; /* expected diff id, hex; NULL: any */
	bool may_be_empty; /* accept an input of no bytes, as a layer without entries */
	const atomic_bool *abort; /* another thread failed; NULL: none */
	atomic_uint_fast64_t *entries; /* entries are also counted here; NULL: no */
	const struct donor *donor; /* see unpack.h; NULL: none */
	bool no_data; /* files get only their size; no recipe is made */
	bool parallel; /* other layers are unpacked at the same time, in other threads */
	/* ingest_run reports progress: input.taken, of total bytes, and entries if they
	 * are set, otherwise that of this input. */
	bool tell;
	uint64_t total; /* 0: unknown */
};

/* For layers that are in the store already. */
#define INGEST_NO_LIMITS \
	.max_size = INT64_MAX, .max_entries = UINT64_MAX, .max_depth = UINT32_MAX

struct ingest {
	struct ovl_store *st;
	struct ingest_config cfg;
	struct stage stage;
	struct tarin *tar;
	struct recipe_out *recipe;
	struct unpack unpack;
	char diff_id[ID_LEN + 1]; /* after ingest_run */
	uint64_t tar_size;
	struct pace pace;
};

#define INGEST_INIT                                                      \
	{                                                                \
		.stage = STAGE_INIT, .unpack = {.tree = -1, .kept = -1 } \
	}

int ingest_begin(struct ingest *in, struct ovl_store *st, const struct ingest_config *cfg,
	struct ovl_err *err);
int ingest_run(struct ingest *in, struct ovl_err *err);
/* Both in one. After a failure the ingest is ended, and can be begun again. */
int ingest_all(struct ingest *in, struct ovl_store *st, const struct ingest_config *cfg,
	struct ovl_err *err);

/* Does what depends on the stack below, without making it a layer. */
int ingest_resolve(struct ingest *in, const struct layer *parent, struct ovl_err *err);

/*
 * The same with the stack as a view; also writes everything else that a layer on top of
 * parent needs. parent may be staged itself. meta: the content of .layer. If it is staged
 * within another stage, its descriptors are closed.
 */
int ingest_complete(struct ingest *in, const struct layer *parent,
	const struct view *below, struct meta *meta, struct ovl_err *err);

/*
 * Makes it layer id on top of the open and locked parent (NULL: none), with a name (may
 * be NULL). 1: committed; 0: a layer with that id exists already and has the name now.
 */
int ingest_commit(struct ingest *in, const struct layer *parent, const struct ovl_id *id,
	const char *name, struct ovl_err *err);
/* The same for an image layer that is staged with all its files. */
int ingest_commit_stage(struct stage *sg, const struct layer *parent,
	const struct ovl_id *id, const char *name, struct ovl_err *err);
void ingest_end(struct ingest *in);

/* Warns once about what was left out of all imported layers. */
void ingest_warn_left(struct ovl_store *st);

/* For a layer that exists already: makes sure that it is on disk and gives it the name
 * (may be NULL; force: also if another layer has it). OVL_NOLAYER if it has been
 * removed. */
int ingest_found(struct ovl_store *st, const struct layer_ref *ref, const char *name,
	bool force, struct ovl_err *err);

#endif
