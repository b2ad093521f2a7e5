/* SPDX-License-Identifier: ISC */
/* ovlctl du: what each layer takes, as a table or as JSON. */

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "ls.h"
#include "out.h"

static const struct opt opts[] = {
	{'J', "json", NULL, "print JSON"},
	{'b', "bytes", NULL, "print sizes in bytes"},
	{OPT_FILES, "files", "N", "also list the N largest hidden files"},
	{OPT_MAX_SHADOWED, "max-shadowed", "N|P%", "exit with 1 if more is hidden"},
	{0, NULL, NULL, NULL},
};

static const char *const why_name[OVL_HIDDEN_WAYS] = {
	[OVL_HIDDEN_OVERWRITTEN] = "overwritten",
	[OVL_HIDDEN_DELETED] = "deleted",
	[OVL_HIDDEN_METADATA] = "metadata",
};

static uint64_t shadowed(const struct ovl_usage *u)
{
	uint64_t all = 0;

	for (int i = 0; i < OVL_HIDDEN_WAYS; i++)
		all += u->hidden[i];
	return all;
}

/* ---- JSON -------------------------------------------------------------------------- */

static void set_number(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *usage_json(const struct ovl_usage *u)
{
	json_t *o = json_pack("{s:s}", "id", u->layer->id.s);
	json_t *hidden = json_object();

	out_json_paths(o, "names", u->layer->names);
	set_number(o, "own", u->own);
	set_number(o, "shared", u->shared);
	for (int i = 0; i < OVL_HIDDEN_WAYS; i++)
		set_number(hidden, why_name[i], u->hidden[i]);
	json_object_set_new(o, "shadowed", hidden);
	set_number(o, "freed", u->freed);
	return o;
}

static json_t *file_json(const struct ovl_hidden_file *f)
{
	json_t *o = json_object();

	out_json_path(o, "path", f->path);
	json_object_update_new(o,
		json_pack("{s:I, s:s, s:s, s:s}", "bytes", (json_int_t)f->bytes, "reason",
			why_name[f->why], "layer", f->in->id.s, "hidden_by",
			f->by->id.s));
	return o;
}

static void print_json(const struct ovl_du *d)
{
	json_t *layers = json_array();
	json_t *files = json_array();

	for (size_t i = 0; i < d->n; i++)
		json_array_append_new(layers, usage_json(&d->usage[i]));
	for (size_t i = 0; i < d->n_files; i++)
		json_array_append_new(files, file_json(&d->file[i]));
	out_json(json_pack("{s:o, s:o, s:I, s:I}", "layers", layers, "files", files,
		"freed", (json_int_t)d->freed, "total", (json_int_t)d->total));
}

/* ---- tables ------------------------------------------------------------------------ */

#define LEAST_NAME 12 /* columns of a name */

static void add_size(struct run *run, struct table *t, uint64_t n)
{
	char text[24];

	if (opt_given(run, 'b'))
		snprintf(text, sizeof(text), "%" PRIu64, n);
	else
		human_size(n, text);
	table_add(t, strdup(text));
}

/* Adds a layer's names, or only the first one, or its id if it has none. */
static void add_layer(struct table *t, const struct ovl_layer *l, bool all)
{
	char *const *name = l->names;
	char id[sizeof(l->id.s)];
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	strcpy(id, l->id.s);
	if (f) {
		fputs(*name ? *name : out_shorten(id), f);
		while (all && *name && *++name)
			fprintf(f, ", %s", *name);
		fclose(f);
	}
	table_add(t, text);
}

/* The width left for the last column; -1: unlimited. */
static int room_of(const struct table *t)
{
	int room = isatty(STDOUT_FILENO) ? terminal_width(STDOUT_FILENO) : -1;

	for (int i = 0; i < t->n_cols - 1 && room >= 0; i++)
		room -= t->width[i] + 1 < room ? t->width[i] + 1 : room;
	return room;
}

/* Prints the table; the last column is made to fit a terminal. */
static int print_table(struct run *run, struct table *t)
{
	size_t cols = (size_t)t->n_cols;
	int room = room_of(t);

	for (size_t i = cols - 1; i < t->n && room >= 0; i += cols) {
		char *text = t->cell[i] ? ls_shorten(t->cell[i], room > 4 ? room : 4) :
					  NULL;

		free(t->cell[i]);
		t->cell[i] = text;
	}
	if (!t->failed)
		table_print(t, true);
	table_release(t);
	return t->failed ? failed(run->err, "out of memory") : 0;
}

static void add_blanks(struct table *t, int n)
{
	while (n-- > 0)
		table_add(t, NULL);
}

/* On a terminal, each name after the first is on a line of its own. */
static void add_usage(
	struct run *run, struct table *t, const struct ovl_usage *u, bool brief)
{
	bool lines = isatty(STDOUT_FILENO);
	char *const *name = u->layer->names;

	add_size(run, t, u->own);
	add_size(run, t, u->shared);
	for (int i = 0; i < OVL_HIDDEN_WAYS && !brief; i++)
		add_size(run, t, u->hidden[i]);
	if (brief)
		add_size(run, t, shadowed(u));
	add_size(run, t, u->freed);
	add_layer(t, u->layer, !lines);
	while (lines && *name && *++name) {
		add_blanks(t, t->n_cols - 1);
		table_add(t, strdup(*name));
	}
}

static struct table table_of(const struct table_column *col, int n)
{
	struct table t = {.n_cols = n};

	while (n-- > 0)
		t.col[n] = &col[n];
	return t;
}

/* brief: with a single column for everything hidden. */
static int print_layers(struct run *run, const struct ovl_du *d, bool brief)
{
	static const struct table_column all[] = {{"OWN", .right = true},
		{"SHARED", .right = true}, {"OVERWRITTEN", .right = true},
		{"DELETED", .right = true}, {"METADATA", .right = true},
		{"FREED", .right = true}, {"LAYER", .right = false}};
	static const struct table_column few[] = {{"OWN", .right = true},
		{"SHARED", .right = true}, {"SHADOWED", .right = true},
		{"FREED", .right = true}, {"LAYER", .right = false}};
	struct table t = brief ? table_of(few, 5) : table_of(all, 7);
	int room;

	for (size_t i = 0; i < d->n; i++)
		add_usage(run, &t, &d->usage[i], brief);
	add_size(run, &t, d->total);
	add_blanks(&t, t.n_cols - 3);
	add_size(run, &t, d->freed);
	table_add(&t, strdup("total"));
	table_measure(&t);
	room = room_of(&t);
	if (brief || room < 0 || room >= LEAST_NAME)
		return print_table(run, &t);
	table_release(&t);
	return print_layers(run, d, true);
}

static int print_files(struct run *run, const struct ovl_du *d)
{
	static const struct table_column columns[] = {{"SIZE", .right = true},
		{"REASON", .right = false}, {"LAYER", .right = false},
		{"HIDDEN-BY", .right = false}, {"PATH", .right = false}};
	struct table t = table_of(columns, 5);

	for (size_t i = 0; i < d->n_files; i++) {
		const struct ovl_hidden_file *f = &d->file[i];

		add_size(run, &t, f->bytes);
		table_add(&t, strdup(why_name[f->why]));
		add_layer(&t, f->in, false);
		add_layer(&t, f->by, false);
		table_add(&t, out_escaped(f->path));
	}
	putchar('\n');
	table_measure(&t);
	return print_table(run, &t);
}

/* ---- the command ------------------------------------------------------------------- */

/* Reads a number of bytes or, with a % at the end, a percentage. */
static int take_limit(struct run *run, uint64_t *out, bool *percent)
{
	const char *text = opt_value(run, OPT_MAX_SHADOWED);
	size_t n = text ? strlen(text) : 0;

	*percent = n && text[n - 1] == '%';
	if (text && strcmp(text, "0") == 0)
		return 0;
	if (!*percent)
		return opt_number(run, OPT_MAX_SHADOWED, out);
	*out = (uint64_t)atoi(text);
	if (n > 4 || strspn(text, "0123456789") != n - 1 || n == 1 || *out > 100)
		return usage(run->err,
			"'--max-shadowed %s': not a percentage from 0%% to 100%%", text);
	return 0;
}

static bool exceeds(const struct ovl_usage *u, uint64_t limit, bool percent)
{
	return percent ? (double)shadowed(u) * 100 > (double)limit * (double)u->stack :
			 shadowed(u) > limit;
}

static int check_limit(
	struct run *run, const struct ovl_du *d, uint64_t limit, bool percent)
{
	const struct ovl_usage *first = NULL;
	size_t n = 0;
	char is[16];
	char of[16];
	char more[64] = "";
	const struct ovl_layer *l;

	for (size_t i = 0; i < d->n; i++) {
		if (!exceeds(&d->usage[i], limit, percent))
			continue;
		first = first ? first : &d->usage[i];
		n++;
	}
	if (!n)
		return 0;
	l = first->layer;
	if (n > 1)
		snprintf(more, sizeof(more), ", and %zu more layer%s exceed%s it", n - 1,
			n > 2 ? "s" : "", n > 2 ? "" : "s");
	return failed(run->err,
		"%s of %s in layer '%.*s' and its stack is hidden; --max-shadowed allows %s%s",
		human_size(shadowed(first), is), human_size(first->stack, of),
		l->names[0] ? 200 : 12, l->names[0] ? l->names[0] : l->id.s,
		opt_value(run, OPT_MAX_SHADOWED), more);
}

static int run_du(struct run *run)
{
	struct ovl_du d = {0};
	uint64_t files = 0;
	uint64_t limit = 0;
	bool percent = false;
	int rc = opt_number(run, OPT_FILES, &files);

	if (rc == 0)
		rc = take_limit(run, &limit, &percent);
	if (rc == 0)
		rc = ovl_du(run->st, run->operand, files, &d, run->err);
	if (rc < 0)
		return rc;
	progress_clear();
	setlocale(LC_CTYPE, "");
	if (opt_given(run, 'J'))
		print_json(&d);
	else
		rc = print_layers(run, &d, false);
	if (rc == 0 && d.n_files && !opt_given(run, 'J'))
		rc = print_files(run, &d);
	if (rc == 0 && opt_given(run, OPT_MAX_SHADOWED))
		rc = check_limit(run, &d, limit, percent);
	ovl_du_free(&d);
	return rc;
}

const struct cmd cmd_du = {
	.name = "du",
	.synopsis = "[-J] [-b] [--files N] [--max-shadowed N|P%] [LAYER...]",
	.summary = "show the disk space of layers, and what they hide",
	.completes = "layer",
	.others = "df size usage space",
	.opts = opts,
	.max_operands = UNLIMITED,
	.access = READ_STORE,
	.prints = true,
	.fn = run_du,
};
