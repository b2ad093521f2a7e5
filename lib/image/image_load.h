/* SPDX-License-Identifier: ISC */
/*
 * Images on their way into the store.
 *
 *	image_plan.c	which layers are to be made, on which; may the names be given?
 *	image_pool.c	all of them taken in side by side: staged, every digest checked
 *	image_store.c	what depends on the stack below; then they appear, from the bottom up,
 *			and get configs and names
 *
 * All layers are staged within one stage. What an image of many layers takes of descriptors
 * and syncs does not grow with their number.
 */
#ifndef OVL_IMAGE_LOAD_H
#define OVL_IMAGE_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "content/ingest.h"
#include "image/image.h"
#include "stage/grants.h"

/* A layer that is not in the store yet. */
struct task {
	struct ovl_id id; /* chain id; first, as the key of the index */
	struct ovl_id parent;
	bool has_parent;
	struct task *
		up; /* that makes the parent; NULL: it is in the store, or there is none */
	size_t image; /* that it is the first to have it */
	const struct image_layer *from;
	struct ingest in;
	struct meta meta; /* when it is complete */
	char as[24]; /* its name in the stage */
};

struct load {
	struct ovl_store *st;
	const struct ovl_import *req;
	struct images *im;
	struct ovl_id *top; /* of each image */
	/* Of each image, locked: the topmost layer that is there, then the top itself. It
	 * keeps all below it from being removed. */
	struct layer *held;
	struct stage stage; /* what all of them are staged in */
	struct task *task; /* parents before children */
	size_t n;
	void *index; /* tasks by id, see tsearch(3) */
	struct grants grants;

	/* between the threads */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	size_t next; /* task to be begun */
	size_t done;
	unsigned running; /* workers */
	atomic_bool abort;
	atomic_uint_fast64_t bytes;
	atomic_uint_fast64_t entries;
	uint64_t total;
	int rc; /* the first failure */
	struct ovl_err *err;
};

struct layer_ref load_ref(const struct load *ld, const struct ovl_id *id);

int image_plan(struct load *ld, struct ovl_err *err);
void image_plan_release(struct load *ld);
/* All tasks run, or the first error. */
int image_pool(struct load *ld, struct ovl_err *err);

#endif
