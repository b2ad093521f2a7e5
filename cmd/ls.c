/* SPDX-License-Identifier: ISC */
/* ovlctl ls: chooses columns and order, and prints tables and trees by libsmartcols. */

#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ls.h"

static const struct opt opts[] = {
	{'o', "output", "COLS", "print these columns; +COLS adds to the defaults"},
	{OPT_TREE, "tree", NULL, "show each layer below its parent"},
	{'J', "json", NULL, "print JSON"},
	{'n', "noheadings", NULL, "omit the headings"},
	{'r', "raw", NULL, "one space between columns, for scripts"},
	{'b', "bytes", NULL, "print sizes in bytes"},
	{0, NULL, NULL, NULL},
};

/* ---- columns ---------------------------------------------------------------------- */

static const int by_default[] = {
	NAME, ID, KIND, PARENT, DEPTH, SIZE, CREATED, MOUNTPOINT};

static int find_column(const char *name, size_t n)
{
	for (int i = 0; i < COLUMNS; i++) {
		if (strlen(ls_column[i].name) == n &&
			strncasecmp(ls_column[i].name, name, n) == 0)
			return i;
	}
	return -1;
}

static int unknown_column(struct run *run, const char *name, int n)
{
	char all[160] = "";

	for (int i = 0; i < COLUMNS; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
			i ? ", " : "", ls_column[i].name);
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

/* ---- the table -------------------------------------------------------------------- */

static int add_columns(struct lister *ls, struct libscols_table *table)
{
	bool tree = ls->tree;

	for (int i = 0; i < ls->n_cols; i++) {
		int c = ls->cols[i];
		struct libscols_column *col;
		int flags = ls_column[c].right ? SCOLS_FL_RIGHT : 0;

		if (c == NAME)
			flags |= SCOLS_FL_NOEXTREMES;
		if (c == MOUNTPOINT)
			flags |= SCOLS_FL_WRAP;
		if (tree && c == NAME) {
			flags |= SCOLS_FL_TREE;
			tree = false;
		}
		col = scols_table_new_column(
			table, ls_column[c].name, ls_column[c].width, flags);
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
	char *path = ls_cell(ls, l, PATH);
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
