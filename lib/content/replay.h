/*
 * The tar of a layer: an imported or committed layer is rebuilt bit for bit from its tree
 * and its recipe (recipe.h), a writable one is packed from its changes (pack.h).
 */
#ifndef OVL_REPLAY_H
#define OVL_REPLAY_H

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
 * checksum and the tar against the diff id, and fails with -EUCLEAN and the name of the
 * damaged file. The sink has then received wrong bytes, but never more than the tar has.
 * With a watch, all damage is reported instead, and data that cannot be read is replaced
 * by zeros.
 */
int replay_layer(const struct layer *l, sink_fn sink, void *ctx,
	const struct replay_watch *watch, struct ovl_err *err);

/* The trees of a layer of another program, nearest first. */
struct foreign;
struct foreign_layer;
struct handover;
struct replay_trees {
	int *fd;
	unsigned n;
};
int replay_open_trees(const struct foreign *f, const struct foreign_layer *l,
	struct replay_trees *out, struct ovl_err *err);
void replay_close_trees(struct replay_trees *t);
#define auto_trees __attribute__((cleanup(replay_close_trees))) struct replay_trees

/* Like replay_layer(), for such a layer: uses its open tar-split (tar/tarsplit.h), which
 * is read from the beginning, and the files in its trees. */
struct replay_split {
	struct ovl_store *st; /* for its stop flag */
	const struct foreign_layer *layer;
	const struct replay_trees *trees;
	int split;
	/* Gets the files that are read; ctx is then a stream, into whose blocks they are read.
	 * NULL: they are closed. */
	struct handover *read;
	bool unproved; /* do not check sums, because the receiver compares the diff id */
	bool only_look; /* write nothing; only check that it is valid and the files exist */
};
int replay_split(
	const struct replay_split *from, sink_fn sink, void *ctx, struct ovl_err *err);

/* Writes the layer's tar, rebuilt or packed. An image layer in another program's store is
 * packed if that has neither a tar-split nor the blob, with a warning if its diff id
 * differs. */
int replay_or_pack(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err);

#endif
