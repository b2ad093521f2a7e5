/* SPDX-License-Identifier: ISC */
/*
 * The table of commands, in the order in which --help shows them.
 */
#include <stddef.h>

#include "commands.h"

const struct cmd *const commands[] = {
	&cmd_import,
	&cmd_create,
	&cmd_mount,
	&cmd_umount,
	&cmd_run,
	&cmd_diff,
	&cmd_apply,
	&cmd_commit,
	&cmd_export,
	&cmd_tag,
	&cmd_rm,
	&cmd_ls,
	&cmd_show,
	&cmd_du,
	&cmd_which,
	&cmd_check,
	&cmd_prune,
	&cmd_help,
	NULL,
};
