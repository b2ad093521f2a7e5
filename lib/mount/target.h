/* The directory that a layer is mounted on: opens and checks it. */
#ifndef OVL_TARGET_H
#define OVL_TARGET_H

#include "base/buf.h"
#include "base/err.h"
#include "store/layer.h"

struct target {
	const struct layer *l;
	const char *named; /* the user's path; NULL: the layer's own mount point */
	int fd; /* O_PATH: the directory, which a mount on it hides */
	bool made; /* the layer's own mount point was created for this mount */
	struct buf path;
};

/*
 * Opens it: named, or the layer's own, which some layers have only while they are
 * mounted. Refuses the store itself, and directories in it or above it.
 */
int target_open(const struct layer *l, const char *named, struct target *out,
	struct ovl_err *err);
/* The layer that is mounted on it: 1, 0 if there is none, negative errno. */
int target_layer(const struct target *t, struct layer_ref *ref, struct ovl_err *err);
/* OVL_BUSY if a layer is mounted on it. */
int target_refuse_taken(const struct target *t, struct ovl_err *err);
/* Refuses a directory that is not empty. */
int target_refuse_full(const struct target *t, struct ovl_err *err);
/* The device number of the file system that is mounted there now; -1 with errno. */
int target_dev(const struct target *t, dev_t *dev);
/* Removes what was created for a mount that failed. */
void target_undo(struct target *t);
void target_close(struct target *t);
#define auto_target __attribute__((cleanup(target_close))) struct target

#endif
