/*
 * The tar of a layer: an imported or committed layer is rebuilt bit for bit from its tree
 * and its recipe (recipe.h), a writable one is packed from its changes (pack.h).
 */
#ifndef OVL_REPLAY_H
#define OVL_REPLAY_H

#include <stddef.h>

#include "base/err.h"
#include "base/sink.h"
#include "store/layer.h"

/* Called for each damaged file (path empty: the whole tar) with a reason. */
struct replay_watch {
	void (*bad)(void *ctx, const char *path, const char *why);
	void *ctx;
};

/*
 * Writes all bytes of the tar of an image layer to the sink. Checks each file against its
 * sum and the tar against the diff id, and fails with -EUCLEAN and the name of what is
 * damaged: the sink has then got something else, but never more bytes than the tar has. With
 * a watch all damage is reported instead; what cannot be read is replaced by zeros.
 */
int replay_layer(const struct layer *l, sink_fn sink, void *ctx,
	const struct replay_watch *watch, struct ovl_err *err);

/* The trees of a layer of another program, nearest first. */
struct foreign;
struct foreign_layer;
struct replay_trees {
	int *fd;
	unsigned n;
};
int replay_open_trees(const struct foreign *f, const struct foreign_layer *l,
	struct replay_trees *out, struct ovl_err *err);
void replay_close_trees(struct replay_trees *t);
#define auto_trees __attribute__((cleanup(replay_close_trees))) struct replay_trees

/* As replay_layer() for such a layer, from its open tar-split (tar/tarsplit.h), which is read
 * from its beginning, and the files in its trees. */
struct replay_split {
	struct ovl_store *st; /* whose caller may stop it */
	const struct foreign_layer *layer;
	const struct replay_trees *trees;
	int split;
	bool unproved; /* sums are not checked: the receiver compares the diff id */
	bool only_look; /* write nothing: is it sound, and are the files there? */
};
int replay_split(
	const struct replay_split *from, sink_fn sink, void *ctx, struct ovl_err *err);

/* The layer's tar, rebuilt or packed. An image layer in another program's store is packed if
 * that has neither a tar-split nor the blob, with a warning if the diff id is another one. */
int replay_or_pack(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err);

#endif
