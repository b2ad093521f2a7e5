/* SPDX-License-Identifier: ISC */
/* ovlctl apply: applies the changes of a layer to the directory that it is on. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "out.h"

static const struct opt opts[] = {
	{OPT_DRY_RUN, "dry-run", NULL, "change nothing; list the changes and conflicts"},
	{OPT_FORCE, "force", NULL, "apply the changes despite conflicts"},
	{0, NULL, NULL, NULL},
};

static int print_change(void *ctx, const struct ovl_change *c)
{
	(void)ctx;
	out_name_line(c->kind, c->path);
	return 0;
}

static int run_apply(struct run *run)
{
	struct ovl_apply req = {
		.layer = run->operand[0],
		.paths = run->operand + 1,
		.force = opt_given(run, OPT_FORCE),
		.list = opt_given(run, OPT_DRY_RUN) ? print_change : NULL,
	};

	return ovl_apply(run->st, &req, run->err);
}

const struct cmd cmd_apply = {
	.name = "apply",
	.synopsis = "[--dry-run] [--force] LAYER [PATH...]",
	.summary = "apply a layer's changes to its directory",
	.more = "LAYER is on a directory of the host, made by create --on or run --on. It is\n"
		"removed afterwards, unless a PATH is given.",
	.completes = "writable file",
	.others = "merge accept",
	.opts = opts,
	.min_operands = 1,
	.max_operands = UNLIMITED,
	.access = WRITE_STORE,
	.fn = run_apply,
};
