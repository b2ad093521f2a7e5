/* SPDX-License-Identifier: ISC */
/*
 * Prepares the process, finds the command, opens the store, and returns the exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "commands.h"

/* ---- the process ------------------------------------------------------------------ */

/* If descriptor 0, 1 or 2 is closed, opens something in its place that fails to be read
 * or written, so that no file of the store gets that number. */
static void guard_std_fds(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			exit(OVL_FAILED);
	}
}

/* A view of 500 layers holds 500 directories open for each level of the tree. */
static void raise_limits(struct run *run)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return;
	run->nofile = rl.rlim_cur;
	if (rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

/* True for errors on a terminal that supports colours. */
static bool in_colour(void)
{
	const char *term = getenv("TERM");
	const char *no = getenv("NO_COLOR");

	return isatty(STDERR_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static void print_error(const struct cmd *cmd, const char *text)
{
	bool colour = in_colour();
	bool alone = cmd && cmd->exit_status;

	progress_clear();
	fprintf(stderr, "%s%s%s%s%s%s\n", colour ? "\033[31m" : "",
		alone ? "" : "ovlctl: ", cmd ? cmd->name : "", cmd ? ": " : "",
		colour ? "\033[m" : "", text);
}

static void note(void *ctx, enum ovl_note kind, const char *line)
{
	const struct run *run = ctx;
	const char *program = run->cmd->exit_status ? "" : "ovlctl: ";

	if (kind == OVL_PROBLEM) {
		print_error(run->cmd, line);
		return;
	}
	if (kind == OVL_DETAIL ? !run->verbose : run->quiet)
		return;
	if ((kind == OVL_WAITING || kind == OVL_HINT) && !isatty(STDERR_FILENO) &&
		!run->verbose)
		return;
	progress_clear();
	if (kind != OVL_WARNING)
		fprintf(stderr, "%s%s: %s\n", program, run->cmd->name, line);
	else if (in_colour())
		fprintf(stderr, "%s%s: \033[33mwarning:\033[m %s\n", program,
			run->cmd->name, line);
	else
		fprintf(stderr, "%s%s: warning: %s\n", program, run->cmd->name, line);
}

static int no_stdout(struct ovl_err *err, int errnum)
{
	return failed(err, "cannot write to standard output: %s", strerror(errnum));
}

/* Checks that standard output is open before a command that prints is started. */
static int check_stdout(const struct run *run)
{
	int flags = run->cmd->prints ? fcntl(STDOUT_FILENO, F_GETFL) : O_RDWR;

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY ? 0 :
							       no_stdout(run->err, EBADF);
}

/* Checks that all output was written. */
static int close_stdout(struct ovl_err *err)
{
	int bad = ferror(stdout);

	errno = 0;
	if (fclose(stdout) == 0 && !bad)
		return 0;
	return no_stdout(err, errno ? errno : EIO);
}

/* ---- one command ------------------------------------------------------------------ */

/* Adds the next step to the error, if the command can take a name away. */
static void name_force(const struct run *run)
{
	size_t n = strlen(run->err->text);

	for (const struct opt *o = run->cmd->opts; o->name; o++) {
		if (strcmp(o->name, "force") == 0)
			snprintf(run->err->text + n, sizeof(run->err->text) - n,
				"; --force takes it away");
	}
}

/* Adds the nearest name to the error, if there is no such layer. To a name of less than four
 * characters too many others are near. */
static void name_near(const struct run *run)
{
	char *text = run->err->text;
	char word[256] = "";
	char near[256];
	int end = 0;

	/* The message may end with a next step already. */
	if (sscanf(text, "no such layer '%255[^']'%n", word, &end) == 1 && end &&
		!text[end] && strlen(word) > 3 &&
		ovl_name_near(run->st, word, suggest, near))
		snprintf(text + end, sizeof(run->err->text) - (size_t)end,
			"; did you mean '%s'?", near);
}

static void problem(const struct run *run)
{
	name_near(run);
	print_error(run->cmd, run->err->text);
}

static enum ovl_access access_of(const struct run *run)
{
	const struct cmd *cmd = run->cmd;

	if (cmd->access == MAKE_STORE || opt_given(run, cmd->makes))
		return OVL_MAKE;
	if (cmd->access == WRITE_STORE || opt_given(run, cmd->writes))
		return OVL_WRITE;
	return cmd->access == LIST_STORE ? OVL_LIST : OVL_READ;
}

static int run_command(struct globals *g, struct run *run)
{
	int rc;

	g->cfg.note = note;
	g->cfg.progress = isatty(STDERR_FILENO) && !g->quiet ? progress_show : NULL;
	g->cfg.ctx = run;
	g->cfg.stop = &stop_signal;
	run->problem = problem;
	run->quiet = g->quiet;
	run->verbose = g->verbose;
	run->umask = umask(0);
	progress_start(run->cmd->name);
	signals_catch();
	if (check_stdout(run) < 0 || (!run->cmd->quick && late_load(run->err) < 0))
		return -1;
	if (run->cmd->access != NO_STORE) {
		rc = ovl_open(&run->st, &g->cfg, access_of(run), run->err);
		if (rc < 0)
			return rc;
	}
	rc = run->cmd->fn(run);
	if (rc < 0 && run->err->status == OVL_TAKEN)
		name_force(run);
	if (rc < 0 && run->st)
		name_near(run);
	progress_clear();
	ovl_close(run->st);
	return rc;
}

/* 0 on success, -1 with run->err. *helped: help was printed, and there is nothing else to
 * do. */
static int dispatch(int argc, char **argv, struct globals *g, struct run *run)
{
	int rc = parse_globals(&argc, &argv, g, run->err);

	if (rc < 0)
		return rc;
	if (g->version) {
		printf("ovlctl %s\n", OVL_VERSION);
		return 0;
	}
	if (g->help) {
		help_program(stdout, commands);
		return 0;
	}
	if (g->command && strcmp(g->command, "__complete") == 0)
		return complete(&g->cfg, argc - 1, argv + 1);
	if (!g->command)
		return usage(run->err, "no command given; see 'ovlctl --help'");
	run->cmd = cmd_find(commands, g->command);
	if (!run->cmd) {
		const char *near = cmd_suggest(commands, g->command);

		return usage(run->err,
			near ? "unknown command '%s'; did you mean '%s'?" :
			       "unknown command '%s'; see 'ovlctl --help'",
			g->command, near);
	}
	rc = parse_command(argc, argv, run, run->err);
	if (rc > 0)
		help_command(stdout, run->cmd);
	return rc ? (rc > 0 ? 0 : rc) : run_command(g, run);
}

/* For the program name mount.ovlctl. */
static int dispatch_helper(int argc, char **argv, struct globals *g, struct run *run)
{
	struct mount_words w = {0};
	int rc = parse_command(argc, argv, run, run->err);

	if (rc > 0)
		help_command(stdout, run->cmd);
	if (rc == 0)
		rc = mount_words(run, &w);
	if (rc == 0) {
		g->cfg.root = w.root;
		g->cfg.driver = w.driver;
		g->verbose = opt_given(run, 'v');
		g->quiet = !g->verbose;
		run->words = &w;
		rc = run_command(g, run);
		run->words = NULL;
	}
	free(w.text);
	free(w.options);
	return rc > 0 ? 0 : rc;
}

static bool called(const char *argv0, const struct cmd *program)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	return argv0 && strcmp(slash ? slash + 1 : argv0, program->name) == 0;
}

int main(int argc, char **argv)
{
	struct ovl_err err = {.status = OVL_FAILED};
	struct globals g = {.cfg = {.sync = OVL_SYNC_DATA,
				    .foreign = &ovl_foreign,
				    .load = late_load}};
	struct run run = {.all = commands, .err = &err};
	int rc;

	guard_std_fds();
	raise_limits(&run);
	run.cmd = called(argv[0], &cmd_mount_helper) ? &cmd_mount_helper : NULL;
	rc = run.cmd ? dispatch_helper(argc, argv, &g, &run) :
		       dispatch(argc, argv, &g, &run);
	free(run.given);
	if (run.cmd && run.cmd->exit_status) {
		if (rc < 0)
			print_error(run.cmd, err.text);
		return rc < 0 ? run.cmd->exit_status(rc, err.status) : 0;
	}
	signals_die();
	if (rc < 0)
		print_error(run.cmd, err.text);
	else if (close_stdout(&err) < 0) {
		signals_die();
		print_error(run.cmd, err.text);
		rc = -1;
	}
	if (rc < 0 && run.cmd && run.cmd->unable)
		return run.exit ? run.exit : run.cmd->unable;
	if (rc < 0 && err.status != OVL_USAGE && err.status != OVL_BUSY && run.cmd &&
		run.cmd->failed)
		return run.cmd->failed | run.exit;
	return rc < 0 ? (int)err.status : run.exit;
}
