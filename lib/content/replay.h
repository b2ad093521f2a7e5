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

/*
 * Writes all bytes of the tar to the sink. Checks each file against its sum and the tar
 * against the diff id, and fails with -EUCLEAN and the name of what is damaged: the sink
 * has then got something else, but never more bytes than the tar has. -ENOENT without a
 * text if the layer has no recipe.
 */
int replay_layer(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err);

/* Reports all damage instead of failing: called for each damaged file (path empty: the
 * whole tar) with a reason. What cannot be read is replaced by zeros. */
struct replay_watch {
	void (*bad)(void *ctx, const char *path, const char *why);
	void *ctx;
};
int replay_layer_watched(const struct layer *l, sink_fn sink, void *ctx,
	const struct replay_watch *watch, struct ovl_err *err);

/* The layer's tar, rebuilt or packed. */
int replay_or_pack(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err);

#endif
