/*
 * The layers that an image config lists (rootfs.diff_ids), from the bottom.
 */
#ifndef OVL_FOREIGN_STACK_H
#define OVL_FOREIGN_STACK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

/* All zero: none. The same struct can be used for one config after another: chain ids of
 * layers that a config shares with the previous one are not computed again. */
struct foreign_stack {
	struct foreign_step {
		char diff_id[ID_LEN + 1];
		struct ovl_id chain;
	} step[OVL_MAX_LOWERS + 2]; /* one without a diff id follows what was read */
	size_t n;
	size_t same; /* layers from the bottom that the previous config has too */
};

/* 1; 0 if it lists no layers; negative errno and a text that calls the config "it". */
int foreign_stack_read(
	struct foreign_stack *s, const struct buf *config, struct ovl_err *err);

/* The chain id of the top one. */
static inline const struct ovl_id *foreign_stack_top(const struct foreign_stack *s)
{
	return &s->step[s->n - 1].chain;
}

#endif
