/* SPDX-License-Identifier: ISC */
/*
 * Imports images into the store.
 *
 *	image_plan.c	finds the missing layers and their parents, and checks the names
 *	image_pool.c	unpacks all of them in parallel, staged, and checks every digest
 *	image_store.c	does what depends on the stack below; then makes the layers
 *			appear, from the bottom up, and gives them configs and names
 *
 * All layers are staged within one stage. The number of descriptors and syncs does not
 * grow with the number of layers.
 */
#ifndef OVL_IMAGE_LOAD_H
#define OVL_IMAGE_LOAD_H

#include <stdatomic.h>

#include "content/ingest.h"
#include "image/image.h"
#include "stage/grants.h"
#include "union/view.h"

/* A layer to be imported. */
struct task {
	struct ovl_id id; /* chain id; first, as the key of the index */
	struct ovl_id parent;
	bool has_parent;
	struct task *up; /* the task of the parent; NULL: it is in the store, or there is
		     * none */
	size_t image; /* the first image that has it */
	const struct image_layer *from;
	struct ingest in;
	struct donor donor; /* used with from->from */
	struct meta meta; /* valid when it is complete */
	char as[24]; /* its name in the stage */
};

struct load {
	struct ovl_store *st;
	const struct ovl_import *req;
	struct images *im;
	struct ovl_id *top; /* of each image */
	/* For each image, locked: the topmost existing layer, later the top itself.
	 * This keeps all layers below from being removed. */
	struct layer *held;
	struct stage stage; /* the stage that contains all of them */
	struct task *task; /* parents before children */
	size_t n;
	void *index; /* tasks by id, see tsearch(3) */
	struct grants grants;
	/* The merged tree of a task's layer and those below it, while trees are
	 * completed. */
	struct view below;
	const struct task *below_of;

	/* between the threads */
	atomic_uint done; /* number of tasks that are done */
	atomic_bool abort;
	atomic_uint_fast64_t bytes;
	atomic_uint_fast64_t entries;
	uint64_t total;
};

struct layer_ref image_load_ref(const struct load *ld, const struct ovl_id *id);

int image_plan(struct load *ld, struct ovl_err *err);
void image_plan_release(struct load *ld);
/* Runs all tasks; returns the first error. */
int image_pool(struct load *ld, struct ovl_err *err);

#endif
