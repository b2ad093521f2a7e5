/* SPDX-License-Identifier: ISC */
/* ovlctl mount: mounts a layer and prints the mount point. */

#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'r', "read-only", NULL, "mount read-only (image layers always are)"},
	{'o', "options", "OPTS", "options of mount(8) and OverlayFS"},
	{OPT_FORCE, "force", NULL, "mount even if a volatile mount was not synced"},
	{0, NULL, NULL, NULL},
};

static int run_mount(struct run *run)
{
	const struct ovl_mount req = {
		.layer = run->operand[0],
		.target = run->n_operands > 1 ? run->operand[1] : NULL,
		.options = opt_value(run, 'o'),
		.readonly = opt_given(run, 'r'),
		.force = opt_given(run, OPT_FORCE),
	};
	char *where;
	int rc = ovl_mount(run->st, &req, &where, run->err);

	if (rc == 0) {
		printf("%s\n", where);
		free(where);
	}
	return rc;
}

const struct cmd cmd_mount = {
	.name = "mount",
	.synopsis = "[-r] [-o OPTS] [--force] LAYER [TARGET]",
	.summary = "mount a layer together with its stack",
	.opts = opts,
	.min_operands = 1,
	.max_operands = 2,
	.access = READ_STORE,
	.prints = true,
	.fn = run_mount,
};
