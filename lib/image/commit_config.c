/* SPDX-License-Identifier: ISC */
/* Makes the config of an image that a commit creates, the same as an export would. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "image/commit_config.h"
#include "image/export.h"
#include "store/config.h"

/* Adds the new layer, which has diff_id and is not opened, or opens the next one below.
 * The stack starts at the top, so it is reversed at the end. */
static int add(struct exported *img, const struct layer *parent, const char *diff_id,
	struct ovl_err *err)
{
	struct blob *b = calloc(1, sizeof(*b));
	int rc = 0;

	if (!b || !VEC_ROOM(img->stack, img->n)) {
		free(b);
		return err_nomem(err);
	}
	b->l = LAYER_INIT;
	b->l.meta.created = meta_now();
	img->stack[img->n++] = b;
	if (!diff_id)
		rc = img->n == 2 ? layer_open_ref(parent->st,
					   &(struct layer_ref){parent->drv, parent->id},
					   LOCK_SH, parent->id.s, &b->l, err) :
				   layer_open_parent(&img->stack[img->n - 2]->l, LOCK_SH,
					   &b->l, err);
	memcpy(b->diff_id, diff_id ? diff_id : b->l.meta.diff_id, sizeof(b->diff_id));
	return rc;
}

static int open_stack(struct exported *img, const struct layer *parent,
	const char *diff_id, struct ovl_err *err)
{
	bool more = parent;
	int rc = add(img, parent, diff_id, err);

	while (rc == 0 && more) {
		rc = add(img, parent, NULL, err);
		more = img->stack[img->n - 1]->l.meta.has_parent;
	}
	export_turn_over(img);
	return rc;
}

int image_commit_config(const struct layer *parent, const char *diff_id,
	const struct ovl_commit *req, struct buf *out, char hex[ID_LEN + 1],
	struct ovl_err *err)
{
	struct exported img = {.change = req};
	int rc = open_stack(&img, parent, diff_id, err);

	if (rc == 0)
		rc = export_find_config(&img, err);
	if (rc == 0)
		rc = export_make_config(&img, err);
	/* No command reads a larger one. */
	if (rc == 0 && img.config.len > CONFIG_MAX)
		rc = err_say(err, EFBIG, "its image config would be over 4 MiB");
	if (rc == 0) {
		*out = steal(img.config);
		memcpy(hex, img.config_digest, ID_LEN + 1);
	}
	for (size_t i = 0; i < img.n; i++) {
		layer_close(&img.stack[i]->l);
		free(img.stack[i]);
	}
	free(img.stack);
	buf_release(&img.found);
	buf_release(&img.config);
	json_decref(img.platform);
	return rc;
}
