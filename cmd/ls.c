#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "ls.h"

static const struct opt opts[] = {
	{'o', "output", "COLS",
		"columns, separated by commas; +COLS adds to the default ones"},
	{OPT_TREE, "tree", NULL, "layers below what they are on top of"},
	{'J', "json", NULL, "print JSON"},
	{'n', "noheadings", NULL, "no line of headings"},
	{'r', "raw", NULL, "one space between columns, blanks in them as \\x20"},
	{'b', "bytes", NULL, "sizes in bytes"},
	{0, NULL, NULL, NULL},
};

/* ---- columns ---------------------------------------------------------------------- */

static const struct {
	const char *name;
	double width; /* from 1 on the least of it, below a part of the terminal's */
	int flags;
	bool number; /* in JSON */
} column[COLUMNS] = {
	[NAME] = {"NAME", 0.1, SCOLS_FL_NOEXTREMES, false},
	[ID] = {"ID", 12, 0, false},
	[KIND] = {"KIND", 8, 0, false},
	[PARENT] = {"PARENT", 12, 0, false},
	[DEPTH] = {"DEPTH", 5, SCOLS_FL_RIGHT, true},
	[SIZE] = {"SIZE", 6, SCOLS_FL_RIGHT, false},
	[CREATED] = {"CREATED", 20, 0, false},
	[MOUNTPOINT] = {"MOUNTPOINT", 0.1, SCOLS_FL_WRAP, false},
	[LINK] = {"LINK", 26, 0, false},
	[DIFFID] = {"DIFFID", 71, 0, false},
	[LOWERS] = {"LOWERS", 6, SCOLS_FL_RIGHT, true},
	[ENTRIES] = {"ENTRIES", 7, SCOLS_FL_RIGHT, true},
	[DRIVER] = {"DRIVER", 8, 0, false},
	[PATH] = {"PATH", 0.1, 0, false},
};

static const int by_default[] = {
	NAME, ID, KIND, PARENT, DEPTH, SIZE, CREATED, MOUNTPOINT};

const char *ls_column_name(int c)
{
	return column[c].name;
}

int ls_column_least(int c)
{
	return (int)column[c].width;
}

bool ls_column_is_right(int c)
{
	return column[c].flags & SCOLS_FL_RIGHT;
}

bool ls_is_number(const struct lister *ls, int c)
{
	return column[c].number || (c == SIZE && ls->bytes);
}

static int find_column(const char *name, size_t n)
{
	for (int i = 0; i < COLUMNS; i++) {
		if (strlen(column[i].name) == n &&
			strncasecmp(column[i].name, name, n) == 0)
			return i;
	}
	return -1;
}

static int unknown_column(struct run *run, const char *name, int n)
{
	char all[160] = "";

	for (int i = 0; i < COLUMNS; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
			i ? ", " : "", column[i].name);
	return usage(run->err, "unknown column '%.*s'; there are %s", n, name, all);
}

static int choose_columns(struct lister *ls)
{
	const char *want = opt_value(ls->run, 'o');

	if (!want || *want == '+') {
		for (size_t i = 0; i < sizeof(by_default) / sizeof(by_default[0]); i++)
			ls->cols[ls->n_cols++] = by_default[i];
		want = want ? want + 1 : "";
	} else if (!*want)
		return usage(ls->run->err, "-o: no columns given");
	while (*want) {
		size_t n = strcspn(want, ",");
		int c = find_column(want, n);

		if (c < 0)
			return unknown_column(ls->run, want, (int)n);
		if (ls->n_cols == (int)(sizeof(ls->cols) / sizeof(ls->cols[0])))
			return usage(ls->run->err, "too many columns");
		ls->cols[ls->n_cols++] = c;
		want += n + (want[n] == ',');
	}
	return 0;
}

/* ---- cells ------------------------------------------------------------------------ */

static char *join(char *const *texts, char with)
{
	size_t n = 1;
	char *out;
	char *o;

	for (char *const *t = texts; *t; t++)
		n += strlen(*t) + 1;
	o = out = malloc(n);
	if (!out)
		return NULL;
	for (char *const *t = texts; *t; t++) {
		if (t != texts)
			*o++ = with;
		o = stpcpy(o, *t);
	}
	*o = '\0';
	return out;
}

/* In a tree each layer needs something to hang on its branch. */
static char *name_cell(const struct lister *ls, const struct ovl_layer *l)
{
	if (!l->names[0] && ls->tree && !ls->json)
		return strndup(l->id.s, 12);
	return join(l->names, ',');
}

/* On a terminal the table's own columns have room for what names a layer. */
static char *id_cell(const struct lister *ls, const char *id)
{
	return ls->short_ids ? strndup(id, 12) : strdup(id);
}

static char *size_cell(const struct lister *ls, const struct ovl_layer *l)
{
	char text[32];

	if (l->kind != OVL_IMAGE)
		return NULL;
	if (ls->bytes)
		snprintf(text, sizeof(text), "%" PRIu64, l->size);
	else
		human_size(l->size, text);
	return strdup(text);
}

static char *time_cell(int64_t seconds)
{
	char text[64];
	time_t t = seconds;
	struct tm tm;
	size_t n;

	localtime_r(&t, &tm);
	n = strftime(text, sizeof(text) - 1, "%Y-%m-%dT%H:%M:%S%z", &tm);
	/* +0100 as +01:00 */
	memmove(text + n - 1, text + n - 2, 3);
	text[n - 2] = ':';
	return strdup(text);
}

static char *number(uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return strdup(text);
}

static char *path_cell(const struct lister *ls, const struct ovl_layer *l)
{
	const char *root = ovl_root(ls->run->st);
	char *out = malloc(strlen(root) + strlen(l->driver) + sizeof(l->id.s) + 3);

	if (out)
		sprintf(out, "%s/%s/%s", root, l->driver, l->id.s);
	return out;
}

/* A line each, so none may hold a line break. */
static char *mounts_cell(const struct ovl_layer *l)
{
	size_t n = 1;
	char *out;
	char *o;

	for (char *const *m = l->mounts; *m; m++)
		n += 4 * strlen(*m) + 4;
	o = out = l->mounts[0] ? malloc(n) : NULL;
	for (char *const *m = l->mounts; out && *m; m++) {
		size_t len = strlen(*m);

		if (m != l->mounts)
			*o++ = '\n';
		ovl_escape(o, 4 * len + 4, *m, len);
		o += strlen(o);
	}
	return out;
}

char *ls_cell(const struct lister *ls, const struct ovl_layer *l, int c)
{
	char text[80];

	switch (c) {
	case NAME: return name_cell(ls, l);
	case ID: return id_cell(ls, l->id.s);
	case KIND: return strdup(l->kind == OVL_IMAGE ? "image" : "writable");
	case PARENT: return l->has_parent ? id_cell(ls, l->parent.s) : NULL;
	case DEPTH: return number(l->depth);
	case SIZE: return size_cell(ls, l);
	case CREATED: return time_cell(l->created);
	case MOUNTPOINT: return mounts_cell(l);
	case LINK: return strdup(l->link);
	case LOWERS: return number(l->lowers);
	case ENTRIES: return l->kind == OVL_IMAGE ? number(l->entries) : NULL;
	case DRIVER: return strdup(l->driver);
	case PATH: return path_cell(ls, l);
	default:
		if (!l->diff_id[0])
			return NULL;
		snprintf(text, sizeof(text), "sha256:%s", l->diff_id);
		return strdup(text);
	}
}

int ls_fail(struct lister *ls)
{
	ls->run->err->status = OVL_FAILED;
	snprintf(ls->run->err->text, sizeof(ls->run->err->text), "out of memory");
	return -1;
}

/* ---- the order -------------------------------------------------------------------- */

static int by_id(const void *a, const void *b, void *ctx)
{
	const struct ovl_layer *layer = ctx;

	return strcmp(layer[*(const size_t *)a].id.s, layer[*(const size_t *)b].id.s);
}

static int by_depth(const void *a, const void *b, void *ctx)
{
	const struct ovl_layer *layer = ctx;
	size_t x = *(const size_t *)a;
	size_t y = *(const size_t *)b;

	if (layer[x].depth != layer[y].depth)
		return layer[x].depth < layer[y].depth ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int put_in_order(struct lister *ls)
{
	size_t n = ls->list.n;

	ls->index = malloc((2 * n + 1) * sizeof(*ls->index));
	if (!ls->index)
		return ls_fail(ls);
	ls->order = ls->index + n;
	for (size_t i = 0; i < n; i++)
		ls->index[i] = ls->order[i] = i;
	if (n)
		qsort_r(ls->index, n, sizeof(*ls->index), by_id, ls->list.layer);
	if (n && ls->tree)
		qsort_r(ls->order, n, sizeof(*ls->order), by_depth, ls->list.layer);
	return 0;
}

long ls_parent(const struct lister *ls, const struct ovl_layer *l)
{
	size_t low = 0;
	size_t high = ls->list.n;

	while (l->has_parent && low < high) {
		size_t mid = (low + high) / 2;
		const struct ovl_layer *at = &ls->list.layer[ls->index[mid]];
		int order = strcmp(at->id.s, l->parent.s);

		if (order == 0)
			return strcmp(at->driver, l->driver) == 0 ? (long)ls->index[mid] :
								    -1;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

/* ---- the table -------------------------------------------------------------------- */

static int add_columns(struct lister *ls, struct libscols_table *table)
{
	bool tree = ls->tree;

	for (int i = 0; i < ls->n_cols; i++) {
		int c = ls->cols[i];
		struct libscols_column *col;
		int flags = column[c].flags;

		if (tree && c == NAME) {
			flags |= SCOLS_FL_TREE;
			tree = false;
		}
		col = scols_table_new_column(
			table, column[c].name, column[c].width, flags);
		if (!col)
			return ls_fail(ls);
		if (c == MOUNTPOINT) {
			scols_column_set_wrapfunc(col, scols_wrapnl_chunksize,
				scols_wrapnl_nextchunk, NULL);
			scols_column_set_safechars(col, "\n");
		}
	}
	return 0;
}

static char *escaped_path(const struct lister *ls, const struct ovl_layer *l)
{
	char *path = path_cell(ls, l);
	size_t n = path ? strlen(path) : 0;
	char *out = path ? malloc(4 * n + 4) : NULL;

	if (out)
		ovl_escape(out, 4 * n + 4, path, n);
	free(path);
	return out;
}

static int add_cells(struct lister *ls, size_t i, struct libscols_line *line)
{
	const struct ovl_layer *l = &ls->list.layer[i];

	for (int n = 0; n < ls->n_cols; n++) {
		int c = ls->cols[n];
		char *text = c == PATH ? escaped_path(ls, l) : ls_cell(ls, l, c);

		if (text && scols_line_refer_data(line, (size_t)n, text) != 0)
			return ls_fail(ls);
	}
	return 0;
}

/* Parents come before children: they are older, and of the same second less deep. */
static int add_lines(struct lister *ls, struct libscols_table *table)
{
	struct libscols_line **line = calloc(
		ls->list.n + 1, sizeof(struct libscols_line *));
	int rc = line ? 0 : ls_fail(ls);

	for (size_t n = 0; n < ls->list.n && rc == 0; n++) {
		size_t i = ls->order[n];
		long parent = ls->tree ? ls_parent(ls, &ls->list.layer[i]) : -1;

		line[i] = scols_table_new_line(table, parent < 0 ? NULL : line[parent]);
		rc = line[i] ? add_cells(ls, i, line[i]) : ls_fail(ls);
	}
	free(line);
	return rc;
}

static int print_table(struct lister *ls)
{
	bool plain = !ls->tree && !ls->raw && !isatty(STDOUT_FILENO);
	struct libscols_table *table;
	int rc = plain ? ls_print_plain(ls) : 0;

	if (rc)
		return rc < 0 ? rc : 0;
	setlocale(LC_CTYPE, "");
	table = scols_new_table();
	if (!table)
		return ls_fail(ls);
	scols_table_enable_raw(table, ls->raw);
	scols_table_enable_noheadings(table, ls->noheadings);
	rc = add_columns(ls, table);
	if (rc == 0)
		rc = add_lines(ls, table);
	if (rc == 0 && scols_print_table(table) != 0)
		rc = ls_fail(ls);
	scols_unref_table(table);
	return rc;
}

static int run_ls(struct run *run)
{
	struct lister ls = {
		.run = run,
		.tree = opt_given(run, OPT_TREE),
		.json = opt_given(run, 'J'),
		.raw = opt_given(run, 'r'),
		.bytes = opt_given(run, 'b'),
		.noheadings = opt_given(run, 'n'),
	};
	int rc = choose_columns(&ls);

	ls.short_ids = !ls.json && !ls.raw && !opt_given(run, 'o') &&
		isatty(STDOUT_FILENO);
	if (rc == 0 && (ls.json + ls.raw + ls.tree > 1) && !(ls.json && ls.tree))
		rc = usage(run->err,
			ls.json ? "-J and -r exclude each other" :
				  "--tree and -r exclude each other");
	if (rc == 0)
		rc = ovl_list(run->st, run->n_operands ? run->operand : NULL, &ls.list,
			run->err);
	if (rc == 0)
		rc = put_in_order(&ls);
	if (rc == 0 && ls.json)
		rc = ls_print_json(&ls);
	else if (rc == 0 && ls.list.n)
		rc = print_table(&ls);
	free(ls.index);
	ovl_list_free(&ls.list);
	return rc;
}

const struct cmd cmd_ls = {
	.name = "ls",
	.synopsis = "[-o COLS] [--tree] [-J] [-n] [-r] [-b] [LAYER...]",
	.summary = "list layers",
	.opts = opts,
	.max_operands = UNLIMITED,
	.access = READ_STORE,
	.prints = true,
	.fn = run_ls,
};
