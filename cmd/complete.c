/* SPDX-License-Identifier: ISC */
/*
 * Completion for shells: "ovlctl __complete WORD..." gets the words of the command line
 * after the program, the last of which is being typed. Prints one candidate on each line,
 * and in the last line what the shell should offer:
 *
 *	:words	the candidates
 *	:list	the candidates, which a comma may follow: without a blank after them
 *	:file	the candidates and names of files
 *	:dir	the candidates and names of directories
 *
 * Options and kinds of operands are taken from the table of commands, so that the scripts
 * of the shells need not know them.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "commands.h"
#include "ls.h"

/* The values of an option, found by the name of its argument in --help. */
static const struct {
	const char *arg;
	const char *command; /* NULL: any command */
	const char *values; /* words, or :KIND, or words after a comma: ,LIST */
} values[] = {
	{"DIR", NULL, ":dir"},
	{"ROOT", NULL, ":dir"},
	{"FILE", NULL, ":file"},
	{"SRC[:DST][:rw]", NULL, ":file"},
	{"PARENT", NULL, ":image"},
	{"COLS", NULL, ",columns"},
	{"COL", NULL, ":columns"},
	{"KIND", NULL, "image writable"},
	{"INSTRUCTION", NULL,
		"CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR"},
	{"C", "export", "none gzip zstd"},
	{"C", NULL, "none gzip zstd xz bzip2 lz4"},
	{"F", NULL, "oci docker tar"},
	{"NAME", "", "overlay2 overlay"},
	{"WHAT", "", "none data all"},
	{"WHAT", "import", "layer image"},
	{"WHAT", "export", ":layer"},
	{"OPTS", NULL,
		",ro nosuid nodev noexec noatime volatile redirect_dir=on metacopy=on "
		"index=on xino=on"},
	{"P", NULL, "linux/amd64 linux/arm64 linux/arm/v7 linux/386 linux/riscv64"},
};

struct line {
	char **word;
	int n; /* number of words, without the one being typed */
	const char *typed;
	const struct cmd *cmd; /* NULL: the command comes next */
	const struct opt *takes; /* the option whose value is typed */
	char *operand[64]; /* those before it */
	int n_operands;
	bool letter[128]; /* the options before it that have a letter */
	bool plain; /* no more options: after "--", or in a command that run starts */
	struct ovl_config cfg;
};

static const char *end_with = ":words";

/* "--option=" if the value is typed in the same word. */
static char before[64];

/* ---- candidates -------------------------------------------------------------------- */

static void offer(const char *prefix, const char *typed, const char *word, size_t n)
{
	if (strncmp(word, typed, strlen(typed)) == 0)
		printf("%s%s%.*s\n", before, prefix, (int)n, word);
}

static void offer_words(const char *prefix, const char *typed, const char *words)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		if (n >= strlen(typed))
			offer(prefix, typed, words, n);
		words += n + (words[n] == ' ');
	}
}

static bool was_given(const struct line *l, const char *name)
{
	for (int i = 0; i < l->n_operands; i++) {
		if (strcmp(l->operand[i], name) == 0)
			return true;
	}
	return false;
}

/* Offers a layer by its names; by its id if it has none or digits are typed. */
static void offer_layer(const struct line *l, const struct ovl_layer *layer)
{
	char id[13];

	snprintf(id, sizeof(id), "%.12s", layer->id.s);
	for (char *const *name = layer->names; *name; name++) {
		if (!was_given(l, *name))
			offer("", l->typed, *name, strlen(*name));
	}
	if ((!layer->names[0] || strlen(l->typed) > 1) && !was_given(l, id))
		offer("", l->typed, id, strlen(id));
}

/* Offers a path, absolute or relative to the working directory, as it is being typed. */
static void offer_mount(const struct line *l, const char *where)
{
	char cwd[PATH_MAX];
	size_t n;

	if (*l->typed == '/')
		offer("", l->typed, where, strlen(where));
	if (!*l->typed || *l->typed == '/' || !getcwd(cwd, sizeof(cwd)))
		return;
	n = strlen(cwd);
	if (strncmp(where, cwd, n) == 0 && where[n] == '/') {
		bool dot = strncmp(l->typed, "./", 2) == 0;

		offer(dot ? "./" : "", l->typed + (dot ? 2 : 0), where + n + 1,
			strlen(where + n + 1));
	}
}

/* Offers files for @FILE, which no shell completes. */
static void offer_at_files(const struct line *l)
{
	const char *slash = strrchr(l->typed, '/');
	const char *name = slash ? slash + 1 : l->typed + 1;
	char prefix[512];
	const struct dirent *e;
	DIR *d;

	snprintf(prefix, sizeof(prefix), "%.*s", (int)(name - l->typed), l->typed);
	d = opendir(slash ? prefix + 1 : ".");
	while (d && (e = readdir(d))) {
		if (*e->d_name == '.' && *name != '.')
			continue;
		offer(prefix, name, e->d_name, strlen(e->d_name));
	}
	if (d)
		closedir(d);
	if (!slash)
		offer("", l->typed, "@-", 2);
	end_with = ":list";
}

/* kind: layer, image, writable or mounted. */
static void offer_layers(const struct line *l, const char *kind)
{
	struct ovl_list list = {0};
	struct ovl_store *st;
	struct ovl_err err;

	if (ovl_open(&st, &l->cfg, OVL_READ, &err) < 0)
		return;
	if (ovl_list(st, NULL, 0, &list, &err) == 0) {
		for (size_t i = 0; i < list.n; i++) {
			const struct ovl_layer *layer = &list.layer[i];
			bool image = layer->kind == OVL_IMAGE;

			if ((*kind == 'i' && !image) || (*kind == 'w' && image) ||
				(*kind == 'm' && !layer->mounts[0]))
				continue;
			offer_layer(l, layer);
			for (char *const *m = layer->mounts; *kind == 'm' && *m; m++)
				offer_mount(l, *m);
		}
	}
	ovl_list_free(&list);
	ovl_close(st);
}

static void offer_columns(const char *prefix, const char *typed)
{
	for (int i = 0; i < COLUMNS; i++)
		offer(prefix, typed, ls_column[i].name, strlen(ls_column[i].name));
}

static void offer_commands(const struct line *l)
{
	for (int i = 0; commands[i]; i++)
		offer("", l->typed, commands[i]->name, strlen(commands[i]->name));
}

static void offer_kind(const struct line *l, const char *kind)
{
	if (strcmp(kind, "file") == 0)
		end_with = ":file";
	else if (strcmp(kind, "dir") == 0)
		end_with = ":dir";
	else if (strcmp(kind, "columns") == 0)
		offer_columns("", l->typed);
	else if (strcmp(kind, "topic") == 0) {
		offer_commands(l);
		offer_words(
			"", l->typed, "store drivers performance changes foreign fstab");
	} else if (strcmp(kind, "none") != 0)
		offer_layers(l, kind);
}

/* ---- where the cursor is ---------------------------------------------------------- */

static const char *values_of(const struct line *l)
{
	const char *command = l->cmd ? l->cmd->name : "";

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(values[i].arg, l->takes->arg) == 0 &&
			(!values[i].command || strcmp(values[i].command, command) == 0))
			return values[i].values;
	}
	return NULL;
}

/* Offers words of a list, of which the one after the last comma is completed. */
static void offer_list(const struct line *l, const char *words)
{
	const char *comma = strrchr(l->typed, ',');
	const char *last = comma ? comma + 1 : l->typed + (*l->typed == '+');
	char prefix[512];

	snprintf(prefix, sizeof(prefix), "%.*s", (int)(last - l->typed), l->typed);
	if (strcmp(words, "columns") == 0)
		offer_columns(prefix, last);
	else
		offer_words(prefix, last, words);
	end_with = ":list";
}

static void offer_value(const struct line *l)
{
	const char *what = values_of(l);

	if (*l->typed == '@' && strcmp(l->takes->name, "without") == 0)
		offer_at_files(l);
	else if (what && *what == ',')
		offer_list(l, what + 1);
	else if (what && *what == ':')
		offer_kind(l, what + 1);
	else if (what)
		offer_words("", l->typed, what);
}

static void offer_options(const struct line *l)
{
	const struct opt *opts = l->cmd ? l->cmd->opts : global_opts;
	char word[64];

	for (int i = 0; opts[i].name; i++) {
		snprintf(word, sizeof(word), "--%s", opts[i].name);
		offer("", l->typed, word, strlen(word));
	}
	if (l->cmd)
		offer("", l->typed, "--help", 6);
}

/* The kinds of a command's operands, which two options change. */
static const char *kinds_of(const struct line *l)
{
	if (l->cmd == &cmd_umount && l->letter['a'])
		return "none";
	if (l->cmd == &cmd_tag && l->letter['f'])
		return "layer layer none";
	return l->cmd->completes;
}

/* Offers operands; the last kind applies to all that follow. */
static void offer_operand(const struct line *l)
{
	const char *kinds = kinds_of(l);

	for (int i = 0; kinds && i < l->n_operands && strchr(kinds, ' '); i++)
		kinds = strchr(kinds, ' ') + 1;
	while (kinds && *kinds) {
		size_t n = strcspn(kinds, " |");
		char kind[16];

		snprintf(kind, sizeof(kind), "%.*s", (int)n, kinds);
		offer_kind(l, kind);
		if (kinds[n] != '|')
			break;
		kinds += n + 1;
	}
}

/* ---- the words before it ---------------------------------------------------------- */

static const struct opt *find_option(const struct line *l, const char *word, size_t n)
{
	const struct opt *opts = l->cmd ? l->cmd->opts : global_opts;

	for (int i = 0; opts[i].name; i++) {
		if (strlen(opts[i].name) == n && strncmp(opts[i].name, word, n) == 0)
			return &opts[i];
	}
	return NULL;
}

/* Finds the option with a value in a word of short options; it ends the word. */
static const struct opt *find_letter(const struct line *l, const char *letters)
{
	const struct opt *opts = l->cmd ? l->cmd->opts : global_opts;

	for (int i = 0; *letters && opts[i].name; i++) {
		if (opts[i].id == *letters && opts[i].arg)
			return letters[1] ? NULL : &opts[i];
		if (!opts[i + 1].name) {
			letters++;
			i = -1;
		}
	}
	return NULL;
}

static void keep_global(struct line *l, const struct opt *opt, const char *value)
{
	if (!l->cmd && opt->id == 'R')
		l->cfg.root = value;
	if (!l->cmd && opt->id == 'D')
		l->cfg.driver = value;
}

/* Reads an option; sets l->takes if its value is the next word. */
static void read_option(struct line *l, const char *word)
{
	size_t n = word[1] == '-' ? strcspn(word + 2, "=") : 0;
	const struct opt *opt = n ? find_option(l, word + 2, n) :
				    find_letter(l, word + 1);

	if (n && opt && opt->id < 128)
		l->letter[opt->id] = true;
	for (const char *c = word + 1; !n && *c; c++)
		l->letter[*c & 127] = true;
	if (opt && opt->arg && n && word[2 + n] == '=')
		keep_global(l, opt, word + 3 + n);
	else if (opt && opt->arg && *opt->arg != '[')
		l->takes = opt;
}

static void read_words(struct line *l)
{
	for (int i = 0; i < l->n; i++) {
		char *word = l->word[i];

		if (l->takes) {
			keep_global(l, l->takes, word);
			l->takes = NULL;
		} else if (strcmp(word, "--") == 0 && l->cmd && !l->plain)
			l->plain = true;
		else if (word[0] == '-' && word[1] && !l->plain)
			read_option(l, word);
		else if (!l->cmd)
			l->cmd = cmd_find(commands, word);
		else if (l->n_operands <
			(int)(sizeof(l->operand) / sizeof(l->operand[0])))
			l->operand[l->n_operands++] = word;
		l->plain |= l->cmd && l->cmd->runs && l->n_operands;
	}
}

/* For "--root=st", completes the value, and prints candidates with the option. */
static bool value_in_word(struct line *l)
{
	size_t n = strncmp(l->typed, "--", 2) == 0 ? strcspn(l->typed + 2, "=") : 0;

	if (!n || l->typed[2 + n] != '=' || l->plain)
		return false;
	l->takes = find_option(l, l->typed + 2, n);
	snprintf(before, sizeof(before), "%.*s", (int)n + 3, l->typed);
	l->typed += 3 + n;
	return true;
}

int complete(const struct ovl_config *cfg, int argc, char **argv)
{
	struct line l = {.cfg = *cfg,
		.word = argv,
		.n = argc - 1,
		.typed = argc ? argv[argc - 1] : ""};

	if (argc > 0)
		read_words(&l);
	if (l.takes || value_in_word(&l)) {
		if (l.takes && l.takes->arg)
			offer_value(&l);
	} else if (*l.typed == '-' && !l.plain)
		offer_options(&l);
	else if (!l.cmd)
		offer_commands(&l);
	else
		offer_operand(&l);
	puts(end_with);
	return 0;
}
