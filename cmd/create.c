/* SPDX-License-Identifier: ISC */
/* ovlctl create: makes a writable layer and prints its id. */

#include <stdio.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'n', "name", "NAME", "name of the layer"},
	{'p', "parent", "PARENT", "the same as the operand"},
	{0, NULL, NULL, NULL},
};

static int run_create(struct run *run)
{
	const char *parent = opt_value(run, 'p');
	struct ovl_id id;
	int rc;

	if (parent && run->n_operands)
		return usage(run->err, "--parent and an operand cannot be used together");
	if (run->n_operands)
		parent = run->operand[0];
	rc = ovl_create(run->st, parent, opt_value(run, 'n'), &id, run->err);

	if (rc == 0)
		printf("%s\n", id.s);
	return rc;
}

const struct cmd cmd_create = {
	.name = "create",
	.synopsis = "[-n NAME] [-p PARENT | PARENT]",
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
