/* SPDX-License-Identifier: ISC */
/*
 * Parses the command line: global options, a command's options and operands, numbers.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

const struct opt global_opts[] = {
	{'R', "root", "DIR", "the store (default $OVLCTL_ROOT or /var/lib/ovlctl)"},
	{'D', "driver", "NAME", "layout of layers on disk: overlay2 or overlay"},
	{'q', "quiet", NULL, "no progress, no warnings"},
	{'v', "verbose", NULL, "print details"},
	{'s', "sync", "WHAT", "what to sync: none, data (default) or all"},
	{'w', "nowait", NULL, "fail instead of waiting for another process"},
	{'W', "wait", "SECONDS", "wait at most SECONDS for another process"},
	{'h', "help", NULL, "print this summary"},
	{'V', "version", NULL, "print the version"},
	{0, NULL, NULL, NULL},
};

/* ---- getopt from a table ---------------------------------------------------------- */

struct table {
	struct option longs[MAX_OPTS + 2];
	char shorts[3 * MAX_OPTS];
	const char *names[MAX_OPTS + 2];
};

/* Options whose id is a printable character have a short form. */
static void make_table(const struct opt *opts, bool letters, struct table *t)
{
	size_t s = 0;
	int n = 0;

	memset(t, 0, sizeof(*t));
	t->shorts[s++] = '+';
	t->shorts[s++] = ':';
	for (; opts[n].name; n++) {
		t->longs[n].name = opts[n].name;
		t->longs[n].has_arg = !opts[n].arg ? no_argument :
			*opts[n].arg == '['        ? optional_argument :
						     required_argument;
		t->longs[n].val = opts[n].id;
		t->names[n] = opts[n].name;
		if (opts[n].id < OPT_LONG && (letters || strchr("qvhV", opts[n].id))) {
			t->shorts[s++] = (char)opts[n].id;
			if (opts[n].arg)
				t->shorts[s++] = ':';
		}
	}
}

/* Counts the names that begin with text, and finds the first two of them. */
static int begin_with(const char *const *names, const char *text, const char *first[2])
{
	int n = 0;

	for (; *names; names++) {
		if (strncmp(*names, text, strlen(text)) == 0 && ++n <= 2)
			first[n - 1] = *names;
	}
	return n;
}

/* The error for an unknown option; cmd NULL: an option of ovlctl itself. */
static int unknown_option(
	struct ovl_err *err, const struct cmd *cmd, const char *dashes, const char *name)
{
	return usage(err, "unknown option '%s%s'; see '%s%s --help'", dashes, name,
		cmd ? cmd_program(cmd) : "ovlctl", cmd ? cmd->name : "");
}

static int bad_option(
	struct ovl_err *err, const struct table *t, char **argv, const struct cmd *cmd)
{
	const char *word = argv[optind - 1];
	char name[64];
	const char *both[2];
	const char *near;

	if (cmd && !cmd->exit_status && optopt && strchr("qvV", optopt) && word[1] != '-')
		return usage(err, "option '-%c' must come before the command", optopt);
	if (optopt && !(word[0] == '-' && word[1] == '-'))
		return unknown_option(err, cmd, "-", (char[]){(char)optopt, '\0'});
	if (optopt)
		return usage(err, "option '%.*s' takes no value", (int)strcspn(word, "="),
			word);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	for (int i = 0; cmd && !cmd->exit_status && global_opts[i].name; i++) {
		if (strcmp(global_opts[i].name, name) == 0)
			return usage(
				err, "option '--%s' must come before the command", name);
	}
	if (begin_with(t->names, name, both) > 1)
		return usage(err, "option '--%s' is ambiguous: --%s or --%s", name,
			both[0], both[1]);
	near = suggest(name, t->names);
	if (near)
		return usage(
			err, "unknown option '--%s'; did you mean '--%s'?", name, near);
	return unknown_option(err, cmd, "--", name);
}

static int no_value(struct ovl_err *err, char **argv)
{
	return usage(err, "option '%s' needs a value", argv[optind - 1]);
}

/* ---- global options --------------------------------------------------------------- */

static int take_sync(struct globals *g, const char *what, struct ovl_err *err)
{
	if (strcmp(what, "none") == 0)
		g->cfg.sync = OVL_SYNC_NONE;
	else if (strcmp(what, "data") == 0)
		g->cfg.sync = OVL_SYNC_DATA;
	else if (strcmp(what, "all") == 0)
		g->cfg.sync = OVL_SYNC_ALL;
	else
		return usage(err, "--sync takes none, data or all, not '%s'", what);
	return 0;
}

static int take_wait(struct globals *g, const char *seconds, struct ovl_err *err)
{
	size_t n = strlen(seconds);

	if (!n || n > 6 || strspn(seconds, "0123456789") != n)
		return usage(err, "--wait takes a number of seconds, not '%s'", seconds);
	g->cfg.wait = (unsigned)atoi(seconds);
	g->cfg.nowait = !g->cfg.wait;
	return 0;
}

static int take_global(struct globals *g, int id, struct ovl_err *err)
{
	switch (id) {
	case 'R': g->cfg.root = optarg; break;
	case 'D': g->cfg.driver = optarg; break;
	case 'q': g->quiet = true; break;
	case 'v': g->verbose = true; break;
	case 'w': g->cfg.nowait = true; break;
	case 'W': return take_wait(g, optarg, err);
	case 'h': g->help = true; break;
	case 'V': g->version = true; break;
	default: return take_sync(g, optarg, err);
	}
	return 0;
}

int parse_globals(int *argc, char ***argv, struct globals *g, struct ovl_err *err)
{
	struct table t;
	int id;

	make_table(global_opts, false, &t);
	opterr = 0;
	while ((id = getopt_long(*argc, *argv, t.shorts, t.longs, NULL)) != -1) {
		int rc = id == '?' ? bad_option(err, &t, *argv, NULL) :
			id == ':'  ? no_value(err, *argv) :
				     take_global(g, id, err);

		if (rc < 0)
			return rc;
	}
	if (optind < *argc)
		g->command = (*argv)[optind];
	*argc -= optind;
	*argv += optind;
	return 0;
}

/* ---- a command's options ---------------------------------------------------------- */

static int index_of(const struct cmd *cmd, int id)
{
	for (int i = 0; cmd->opts[i].name; i++) {
		if (cmd->opts[i].id == id)
			return i;
	}
	return -1;
}

bool opt_given(const struct run *run, int id)
{
	int i = index_of(run->cmd, id);

	return i >= 0 && run->value[i];
}

const char *opt_value(const struct run *run, int id)
{
	int i = index_of(run->cmd, id);

	return i >= 0 ? run->value[i] : NULL;
}

const char *opt_next(const struct run *run, int id, size_t *at)
{
	while (*at < run->n_given) {
		const struct given *given = &run->given[(*at)++];

		if (given->id == id)
			return given->value;
	}
	return NULL;
}

int opt_number(struct run *run, int id, uint64_t *out)
{
	static const char units[] = "KMGTP";
	const char *text = opt_value(run, id);
	unsigned long long v;
	const char *unit;
	char *end;
	int shift = 0;

	*out = 0;
	if (!text)
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (int)(unit - units + 1);
		end++;
	}
	if (*text < '0' || *text > '9' || *end || errno || v == 0 ||
		v > UINT64_MAX >> shift)
		return usage(run->err,
			"'--%s %s': not a positive number (suffixes K, M, G, T and P "
			"are allowed)",
			run->cmd->opts[index_of(run->cmd, id)].name, text);
	*out = (uint64_t)v << shift;
	return 0;
}

const char *cmd_program(const struct cmd *cmd)
{
	return cmd->exit_status ? "" : "ovlctl ";
}

/* The part of the synopsis after the options. */
static const char *operands_of(const struct cmd *cmd)
{
	const char *at = cmd->synopsis;
	int depth = 0;

	for (; *at && (depth || strchr("[ \n.", *at)); at++)
		depth += *at == '[' ? 1 : *at == ']' ? -1 : 0;
	return at;
}

/* True if the last operand might be meant as a name, as in docker(1). */
static bool takes_name(const struct cmd *cmd)
{
	int i = index_of(cmd, 'n');

	return i >= 0 && cmd->opts[i].arg;
}

static int check_operands(const struct run *run, struct ovl_err *err)
{
	if (run->n_operands < run->cmd->min_operands)
		return usage(err, "expected %.*s; see '%s%s --help'",
			(int)strcspn(operands_of(run->cmd), "\n"), operands_of(run->cmd),
			cmd_program(run->cmd), run->cmd->name);
	if (run->n_operands > run->cmd->max_operands && takes_name(run->cmd))
		return usage(err, "unexpected operand '%s'; a name is given with -n",
			run->operand[run->cmd->max_operands]);
	if (run->n_operands > run->cmd->max_operands)
		return usage(err, "unexpected operand '%s'; see '%s%s --help'",
			run->operand[run->cmd->max_operands], cmd_program(run->cmd),
			run->cmd->name);
	/* It comes from an unset variable. A command that is run may have such arguments. */
	for (int i = 0; i < (run->cmd->runs ? 1 : run->n_operands); i++) {
		if (!*run->operand[i])
			return usage(err, "operand %d is empty; see '%s%s --help'", i + 1,
				cmd_program(run->cmd), run->cmd->name);
	}
	return 0;
}

/* True if the synopsis has three dots after the option. */
static bool may_repeat(const struct cmd *cmd, const struct opt *opt)
{
	char dots[64];

	snprintf(dots, sizeof(dots), " %s]...", opt->arg);
	return strstr(cmd->synopsis, dots);
}

/* Keeps the value of an option; a second value is an error unless the option may be
 * repeated. */
static int keep_value(struct run *run, int id, struct ovl_err *err)
{
	int i = index_of(run->cmd, id);
	const struct opt *opt = &run->cmd->opts[i];

	if (optarg && run->value[i] && !may_repeat(run->cmd, opt))
		return usage(err, "option '--%s' was given twice", opt->name);
	if (optarg)
		run->given[run->n_given++] = (struct given){id, optarg};
	run->value[i] = optarg ? optarg : "";
	return 0;
}

/* Options may follow operands, as in other GNU programs; "--" ends them. */
int parse_command(int argc, char **argv, struct run *run, struct ovl_err *err)
{
	struct opt opts[MAX_OPTS + 1] = {{0, NULL, NULL, NULL}};
	struct table t;
	int n = 0;
	int id;

	while (run->cmd->opts[n].name) {
		opts[n] = run->cmd->opts[n];
		n++;
	}
	opts[n] = (struct opt){OPT_HELP, "help", NULL, NULL};
	make_table(opts, true, &t);
	strcat(t.shorts, "h");
	/* There are no more values than words. */
	run->given = calloc((size_t)argc + 1, sizeof(*run->given));
	if (!run->given)
		return usage(err, "out of memory");
	optind = 0;
	while ((id = getopt_long(
			argc, argv, t.shorts + !run->cmd->runs, t.longs, NULL)) != -1) {
		if (id == '?')
			return bad_option(err, &t, argv, run->cmd);
		if (id == ':')
			return no_value(err, argv);
		if (id == OPT_HELP || (id == 'h' && index_of(run->cmd, id) < 0))
			return 1;
		if (keep_value(run, id, err) < 0)
			return -1;
	}
	run->operand = argv + optind;
	run->n_operands = argc - optind;
	return check_operands(run, err);
}

const struct cmd *cmd_find(const struct cmd *const *commands, const char *name)
{
	for (int i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

/* True if word is one of the words in a text separated by blanks. */
static bool is_among(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = words; at && n && (at = strstr(at, word)); at += n) {
		if ((at == words || at[-1] == ' ') && (!at[n] || at[n] == ' '))
			return true;
	}
	return false;
}

const char *cmd_suggest(const struct cmd *const *commands, const char *word)
{
	const char *names[64] = {NULL};
	int n = 0;

	for (int i = 0; commands[i]; i++) {
		if (is_among(commands[i]->others, word))
			return commands[i]->name;
		if (strcmp(commands[i]->name, "rm") != 0)
			names[n++] = commands[i]->name;
	}
	return suggest(word, names);
}
