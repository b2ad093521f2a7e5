/* SPDX-License-Identifier: ISC */
/* The layers that ls lists, as a table or tree of libsmartcols. */
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <stdlib.h>

#include "ls.h"

/* The cells in the order of printing and, for a tree, the indentation of each layer. */
struct rows {
	struct table table;
	unsigned *indent;
	long *parent; /* the row of its parent; -1: none */
};

static bool has_lines(const struct lister *ls, int c)
{
	return c == MOUNTPOINT || (c == NAME && ls->brief);
}

static int add_columns(struct lister *ls, struct libscols_table *table)
{
	bool tree = ls->tree;

	for (int i = 0; i < ls->n_cols; i++) {
		int c = ls->cols[i];
		struct libscols_column *col;
		int flags = ls_column[c].right ? SCOLS_FL_RIGHT : 0;

		if (c == NAME && !ls->fit)
			flags |= SCOLS_FL_NOEXTREMES;
		if (has_lines(ls, c))
			flags |= SCOLS_FL_WRAP;
		if (tree && c == NAME) {
			flags |= SCOLS_FL_TREE;
			tree = false;
		}
		col = scols_table_new_column(
			table, ls_column[c].name, ls_column[c].width, flags);
		if (!col)
			return ls_fail(ls);
		if (has_lines(ls, c)) {
			scols_column_set_wrapfunc(col, scols_wrapnl_chunksize,
				scols_wrapnl_nextchunk, NULL);
			scols_column_set_safechars(col, "\n");
		}
	}
	return 0;
}

/* Moves a row's cells to the table. */
static int add_cells(struct lister *ls, char **cell, struct libscols_line *line)
{
	for (int i = 0; i < ls->n_cols; i++) {
		if (cell[i] && scols_line_refer_data(line, (size_t)i, cell[i]) != 0)
			return ls_fail(ls);
		cell[i] = NULL;
	}
	return 0;
}

static int add_lines(struct lister *ls, struct rows *r, struct libscols_table *table)
{
	struct libscols_line **line = calloc(
		ls->rows + 1, sizeof(struct libscols_line *));
	int rc = line ? 0 : ls_fail(ls);

	for (size_t n = 0; n < ls->rows && rc == 0; n++) {
		line[n] = scols_table_new_line(
			table, r->parent[n] < 0 ? NULL : line[r->parent[n]]);
		rc = line[n] ?
			add_cells(ls, r->table.cell + n * (size_t)ls->n_cols, line[n]) :
			ls_fail(ls);
	}
	free(line);
	return rc;
}

/* In the order of printing, parents come before their children. */
static int place_rows(struct lister *ls, struct rows *r)
{
	size_t *row_of = calloc(ls->list.n + 1, sizeof(*row_of));

	r->indent = calloc(ls->rows + 1, sizeof(*r->indent));
	r->parent = calloc(ls->rows + 1, sizeof(*r->parent));
	if (!row_of || !r->indent || !r->parent) {
		free(row_of);
		return ls_fail(ls);
	}
	for (size_t n = 0; n < ls->rows; n++) {
		size_t i = ls->order[n];
		long parent = ls_parent(ls, i);

		row_of[i] = n;
		r->parent[n] = parent < 0 ? -1 : (long)row_of[parent];
		r->indent[n] = parent < 0 ? 0 : r->indent[r->parent[n]] + 2;
	}
	free(row_of);
	return 0;
}

static int make_cells(struct lister *ls, struct table *t)
{
	t->n_cols = ls->n_cols;
	for (int i = 0; i < ls->n_cols; i++)
		t->col[i] = &ls_column[ls->cols[i]];
	for (size_t n = 0; n < ls->rows; n++) {
		const struct ovl_layer *l = &ls->list.layer[ls->order[n]];

		for (int i = 0; i < ls->n_cols; i++)
			table_add(t, ls_cell(ls, l, ls->cols[i]));
	}
	return t->failed ? ls_fail(ls) : 0;
}

static int print_rows(struct lister *ls, struct rows *r)
{
	struct libscols_table *table = scols_new_table();
	int rc;

	if (!table)
		return ls_fail(ls);
	scols_table_enable_raw(table, ls->raw);
	scols_table_enable_noheadings(table, ls->noheadings);
	rc = add_columns(ls, table);
	if (rc == 0)
		rc = add_lines(ls, r, table);
	if (rc == 0 && scols_print_table(table) != 0)
		rc = ls_fail(ls);
	scols_unref_table(table);
	return rc;
}

int ls_print_table(struct lister *ls)
{
	struct rows r = {0};
	int rc = make_cells(ls, &r.table);

	if (rc == 0 && !ls->tree && !ls->raw && !ls->fit && table_is_plain(&r.table)) {
		table_measure(&r.table);
		table_print(&r.table, !ls->noheadings);
	} else if (rc == 0) {
		setlocale(LC_CTYPE, "");
		rc = place_rows(ls, &r);
		if (rc == 0 && ls->fit)
			rc = ls_fit(ls, r.table.cell, r.indent);
		if (rc == 0)
			rc = print_rows(ls, &r);
	}
	table_release(&r.table);
	free(r.indent);
	free(r.parent);
	return rc;
}
