/* SPDX-License-Identifier: ISC */
/* The driver "overlay": one lower layer, files shared by hard links. */
#include <errno.h>
#include <stdio.h>

#include "store/driver_overlay.h"

static const char root[] = "root";

static int parse_lower(const char *text, size_t len, struct stack *out)
{
	struct stack s = {.n = 1};

	if (len != ID_LEN || !id_is_full(text))
		return -EUCLEAN;
	if (asprintf(&s.text, "%s/%s", text, root) < 0)
		return -ENOMEM;
	s.name[0] = s.text;
	*out = s;
	return 0;
}

static int new_lower(const struct seed *how, struct buf *out, struct ovl_err *err)
{
	if (how->writable)
		buf_adds(out, how->parent->id.s);
	return out->failed ? err_nomem(err) : 0;
}

static void lower_text(const struct layer *l, const char (*links)[SHORT_LEN + 1],
	unsigned n, struct buf *out)
{
	(void)links;
	(void)n;
	if (l->meta.kind == OVL_WRITABLE && l->meta.has_parent)
		buf_adds(out, l->meta.parent.s);
}

const struct driver driver_overlay = {
	.number = 1,
	.name = "overlay",
	.tree = {[OVL_IMAGE] = root, [OVL_WRITABLE] = "upper"},
	.flat = true,
	.work = "work",
	.merged = "merged",
	.lower_file = "lower-id",
	.max_lowers = 1,
	.parse_lower = parse_lower,
	.new_lower = new_lower,
	.lower_text = lower_text,
};
