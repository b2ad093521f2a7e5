/* SPDX-License-Identifier: ISC */
/* ovlctl run: runs a command in a layer, and keeps or drops what it changed. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

#define MAX_BINDS 256

static const struct opt opts[] = {
	{'n', "name", "NAME", "keep the changes as a layer of that name"},
	{OPT_ON, "on", "DIR", "run over a directory of the host instead"},
	{OPT_KEEP, "keep", NULL, "keep the changes as a layer"},
	{OPT_ID_FILE, "id-file", "FILE", "write the id of that layer to FILE"},
	{OPT_TMPFS, "tmpfs", "[=SIZE]", "keep the changes in memory until CMD ends"},
	{'C', "chdir", "DIR", "change to DIR inside (default /)"},
	{OPT_BIND, "bind", "SRC[:DST][:rw]",
		"show the host's SRC as DST; may be repeated"},
	{0, NULL, NULL, NULL},
};

/* Cuts ":rw" or ":ro" from the end, then splits at the first colon. */
static int parse_bind(struct run *run, char *text, struct ovl_bind *b)
{
	size_t n = strlen(text);
	char *colon;

	b->writable = n > 3 && strcmp(text + n - 3, ":rw") == 0;
	if (n > 3 && (b->writable || strcmp(text + n - 3, ":ro") == 0))
		text[n - 3] = '\0';
	colon = strchr(text, ':');
	if (colon)
		*colon++ = '\0';
	b->src = text;
	b->dst = colon ? colon : text;
	if (!*b->src || *b->dst != '/')
		return usage(run->err,
			"--bind takes SRC[:DST][:ro|:rw] with an absolute "
			"DST, not '%s%s%s'",
			text, colon ? ":" : "", colon ? colon : "");
	return 0;
}

/* The caller frees the texts, even after a failure. */
static int take_binds(
	struct run *run, struct ovl_bind *binds, char **texts, struct ovl_run *req)
{
	const char *value;
	size_t at = 0;
	int rc = 0;

	req->binds = binds;
	while (rc == 0 && (value = opt_next(run, OPT_BIND, &at))) {
		if (req->n_binds == MAX_BINDS)
			return usage(run->err, "more than %d --bind", MAX_BINDS);
		texts[req->n_binds] = strdup(value);
		if (!texts[req->n_binds])
			return usage(run->err, "out of memory");
		rc = parse_bind(run, texts[req->n_binds], &binds[req->n_binds]);
		req->n_binds++;
	}
	return rc;
}

/* Creates or empties the file before the command is started; if it stays empty, nothing
 * was kept. */
static int open_id(struct run *run, const char *file, int *fd)
{
	*fd = file ?
		open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666 & ~run->umask) :
		-1;
	return file && *fd < 0 ? cannot(run->err, errno, "write", file) : 0;
}

static int say_id(struct run *run, const char *file, int fd, const struct ovl_id *id)
{
	progress_clear();
	if (!file)
		printf("%s\n", id->s);
	else if (dprintf(fd, "%s\n", id->s) < 0)
		return cannot(run->err, errno, "write", file);
	return 0;
}

static int run_it(struct run *run, struct ovl_run *req)
{
	const char *id_file = opt_value(run, OPT_ID_FILE);
	struct ovl_ran ran;
	int fd;
	int rc = open_id(run, id_file, &fd);

	if (rc < 0)
		return rc;
	rc = ovl_run(run->st, req, &ran, run->err);
	run->exit = ran.status;
	/* The command itself did not fail. */
	if (rc < 0 && !ran.status)
		run->exit = run->cmd->unable;
	if (ran.kept && say_id(run, id_file, fd, &ran.id) < 0)
		rc = -1;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Refuses options that cannot be used together. */
static int check_options(struct run *run, const struct ovl_run *req)
{
	if (!*req->argv)
		return usage(run->err,
			"expected LAYER CMD or --on DIR CMD; see 'ovlctl run --help'");
	if (opt_given(run, OPT_ID_FILE) && !req->keep && !req->name)
		return usage(run->err, "--id-file needs -n or --keep");
	if (req->on && opt_given(run, OPT_BIND))
		return usage(run->err, "--on and --bind cannot be used together");
	if (req->on && req->in_memory && (req->keep || req->name))
		return usage(run->err,
			"with --on, changes in memory cannot be kept: leave out --tmpfs");
	return 0;
}

/* The command begins after LAYER, if there is one, and an optional "--". */
static char **find_command(const struct run *run)
{
	char **argv = run->operand + !opt_given(run, OPT_ON);

	if (argv > run->operand && *argv && strcmp(*argv, "--") == 0)
		argv++;
	return argv;
}

static int run_run(struct run *run)
{
	struct ovl_run req = {
		.layer = run->operand[0],
		.on = opt_value(run, OPT_ON),
		.name = opt_value(run, 'n'),
		.keep = opt_given(run, OPT_KEEP),
		.in_memory = opt_given(run, OPT_TMPFS),
		.dir = opt_value(run, 'C'),
		.argv = find_command(run),
		.umask = run->umask,
		.nofile = run->nofile,
	};
	struct ovl_bind binds[MAX_BINDS];
	char *texts[MAX_BINDS];
	int rc = check_options(run, &req);

	if (rc == 0 && req.in_memory && *opt_value(run, OPT_TMPFS))
		rc = opt_number(run, OPT_TMPFS, &req.memory);
	if (rc == 0)
		rc = take_binds(run, binds, texts, &req);
	if (rc == 0)
		rc = run_it(run, &req);
	while (req.n_binds)
		free(texts[--req.n_binds]);
	return rc;
}

const struct cmd cmd_run = {
	.name = "run",
	.synopsis = "[-n NAME | --keep] [--id-file FILE] [--tmpfs[=SIZE]] [-C DIR]\n"
		    " [--bind SRC[:DST][:rw]]... [--on DIR | LAYER] [--] CMD [ARG...]",
	.summary = "run a command in a layer, and keep or drop its changes",
	.completes = "layer file",
	.others = "exec chroot shell enter",
	.opts = opts,
	.min_operands = 1,
	.max_operands = UNLIMITED,
	.access = WRITE_STORE,
	.unable = 125,
	.makes = OPT_ON,
	.runs = true,
	.fn = run_run,
};
