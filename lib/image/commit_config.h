/*
 * The config of the image that a commit makes.
 */
#ifndef OVL_COMMIT_CONFIG_H
#define OVL_COMMIT_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "ovl.h"
#include "store/layer.h"

/* True if the request changes the config. */
static inline bool commit_has_config(const struct ovl_commit *req)
{
	return req->comment || req->author || req->n_changes;
}

/*
 * Makes the config, and its digest, for a layer with that diff id on top of the open
 * layer parent (NULL: none): that of the layers below, with the changes of the request.
 */
int image_commit_config(const struct layer *parent, const char *diff_id,
	const struct ovl_commit *req, struct buf *out, char hex[ID_LEN + 1],
	struct ovl_err *err);

#endif
