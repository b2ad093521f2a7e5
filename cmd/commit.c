/* SPDX-License-Identifier: ISC */
/* ovlctl commit: turns a writable layer into an image layer and prints its id. */

#include <stdio.h>

#include "cmd.h"

#define MAX_CHANGES 256

static const struct opt opts[] = {
	{'n', "name", "NAME", "name of the image layer"},
	{OPT_KEEP, "keep", NULL, "keep the writable layer, on top of the image layer"},
	{'m', "message", "TEXT", "comment on the change, in the image's history"},
	{'a', "author", "AUTHOR", "author of the image"},
	{'c', "change", "INSTRUCTION", "change the image config; may be repeated"},
	{0, NULL, NULL, NULL},
};

static int run_commit(struct run *run)
{
	struct ovl_commit req = {
		.layer = run->operand[0],
		.name = opt_value(run, 'n'),
		.keep = opt_given(run, OPT_KEEP),
		.comment = opt_value(run, 'm'),
		.author = opt_value(run, 'a'),
	};
	const char *changes[MAX_CHANGES];
	struct ovl_id id;
	size_t at = 0;
	int rc;

	req.changes = changes;
	while ((changes[req.n_changes] = opt_next(run, 'c', &at))) {
		if (++req.n_changes == MAX_CHANGES)
			return usage(
				run->err, "more than %d instructions", MAX_CHANGES - 1);
	}
	rc = ovl_commit(run->st, &req, &id, run->err);
	if (rc < 0)
		return rc;
	progress_clear();
	printf("%s\n", id.s);
	return 0;
}

const struct cmd cmd_commit = {
	.name = "commit",
	.synopsis =
		"[-n NAME] [--keep] [-m TEXT] [-a AUTHOR]\n [-c INSTRUCTION]... LAYER",
	.summary = "turn a writable layer into an image layer",
	.completes = "writable none",
	.others = "snapshot",
	.opts = opts,
	.min_operands = 1,
	.max_operands = 1,
	.access = WRITE_STORE,
	.prints = true,
	.fn = run_commit,
};
