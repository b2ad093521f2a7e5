/* SPDX-License-Identifier: ISC */
/* ovlctl export: writes layers as an image, to a file, a pipe or a directory. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "out.h"

static const struct opt opts[] = {
	{OPT_FORMAT, "format", "F", "oci (default), docker, or tar (one layer alone)"},
	{OPT_COMPRESS, "compress", "C", "gzip (default of oci), zstd, none (of docker)"},
	{OPT_WITHOUT, "without", "WHAT",
		"thin: omit LAYER and below, or the ids in @FILE"},
	{0, NULL, NULL, NULL},
};

/* True if the target is a file: its name ends in .tar, .tar.gz, .tgz or the like; or
 * standard output. */
static bool is_file(const char *target)
{
	const char *end = strrchr(target, '.');

	if (strcmp(target, "-") == 0)
		return true;
	if (!end || end == target)
		return false;
	if (strcmp(end, ".tar") == 0)
		return true;
	if (strcmp(ovl_compression_of(target), "none") == 0)
		return false;
	return end[1] == 't' || (end - target > 4 && strncmp(end - 4, ".tar", 4) == 0);
}

static int write_images(struct run *run, int fd, void *ctx)
{
	struct ovl_export *req = ctx;

	req->fd = fd;
	if (strcmp(req->target, "-") == 0)
		req->target = "standard output";
	return ovl_export(run->st, req, run->err);
}

static int to_dir(struct run *run, struct ovl_export *req)
{
	struct out_place at;
	int rc = out_place_open(&at, req->target, run->err);

	if (rc == 0) {
		req->fd = -1;
		req->dirfd = at.dirfd;
		req->dir = at.name;
		rc = ovl_export(run->st, req, run->err);
	}
	out_place_close(&at);
	return rc;
}

/* ---- what the receiver has --------------------------------------------------------- */

static int bad_line(struct run *run, const char *file, size_t n)
{
	char shown[512];

	return failed(run->err,
		"cannot read '%s': line %zu is not the full id of a layer, as 'ovlctl ls "
		"-q' prints it",
		ovl_escape(shown, sizeof(shown), file, strlen(file)), n);
}

/* Grows ids; its size is a power of two. */
static bool add_id(struct ovl_ids *ids, const char *id)
{
	if ((ids->n & (ids->n - 1)) == 0) {
		size_t room = ids->n ? 2 * ids->n : 1;
		struct ovl_id *more = realloc(ids->id, room * sizeof(*more));

		if (!more)
			return false;
		ids->id = more;
	}
	memcpy(ids->id[ids->n++].s, id, sizeof(ids->id->s));
	return true;
}

static int read_ids(struct run *run, const char *name, FILE *f, struct ovl_ids *ids)
{
	char line[80];

	for (size_t n = 1; fgets(line, sizeof(line), f); n++) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strlen(line) != 64 || strspn(line, "0123456789abcdef") != 64)
			return bad_line(run, name, n);
		if (!add_id(ids, line))
			return cannot(run->err, ENOMEM, "read", name);
	}
	return ferror(f) ? cannot(run->err, errno, "read", name) : 0;
}

static int take_ids(struct run *run, const char *file, struct ovl_ids *ids)
{
	int fd = open_input(run, file);
	FILE *f = fd < 0 ? NULL : fd == STDIN_FILENO ? stdin : fdopen(fd, "r");
	int rc;

	if (!f)
		return fd < 0 ? -1 : cannot(run->err, errno, "read", file);
	rc = read_ids(run, file, f, ids);
	if (f != stdin)
		fclose(f);
	return rc;
}

/* Stores LAYERs in layer, which has room for all values of the option. */
static int take_without(struct run *run, char **layer, struct ovl_ids *ids)
{
	const char *what;
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && (what = opt_next(run, OPT_WITHOUT, &at))) {
		if (*what == '@')
			rc = take_ids(run, what + 1, ids);
		else
			*layer++ = (char *)what;
	}
	return rc;
}

/* ---- the destination -------------------------------------------------------------- */

static int export_tar(struct run *run, const struct ovl_export *req)
{
	if (opt_given(run, OPT_WITHOUT))
		return usage(run->err, "--without applies only to images");
	if (run->n_operands > 2)
		return usage(run->err, "--format tar takes a single layer");
	return out_tar(run, req->target, req->compress);
}

static int export_images(struct run *run, struct ovl_export *req)
{
	if (is_file(req->target)) {
		req->compress_all = ovl_compression_of(req->target);
		return out_to(run, req->target, write_images, req);
	}
	if (req->format == OVL_DOCKER)
		return usage(run->err,
			"a docker archive is a file: its name must end in .tar, .tar.gz "
			"or the like, or be -");
	return to_dir(run, req);
}

static int run_export(struct run *run)
{
	const char *format = opt_value(run, OPT_FORMAT);
	int n = run->n_operands - 1;
	char *target = run->operand[n];
	struct ovl_export req = {
		.layers = run->operand,
		.compress = opt_value(run, OPT_COMPRESS),
		.umask = run->umask,
		.target = target,
	};
	int rc;

	run->operand[n] = NULL; /* NULL ends the list of layers */
	if (format && strcmp(format, "tar") == 0)
		return export_tar(run, &req);
	if (format && strcmp(format, "docker") == 0)
		req.format = OVL_DOCKER;
	else if (format && strcmp(format, "oci") != 0)
		return usage(run->err,
			"unknown format '%s'; the formats are oci, docker and tar",
			format);
	req.without = calloc(run->n_given + 1, sizeof(*req.without));
	if (!req.without)
		return usage(run->err, "out of memory");
	rc = take_without(run, req.without, &req.has);
	if (rc == 0)
		rc = export_images(run, &req);
	free(req.without);
	free(req.has.id);
	return rc;
}

const struct cmd cmd_export = {
	.name = "export",
	.synopsis =
		"[--format oci|docker|tar] [--compress C]\n [--without WHAT]... LAYER... FILE|DIR|-",
	.summary = "write layers and their stacks as an image",
	.more = "The last operand is the destination; - is standard output.",
	.completes = "layer layer|file",
	.others = "save push",
	.opts = opts,
	.min_operands = 2,
	.max_operands = UNLIMITED,
	.access = READ_STORE,
	.fn = run_export,
};
