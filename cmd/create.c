/* SPDX-License-Identifier: ISC */
/* ovlctl create: makes a writable layer and prints its id. */

#include <stdio.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'n', "name", "NAME", "name of the layer"},
	{OPT_ON, "on", "DIR", "on this directory of the host; see ovlctl-apply(8)"},
	{'p', "parent", "PARENT", "the same as the operand"},
	{0, NULL, NULL, NULL},
};

static int run_create(struct run *run)
{
	struct ovl_create req = {.parent = opt_value(run, 'p'),
		.on = opt_value(run, OPT_ON),
		.name = opt_value(run, 'n')};
	struct ovl_id id;
	int rc;

	if (req.parent && run->n_operands)
		return usage(run->err, "--parent and an operand cannot be used together");
	if (run->n_operands)
		req.parent = run->operand[0];
	if (req.on && req.parent)
		return usage(run->err, "--on and PARENT cannot be used together");
	rc = ovl_create(run->st, &req, &id, run->err);
	if (rc == 0)
		printf("%s\n", id.s);
	return rc;
}

const struct cmd cmd_create = {
	.name = "create",
	.synopsis = "[-n NAME] [-p PARENT | PARENT | --on DIR]",
	.summary = "make a writable layer",
	.completes = "image none",
	.others = "new add init",
	.opts = opts,
	.max_operands = 1,
	.access = MAKE_STORE,
	.quick = true,
	.prints = true,
	.fn = run_create,
};
