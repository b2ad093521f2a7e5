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

/* The tar of an image layer in another program's store: the bytes that this unpacked, if it
 * has kept them; otherwise packed, with a warning that it is another. */
int replay_foreign(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err);

/* The layer's tar, rebuilt or packed. */
int replay_or_pack(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err);

#endif
