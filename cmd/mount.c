/* SPDX-License-Identifier: ISC */
/* ovlctl mount: mounts a layer and prints the mount point. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'r', "read-only", NULL, "mount read-only (image layers always are)"},
	{'o', "options", "OPTS", "options of mount(8) and OverlayFS"},
	{OPT_MKDIR, "mkdir", NULL, "make TARGET if it does not exist"},
	{OPT_FORCE, "force", NULL, "mount even if a volatile mount was not synced"},
	{0, NULL, NULL, NULL},
};

/* The target and directories above it that were made. */
struct made {
	char *path;
	size_t from; /* length of the first path that was made; 0: none */
};

/* Like mkdir -p. */
static int make_target(struct run *run, const char *target, struct made *made)
{
	char *path = made->path = strdup(target);
	size_t n = path ? strlen(path) : 0;
	int rc = path ? 0 : -1;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	for (size_t i = 1; i <= n && rc == 0; i++) {
		char was = path[i];

		if (was && was != '/')
			continue;
		path[i] = '\0';
		rc = mkdir(path, 0777 & ~run->umask);
		if (rc == 0 && !made->from)
			made->from = i;
		if (rc < 0 && errno == EEXIST)
			rc = 0;
		path[i] = was;
	}
	return rc < 0 ? cannot(run->err, errno, "make", target) : 0;
}

/* Removes the directories that were made, if nothing was mounted. */
static void unmake_target(const struct made *made)
{
	size_t n = strlen(made->path);

	while (made->from && n >= made->from) {
		rmdir(made->path);
		while (n && made->path[n] != '/')
			n--;
		made->path[n] = '\0';
	}
}

static int run_mount(struct run *run)
{
	const struct ovl_mount req = {
		.layer = run->operand[0],
		.target = run->n_operands > 1 ? run->operand[1] : NULL,
		.options = opt_value(run, 'o'),
		.readonly = opt_given(run, 'r'),
		.force = opt_given(run, OPT_FORCE),
	};
	struct made made = {NULL, 0};
	char *where = NULL;
	int rc = 0;

	if (opt_given(run, OPT_MKDIR) && !req.target)
		return usage(run->err, "--mkdir needs a TARGET");
	if (opt_given(run, OPT_MKDIR))
		rc = make_target(run, req.target, &made);
	if (rc == 0)
		rc = ovl_mount(run->st, &req, &where, run->err);
	if (rc < 0 && made.path)
		unmake_target(&made);
	else if (rc == 0)
		printf("%s\n", where);
	free(made.path);
	free(where);
	return rc;
}

const struct cmd cmd_mount = {
	.name = "mount",
	.synopsis = "[-r] [-o OPTS] [--mkdir] [--force] LAYER [TARGET]",
	.summary = "mount a layer together with its stack",
	.others = "start attach",
	.completes = "layer dir none",
	.opts = opts,
	.min_operands = 1,
	.max_operands = 2,
	.access = READ_STORE,
	.quick = true,
	.prints = true,
	.fn = run_mount,
};
