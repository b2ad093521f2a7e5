/*
 * Image configs (OCI image-spec, config.md), kept as they came with the layer that is the
 * top of the image: <id>/.configs/<64 hex>, named by the SHA-256 of its bytes, and put there
 * by an import (grants.h). Two images may have the same layers and differ in nothing but
 * their config, so a layer may have several. Which one is meant says what the layer is
 * called: by a name, whose note (names.h) has the digest, or as LAYER@sha256:<64 hex>.
 */
#ifndef OVL_CONFIG_H
#define OVL_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "store/layer.h"

#define CONFIGS    ".configs"
#define CONFIG_MAX (4u << 20) /* bytes of a config that is accepted */

/* layer_find and layer_open, for a LAYER that may say which config is meant. */
int config_find_layer(struct ovl_store *st, const char *what, struct layer_ref *ref,
	struct ovl_err *err);
int config_open_layer(
	struct ovl_store *st, const char *what, struct layer *out, struct ovl_err *err);

/*
 * Which config goes with what the open layer was called: 1 and its digest; 2 that was not
 * said, and of several it is the latest; 0 the layer has none. OVL_NOLAYER if it has not
 * the one that is asked for.
 */
int config_choose(const struct layer *l, const char *what, char hex[ID_LEN + 1],
	struct ovl_err *err);

/* The same, and its bytes; with a warning where the latest was taken. */
int config_get(const struct layer *l, const char *what, struct buf *out,
	char hex[ID_LEN + 1], struct ovl_err *err);

/* Has the config of that digest the bytes it should have? 1, 0, negative errno. */
int config_is_sound(const struct layer *l, const char *hex, struct ovl_err *err);

/* The digests of all configs of a layer, sorted, as lines. */
int config_list(const struct layer *l, struct buf *out, struct ovl_err *err);

#endif
