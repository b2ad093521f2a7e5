/*
 * The bytes of a layer's tar into a staged layer.
 *
 *	ingest_begin	a staging directory, and the input is being read
 *	ingest_run	the one pass: tree, recipe, digest; needs nothing of the stack below,
 *			so that layers of an image are taken in side by side
 *	ingest_commit	what depends on the stack below, then it is a layer
 *	ingest_end	always; drops what was not committed
 *
 * begin, commit and end are for the thread that has the store; run may be in any.
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
	/* Open already, to be read instead, with that max_size; closed by ingest_begin or
	 * ingest_end. NULL: input. */
	struct stream *stream;
	void (*seen)(void *ctx, struct archive_entry *e); /* each entry; NULL: no */
	void *seen_ctx;
	const struct driver *drv;
	const struct stage *within; /* it is staged in this one, as */
	const char *as; /* that name; NULL: in one of its own */
	uint64_t max_size; /* 0: default; so are the others */
	uint64_t max_entries;
	unsigned max_depth;
	const char *digest; /* that the input must have as it is, hex; NULL: any */
	const char *diff_id; /* that it must have, hex; NULL: any */
	const atomic_bool *abort; /* another thread failed; NULL: none */
	atomic_uint_fast64_t *entries; /* are added here too; NULL: no */
	bool no_data; /* files get their size alone; no recipe is made */
	bool beside; /* other layers are taken in at the same time, in other threads */
	/* Progress is told from ingest_run: of what input.taken and entries count, where they
	 * are given, else of this input. */
	bool tell;
};

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

/* What depends on the stack below, without making it a layer. */
int ingest_settle(struct ingest *in, const struct layer *parent, struct ovl_err *err);

/*
 * The same with the stack as a view, and all that the layer needs but a place, on top of
 * parent, which may be staged itself. meta: what .layer says of it now. The descriptors of
 * one that is staged within another are closed then.
 */
int ingest_complete(struct ingest *in, const struct layer *parent,
	const struct view *below, struct meta *meta, struct ovl_err *err);

/*
 * Makes it layer id on top of the open and locked parent (NULL: none), known as name (may
 * be NULL). 1: committed, 0: a layer of that id is there already and has the name now.
 */
int ingest_commit(struct ingest *in, const struct layer *parent, const struct ovl_id *id,
	const char *name, struct ovl_err *err);
void ingest_end(struct ingest *in);

/* Warns once about what was left out of all layers imported so far. */
void ingest_warn_left(struct ovl_store *st);

/* Of a layer that is there already: all of it is on disk, and it has the name (may be
 * NULL). OVL_NOLAYER when it is gone again. */
int ingest_found(struct ovl_store *st, const struct layer_ref *ref, const char *name,
	struct ovl_err *err);

#endif
