/* SPDX-License-Identifier: ISC */
/* ovlctl help and --help: opens the manual, or prints a summary from the table of
 * commands. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

static void print_opts(FILE *to, const struct opt *opts, bool letters)
{
	for (; opts->name; opts++) {
		char left[64];
		char letter[8] = "    ";

		if (opts->id < OPT_LONG && (letters || strchr("qvhV", opts->id)))
			snprintf(letter, sizeof(letter), "-%c, ", opts->id);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, opts->name,
			opts->arg && *opts->arg != '[' ? " " : "",
			opts->arg ? opts->arg : "");
		fprintf(to, "  %-26s %s\n", left, opts->help);
	}
}

void help_program(FILE *to, const struct cmd *const *commands)
{
	fputs("usage: ovlctl [options] COMMAND [options] [operands]\n\n"
	      "Layers for OverlayFS: import, stack and mount them, ship what changed.\n\n"
	      "commands:\n",
		to);
	for (int i = 0; commands[i]; i++)
		fprintf(to, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\noptions:\n", to);
	print_opts(to, global_opts, false);
	fputs("\nSee 'ovlctl COMMAND --help' for a command, 'ovlctl help COMMAND' for its manual.\n",
		to);
}

void help_command(FILE *to, const struct cmd *cmd)
{
	const char *line = cmd->synopsis;
	const char *lead = "usage:";

	while (line) {
		int n = (int)strcspn(line, "\n");

		if (*line == ' ') /* continues the previous line */
			fprintf(to, "%14s%.*s\n", "", n, line);
		else
			fprintf(to, "%s %s%s %.*s\n", lead, cmd_program(cmd), cmd->name,
				n, line);
		lead = "      ";
		line = line[n] ? line + n + 1 : NULL;
	}
	fprintf(to, "\n%c%s.\n", cmd->summary[0] - ('a' - 'A'), cmd->summary + 1);
	if (cmd->more)
		fprintf(to, "%s\n", cmd->more);
	if (cmd->opts[0].name)
		fputs("\noptions:\n", to);
	print_opts(to, cmd->opts, true);
}

/* Pages about topics other than commands. */
static const struct {
	const char *topic;
	const char *section;
} topics[] = {{"store", "5"}, {"drivers", "7"}, {"performance", "7"}, {"changes", "7"},
	{"foreign", "7"}, {"fstab", "5"}};

static const char *section_of(const struct run *run, const char *what)
{
	if (!what || cmd_find(run->all, what))
		return "8";
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		if (strcmp(topics[i].topic, what) == 0)
			return topics[i].section;
	}
	return NULL;
}

/* The path of a page in the source tree, for a program that was built but not
 * installed. */
static bool page_of_build(char *out, size_t size, const char *page, const char *section)
{
	char self[3072];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	for (int up = 0; n > 0 && up < 3; up++) {
		while (n > 0 && self[n - 1] != '/')
			n--;
		self[n > 0 ? n - 1 : 0] = '\0';
		n--;
		snprintf(out, size, "%s/man/%s.%s", self, page, section);
		if (access(out, R_OK) == 0)
			return true;
	}
	return false;
}

static int unknown(struct run *run, const char *what)
{
	const char *near = cmd_suggest(run->all, what);

	if (near)
		return usage(run->err,
			"unknown command or topic '%s'; did you mean '%s'?", what, near);
	return usage(run->err,
		"unknown command or topic '%s'; topics are store, drivers, performance, "
		"changes, foreign, fstab",
		what);
}

static int run_help(struct run *run)
{
	const char *what = run->n_operands && strcmp(run->operand[0], "ovlctl") != 0 ?
		run->operand[0] :
		NULL;
	const char *section = section_of(run, what);
	char file[4096];
	char page[64];

	if (!section)
		return unknown(run, what);
	snprintf(page, sizeof(page),
		what && strcmp(what, "help") != 0 ? "ovlctl-%s" : "ovlctl", what);
	fflush(stdout);
	/* man is found in PATH and takes options from the environment, which must be
	 * trusted for that. */
	if (!getauxval(AT_SECURE)) {
		umask(run->umask);
		signal(SIGXFSZ, SIG_DFL);
		if (page_of_build(file, sizeof(file), page, section))
			execlp("man", "man", "-l", file, (char *)NULL);
		else
			execlp("man", "man", section, page, (char *)NULL);
	}
	/* Without man(1), the short text is better than none. */
	if (what && cmd_find(run->all, what))
		help_command(stdout, cmd_find(run->all, what));
	else
		help_program(stdout, run->all);
	return 0;
}

static const struct opt opts[] = {{0, NULL, NULL, NULL}};

const struct cmd cmd_help = {
	.name = "help",
	.synopsis = "[COMMAND | TOPIC]",
	.summary = "open the manual page of a command or topic",
	.completes = "topic none",
	.others = "man",
	.opts = opts,
	.max_operands = 1,
	.access = NO_STORE,
	.fn = run_help,
};
