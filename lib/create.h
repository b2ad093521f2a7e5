/*
 * What an empty writable layer consists of.
 */
#ifndef OVL_CREATE_H
#define OVL_CREATE_H

#include <stdint.h>

#include "err.h"
#include "layer.h"
#include "stage.h"

/* Puts it into a stage: tree, .layer, the driver's files. parent NULL: none. */
int create_fill(struct stage *sg, const struct layer *parent, int64_t created,
	struct ovl_err *err);

#endif
