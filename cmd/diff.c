/* SPDX-License-Identifier: ISC */
/* ovlctl diff: the changes of a layer as a list, as JSON or as a tar. */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "out.h"

static const struct opt opts[] = {
	{'J', "json", NULL, "print the list as JSON"},
	{'z', "zero", NULL, "end lines with NUL, do not escape names"},
	{OPT_TAR, "tar", NULL, "write a layer tar to standard output"},
	{'o', "output", "FILE", "write a layer tar to FILE (- is standard output)"},
	{OPT_COMPRESS, "compress", "C",
		"none, gzip, zstd, xz, bzip2, lz4 (default: suffix)"},
	{0, NULL, NULL, NULL},
};

/* ---- the list --------------------------------------------------------------------- */

struct printer {
	bool json;
	bool zero;
	size_t n;
	int failed; /* errno of a line that could not be printed */
};

static void print_plain(const struct printer *p, const struct ovl_change *c)
{
	if (p->zero)
		printf("%c %s%c", c->kind, c->path, '\0');
	else
		out_name_line(c->kind, c->path);
}

static void print_json(struct printer *p, const struct ovl_change *c)
{
	json_t *o = json_pack("{s:s#}", "kind", &c->kind, 1);

	out_json_path(o, "path", c->path);
	out_json_item(o, p->n++);
}

static int print_change(void *ctx, const struct ovl_change *c)
{
	struct printer *p = ctx;

	errno = 0;
	if (p->json)
		print_json(p, c);
	else
		print_plain(p, c);
	if (!ferror(stdout))
		return 0;
	p->failed = errno ? errno : EIO;
	return -p->failed;
}

static int list(struct run *run)
{
	struct printer p = {.json = opt_given(run, 'J'), .zero = opt_given(run, 'z')};
	const char *base = run->n_operands > 1 ? run->operand[1] : NULL;
	int rc;

	if (p.json && p.zero)
		return usage(run->err, "-J and -z cannot be used together");
	rc = ovl_diff(run->st, run->operand[0], base, print_change, &p, run->err);
	if (p.failed)
		failed(run->err, "cannot write to standard output: %s",
			strerror(p.failed));
	if (rc == 0 && p.json)
		out_json_end(p.n);
	return rc;
}

/* ---- the tar ---------------------------------------------------------------------- */

static int tar(struct run *run)
{
	const char *file = opt_value(run, 'o');

	if (opt_given(run, 'J') || opt_given(run, 'z'))
		return usage(run->err, "-J and -z cannot be used with --tar or -o");
	if (file && opt_given(run, OPT_TAR) && strcmp(file, "-") != 0)
		return usage(run->err, "--tar and -o cannot be used together");
	if (run->n_operands > 1)
		return usage(run->err, "BASE cannot be used with --tar or -o");
	return out_tar(run, file ? file : "-", opt_value(run, OPT_COMPRESS));
}

static int run_diff(struct run *run)
{
	if (opt_given(run, OPT_TAR) || opt_given(run, 'o'))
		return tar(run);
	if (opt_given(run, OPT_COMPRESS))
		return usage(run->err, "--compress needs -o or --tar");
	return list(run);
}

const struct cmd cmd_diff = {
	.name = "diff",
	.synopsis = "[-J] [-z] LAYER [BASE]\n--tar|-o FILE [--compress C] LAYER",
	.summary = "list what a layer changes, or write it as a tar",
	.more = "Lists the changes from BASE, by default the parent, to LAYER.",
	.completes = "layer layer none",
	.others = "changes status",
	.opts = opts,
	.min_operands = 1,
	.max_operands = 2,
	.access = READ_STORE,
	.fn = run_diff,
};
