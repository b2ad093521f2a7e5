/* SPDX-License-Identifier: ISC */
/* ovlctl rm: removes layers. */

#include "cmd.h"

static const struct opt opts[] = {
	{'r', "recursive", NULL, "also remove all layers on top, even writable ones"},
	{'f', "force", NULL, "ignore layers that do not exist"},
	{0, NULL, NULL, NULL},
};

static int run_rm(struct run *run)
{
	unsigned flags = (opt_given(run, 'r') ? OVL_RM_RECURSIVE : 0) |
		(opt_given(run, 'f') ? OVL_RM_FORCE : 0);

	return ovl_remove(run->st, run->operand, flags, run->err);
}

const struct cmd cmd_rm = {
	.name = "rm",
	.synopsis = "[-f] [-r] LAYER...",
	.summary = "remove layers",
	.more = "All names of a layer are removed with it; 'ovlctl tag -d' removes only a name.",
	.completes = "layer",
	.others = "remove delete",
	.opts = opts,
	.min_operands = 1,
	.max_operands = UNLIMITED,
	.access = WRITE_STORE,
	.quick = true,
	.fn = run_rm,
};
