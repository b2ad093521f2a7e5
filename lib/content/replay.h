/*
 * The tar of a layer: of an imported or committed one bit for bit as it was, from its
 * tree and its recipe (recipe.h), of a writable one packed from its changes (pack.h).
 */
#ifndef OVL_REPLAY_H
#define OVL_REPLAY_H

#include <stddef.h>

#include "base/err.h"
#include "base/sink.h"
#include "store/layer.h"

/*
 * Gives all bytes of the tar to the sink. Checks each file against its sum and the whole
 * against the diff id, and fails with -EUCLEAN and the name of what is damaged: what the
 * sink has got then is not the layer, but never longer than its tar was. -ENOENT, and no
 * text, if the layer has no recipe.
 */
int replay(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err);

/* For who wants all that is damaged: told of each file (path empty: the whole) and why, and
 * what cannot be read is zeros. */
struct replay_watch {
	void (*bad)(void *ctx, const char *path, const char *why);
	void *ctx;
};
int replay_watched(const struct layer *l, sink_fn sink, void *ctx,
	const struct replay_watch *watch, struct ovl_err *err);

/* The layer's tar in either way. */
int layer_tar(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err);

#endif
