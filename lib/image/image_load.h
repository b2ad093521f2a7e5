/* SPDX-License-Identifier: ISC */
/*
 * Imports images into the store.
 *
 *	image_plan.c	which layers are missing, and their parents; may the names be given?
 *	image_pool.c	unpacks all of them in parallel: staged, every digest checked
 *	image_store.c	does what depends on the stack below; then they appear, from the bottom
 *			up, and get configs and names
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
	struct donor donor; /* with from->from */
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
	struct stage stage; /* what all of them are staged in */
	struct task *task; /* parents before children */
	size_t n;
	void *index; /* tasks by id, see tsearch(3) */
	struct grants grants;
	/* The merged tree of a task's layer and those below it, while trees are completed. */
	struct view below;
	const struct task *below_of;

	/* between the threads */
	atomic_uint done; /* tasks */
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
