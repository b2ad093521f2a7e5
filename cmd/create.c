/* SPDX-License-Identifier: ISC */
/* ovlctl create: makes a writable layer and prints its id. */

#include <stdio.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'n', "name", "NAME", "name of the layer"},
	{0, NULL, NULL, NULL},
};

static int run_create(struct run *run)
{
	const char *parent = run->n_operands ? run->operand[0] : NULL;
	struct ovl_id id;
	int rc = ovl_create(run->st, parent, opt_value(run, 'n'), &id, run->err);

	if (rc == 0)
		printf("%s\n", id.s);
	return rc;
}

const struct cmd cmd_create = {
	.name = "create",
	.synopsis = "[-n NAME] [PARENT]",
	.summary = "make a writable layer",
	.opts = opts,
	.max_operands = 1,
	.access = MAKE_STORE,
	.prints = true,
	.fn = run_create,
};
