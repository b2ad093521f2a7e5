/* SPDX-License-Identifier: ISC */
/* ovlctl import: imports a layer or an image and prints the ids. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

static const struct opt opts[] = {
	{'n', "name", "NAME", "name of the layer"},
	{OPT_FORCE, "force", NULL, "take the name of -n from the layer that has it"},
	{OPT_NO_NAMES, "no-names", NULL, "ignore the names in an image"},
	{'p', "parent", "PARENT", "put the layer on top of PARENT"},
	{OPT_AS, "as", "WHAT", "layer or image (default: detected)"},
	{OPT_IMAGE, "image", "NAME", "import only this one of several images"},
	{OPT_PLATFORM, "platform", "P", "OS/ARCH[/VARIANT] (default: this machine's)"},
	{OPT_FROM, "from", "ROOT", "take images over from another program's store"},
	{OPT_ALL, "all", NULL, "with --from: all its images"},
	{OPT_UNVERIFIED, "unverified", NULL,
		"with --from: also layers that cannot be verified"},
	{OPT_EXPECT, "expect", "DIFF-ID", "refuse a layer with a different diff id"},
	{OPT_MAX_SIZE, "max-size", "N", "limit on tar and file size (default 1T)"},
	{OPT_MAX_ENTRIES, "max-entries", "N", "limit on entries (default 10000000)"},
	{OPT_MAX_DEPTH, "max-depth", "N", "limit on components of a name (default 1024)"},
	{0, NULL, NULL, NULL},
};

static int take_as(struct run *run, enum ovl_as *as)
{
	const char *what = opt_value(run, OPT_AS);

	*as = OVL_AS_AUTO;
	if (!what)
		return 0;
	if (strcmp(what, "layer") == 0)
		*as = OVL_AS_LAYER;
	else if (strcmp(what, "image") == 0)
		*as = OVL_AS_IMAGE;
	else
		return usage(run->err, "--as takes layer or image, not '%s'", what);
	return 0;
}

static int print_ids(struct ovl_ids *ids)
{
	progress_clear();
	for (size_t i = 0; i < ids->n; i++)
		printf("%s\n", ids->id[i].s);
	free(ids->id);
	return 0;
}

/* Options that describe a tar make no sense with --from. */
static int refuse_others(struct run *run)
{
	static const int others[] = {'p', OPT_AS, OPT_IMAGE, OPT_PLATFORM, OPT_EXPECT};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (opt_given(run, others[i]))
			return usage(run->err,
				"-p, --as, --image, --platform and --expect cannot be used with --from");
	}
	return 0;
}

static int run_adopt(struct run *run, const char *from)
{
	bool all = opt_given(run, OPT_ALL);
	const struct ovl_adopt req = {
		.from = from,
		.images = all ? NULL : run->operand,
		.name = opt_value(run, 'n'),
		.force = opt_given(run, OPT_FORCE),
		.no_names = opt_given(run, OPT_NO_NAMES),
		.unverified = opt_given(run, OPT_UNVERIFIED),
	};
	struct ovl_ids ids = {0};
	int rc = refuse_others(run);

	if (rc == 0 && all == (run->n_operands > 0))
		rc = usage(run->err,
			all ? "--all cannot be used with IMAGE" :
			      "expected IMAGE... or --all; see 'ovlctl import --help'");
	if (rc == 0)
		rc = ovl_adopt(run->st, &req, &ids, run->err);
	return rc < 0 ? rc : print_ids(&ids);
}

static int run_import(struct run *run)
{
	const char *from = opt_value(run, OPT_FROM);
	struct ovl_import req = {
		.file = run->operand[0],
		.parent = opt_value(run, 'p'),
		.force = opt_given(run, OPT_FORCE),
		.no_names = opt_given(run, OPT_NO_NAMES),
		.name = opt_value(run, 'n'),
		.expect = opt_value(run, OPT_EXPECT),
		.image = opt_value(run, OPT_IMAGE),
		.platform = opt_value(run, OPT_PLATFORM),
	};
	struct ovl_ids ids = {0};
	uint64_t depth;
	int rc;

	if (from)
		return run_adopt(run, from);
	if (opt_given(run, OPT_ALL) || opt_given(run, OPT_UNVERIFIED))
		return usage(run->err, "--all and --unverified are for --from");
	if (!run->n_operands)
		return usage(run->err, "expected FILE|-; see 'ovlctl import --help'");
	if (run->n_operands > 1)
		return usage(run->err, "unexpected operand '%s'; a name is given with -n",
			run->operand[1]);
	if (take_as(run, &req.as) < 0 ||
		opt_number(run, OPT_MAX_SIZE, &req.max_size) < 0 ||
		opt_number(run, OPT_MAX_ENTRIES, &req.max_entries) < 0 ||
		opt_number(run, OPT_MAX_DEPTH, &depth) < 0)
		return -1;
	req.max_depth = depth > UINT32_MAX ? UINT32_MAX : (unsigned)depth;
	req.fd = open_input(run, req.file);
	if (req.fd < 0)
		return -1;
	rc = ovl_import(run->st, &req, &ids, run->err);
	if (req.fd != STDIN_FILENO)
		close(req.fd);
	return rc < 0 ? rc : print_ids(&ids);
}

const struct cmd cmd_import = {
	.name = "import",
	.synopsis = "[-n NAME] [--force] [-p PARENT] [--expect DIFF-ID]\n"
		    " [--as layer] [limits] FILE|-\n"
		    "[-n NAME] [--force] [--no-names] [--image NAME]\n"
		    " [--platform P] [--as image] [limits] FILE|DIR|-\n"
		    "--from ROOT [-n NAME] [--force] [--no-names] [--unverified]\n"
		    " --all|IMAGE...",
	.summary = "import a layer tar or an image",
	.completes = "file none",
	.others = "load pull restore",
	.opts = opts,
	.min_operands = 0,
	.max_operands = UNLIMITED,
	.access = MAKE_STORE,
	.prints = true,
	.fn = run_import,
};
