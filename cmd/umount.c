/* SPDX-License-Identifier: ISC */
/* ovlctl umount: unmounts layers. */

#include "cmd.h"

static const struct opt opts[] = {
	{'l', "lazy", NULL, "detach now, unmount when the last file is closed"},
	{'R', "recursive", NULL, "also unmount what is mounted inside"},
	{'a', "all", NULL, "unmount all layers of this store"},
	{0, NULL, NULL, NULL},
};

/* Unmounts all, even if one fails. All failures are reported; the exit status is that of the
 * first. */
static int umount_each(struct run *run, unsigned flags)
{
	enum ovl_status status = OVL_FAILED;
	int first = 0;

	for (int i = 0; i < run->n_operands; i++) {
		struct ovl_err err = {.status = OVL_FAILED};
		int rc = ovl_umount(run->st, run->operand[i], flags, &err);

		if (rc == 0)
			continue;
		if (first)
			run->problem(run);
		else
			status = err.status;
		*run->err = err;
		run->err->status = status;
		first = first ? first : rc;
	}
	return first;
}

static int run_umount(struct run *run)
{
	unsigned flags = (opt_given(run, 'l') ? OVL_UMOUNT_LAZY : 0) |
		(opt_given(run, 'R') ? OVL_UMOUNT_RECURSIVE : 0);

	if (opt_given(run, 'a')) {
		if (run->n_operands)
			return usage(run->err, "-a takes no operands");
		return ovl_umount(run->st, NULL, flags, run->err);
	}
	if (!run->n_operands)
		return usage(
			run->err, "expected LAYER|TARGET...; see 'ovlctl umount --help'");
	return umount_each(run, flags);
}

const struct cmd cmd_umount = {
	.name = "umount",
	.synopsis = "[-lR] LAYER|TARGET...\n[-lR] -a",
	.summary = "unmount layers",
	.completes = "mounted",
	.others = "unmount stop detach",
	.opts = opts,
	.max_operands = UNLIMITED,
	.access = READ_STORE,
	.quick = true,
	.fn = run_umount,
};
