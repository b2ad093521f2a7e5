/* SPDX-License-Identifier: ISC */
/* ovlctl tag: gives a layer a name, or removes one. */

#include "cmd.h"

static const struct opt opts[] = {
	{'d', "delete", NULL, "remove the name"},
	{'f', "force", NULL, "take the name from another layer"},
	{0, NULL, NULL, NULL},
};

static int run_tag(struct run *run)
{
	bool force = opt_given(run, 'f');

	if (!opt_given(run, 'd')) {
		if (run->n_operands < 2)
			return usage(
				run->err, "expected LAYER NAME; see 'ovlctl tag --help'");
		return ovl_tag(
			run->st, run->operand[0], run->operand[1], force, run->err);
	}
	if (run->n_operands != 1)
		return usage(run->err, "-d takes one NAME");
	if (force)
		return usage(run->err, "-d and --force cannot be used together");
	return ovl_untag(run->st, run->operand[0], run->err);
}

const struct cmd cmd_tag = {
	.name = "tag",
	.synopsis = "[-f] LAYER NAME\n-d NAME",
	.summary = "give a layer a name, or remove a name",
	.completes = "layer none",
	.others = "rename name alias untag",
	.opts = opts,
	.min_operands = 0, /* -d takes one operand, so run_tag counts them */
	.max_operands = 2,
	.access = WRITE_STORE,
	.fn = run_tag,
};
