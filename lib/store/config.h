/*
 * Image configs (OCI image-spec, config.md). An import (grants.h) stores a config
 * unchanged with the top layer of its image: <id>/.configs/<64 hex>, named by the SHA-256
 * of its bytes. Two images may differ only in their config, so a layer can have several.
 * Which one is meant depends on what the layer is called: by a name, whose note (names.h)
 * has the digest, or as LAYER@sha256:<64 hex>.
 */
#ifndef OVL_CONFIG_H
#define OVL_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "store/layer.h"

#define CONFIGS    ".configs"
#define CONFIG_MAX (4u << 20) /* largest config that is accepted, in bytes */

/* layer_find() and layer_open() for an operand that may include a config digest. */
int config_find_layer(struct ovl_store *st, const char *what, struct layer_ref *ref,
	struct ovl_err *err);
int config_open_layer(
	struct ovl_store *st, const char *what, struct layer *out, struct ovl_err *err);

/*
 * Finds the config that belongs to the name or operand what: 1 and its digest; 2 and the
 * latest of several, if what selects none; 0 if the layer has none. OVL_NOLAYER if it
 * does not have the one asked for.
 */
int config_choose(const struct layer *l, const char *what, char hex[ID_LEN + 1],
	struct ovl_err *err);

/* The same, with the bytes of the config; warns if it is the latest of several. */
int config_get(const struct layer *l, const char *what, struct buf *out,
	char hex[ID_LEN + 1], struct ovl_err *err);

/* 1 if the config matches its digest, 0 if not, negative errno. */
int config_is_sound(const struct layer *l, const char *hex, struct ovl_err *err);

/* The digests of all configs of a layer, sorted, as lines. */
int config_list(const struct layer *l, struct buf *out, struct ovl_err *err);

#endif
