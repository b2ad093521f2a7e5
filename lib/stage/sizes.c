/* SPDX-License-Identifier: ISC */
/* The sizes of layers in a stack. */
#include <errno.h>
#include <string.h>

#include "store/driver.h"
#include "store/names.h"
#include "stage/sizes.h"

static int other_child(void *ctx, const struct layer_ref *child)
{
	const struct ovl_id *known = ctx;

	return !known || strcmp(child->id.s, known->s) != 0;
}

/* True if anything but the child on the way (NULL: it is the first layer) needs the
 * layer. */
static int needed(const struct layer *l, struct ovl_id *child, struct ovl_err *err)
{
	struct layer_ref ref = layer_ref_of(l);
	char name[NAME_LEN_MAX + 1];

	if (child && names_first(l->st, &ref, name))
		return 1;
	return layer_children(l, other_child, child, err);
}

int sizes_of(const struct layer *l, uint64_t own, struct sizes *out, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = l->drv};
	struct meta at = l->meta;
	struct ovl_id child = l->id;
	int shared = needed(l, NULL, err);

	if (shared < 0)
		return shared;
	out->stack = own;
	out->unique = shared ? 0 : own;
	for (unsigned i = 0; at.has_parent && i <= l->meta.depth; i++) {
		auto_layer below = LAYER_INIT;
		int rc;

		ref.id = at.parent;
		rc = layer_open_ref(l->st, &ref, 0, ref.id.s, &below, err);
		if (rc < 0)
			return err->status == OVL_NOLAYER ? 0 : rc;
		if (!shared) {
			shared = needed(&below, &child, err);
			if (shared < 0)
				return shared;
		}
		out->stack += below.meta.size;
		out->unique += shared ? 0 : below.meta.size;
		at = below.meta;
		child = below.id;
	}
	return 0;
}
