/*
 * Image configs (OCI image-spec, config.md), kept as they came with the layer that is the
 * top of the image: <id>/.configs/<64 hex>, named by the SHA-256 of its bytes, and put there
 * by an import (grants.h). Two images
 * may have the same layers and differ in nothing but their config, so a layer may have
 * several; the note of a name (names.h) says which one goes with it.
 */
#ifndef OVL_CONFIG_H
#define OVL_CONFIG_H

#include "buf.h"
#include "err.h"
#include "layer.h"

#define CONFIGS    ".configs"
#define CONFIG_MAX (4u << 20) /* bytes of a config that is accepted */

/*
 * The config of an open layer: the one that goes with what the layer was called (a name of
 * it), else the only one it has. 1 and its bytes and digest; 0 if it has none; OVL_USAGE
 * when there are several and what was no name. what NULL: the first of several will do.
 */
int config_get(const struct layer *l, const char *what, struct buf *out,
	char hex[ID_LEN + 1], struct ovl_err *err);

/* Has the config of that digest the bytes it should have? 1, 0, negative errno. */
int config_is_sound(const struct layer *l, const char *hex, struct ovl_err *err);

/* The digests of all configs of a layer, sorted, as lines. */
int config_list(const struct layer *l, struct buf *out, struct ovl_err *err);

#endif
