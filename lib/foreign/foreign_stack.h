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
	} * step;
	size_t n;
	size_t same; /* layers from the bottom that the previous config has too */
	size_t before; /* n of the previous config */
	size_t room; /* elements of step */
};

void foreign_stack_release(struct foreign_stack *s);
#define auto_foreign_stack \
	__attribute__((cleanup(foreign_stack_release))) struct foreign_stack

/* 1; 0 if it lists no layers; negative errno and a text that calls the config "it". */
int foreign_stack_read(
	struct foreign_stack *s, const struct buf *config, struct ovl_err *err);

/* The chain id of the top one. */
static inline const struct ovl_id *foreign_stack_top(const struct foreign_stack *s)
{
	return &s->step[s->n - 1].chain;
}

#endif
