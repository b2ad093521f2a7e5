/* SPDX-License-Identifier: ISC */
/* ovlctl commit: turns a writable layer into an image layer and prints its id. */

#include <stdio.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'n', "name", "NAME", "name of the image layer"},
	{OPT_KEEP, "keep", NULL, "keep the writable layer, on top of the image layer"},
	{0, NULL, NULL, NULL},
};

static int run_commit(struct run *run)
{
	struct ovl_commit req = {
		.layer = run->operand[0],
		.name = opt_value(run, 'n'),
		.keep = opt_given(run, OPT_KEEP),
	};
	struct ovl_id id;
	int rc = ovl_commit(run->st, &req, &id, run->err);

	if (rc < 0)
		return rc;
	progress_clear();
	printf("%s\n", id.s);
	return 0;
}

const struct cmd cmd_commit = {
	.name = "commit",
	.synopsis = "[-n NAME] [--keep] LAYER",
	.summary = "turn a writable layer into an image layer",
	.others = "snapshot",
	.opts = opts,
	.min_operands = 1,
	.max_operands = 1,
	.access = READ_STORE,
	.prints = true,
	.fn = run_commit,
};
