/* SPDX-License-Identifier: ISC */
/*
 * The table of ls where nothing has to fit, to wrap or to be escaped: not for a terminal,
 * without a tree, a line a layer, all of it printable ASCII. The bytes are those that
 * libsmartcols prints, which asks for the width of each character, and twice: with it an
 * ls of 10,000 layers takes three times as long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ls.h"

struct plain {
	struct lister *ls;
	char **cell; /* of all layers, a row after the other */
	int width[2 * COLUMNS];
};

/* The width of a text of printable ASCII without escapes; -1: it is another. */
static int width_of(const char *text)
{
	const char *p = text;

	while (*p >= ' ' && *p <= '~' && *p != '\\')
		p++;
	return *p || p - text > 4096 ? -1 : (int)(p - text);
}

static void widen(struct plain *p, int col, int width)
{
	if (p->width[col] < width)
		p->width[col] = width;
}

/* As libsmartcols does: a column is as wide as its heading, also if that is not printed,
 * and what is as long as that has the least width. */
static void settle_widths(struct plain *p)
{
	for (int i = 0; i < p->ls->n_cols; i++) {
		int heading = (int)strlen(ls_column[p->ls->cols[i]].name);
		int least = (int)ls_column[p->ls->cols[i]].width;

		widen(p, i, p->width[i] < heading ? heading : least);
	}
}

/* 1; 0: one is not plain. */
static int make_cells(struct plain *p)
{
	const struct lister *ls = p->ls;
	char **cell = p->cell;

	for (size_t n = 0; n < ls->rows; n++) {
		const struct ovl_layer *l = &ls->list.layer[ls->order[n]];

		for (int i = 0; i < ls->n_cols; i++) {
			int width;

			*cell = ls_cell(ls, l, ls->cols[i]);
			width = *cell ? width_of(*cell) : 0;
			if (width < 0)
				return 0;
			widen(p, i, width);
			cell++;
		}
	}
	return 1;
}

static void print_row(const struct plain *p, const char *const *cell)
{
	const struct lister *ls = p->ls;

	for (int i = 0; i < ls->n_cols; i++) {
		const char *text = cell[i] ? cell[i] : "";
		int pad = p->width[i] - (int)strlen(text);
		bool last = i == ls->n_cols - 1;
		bool right = ls_column[ls->cols[i]].right;

		while (right && (*text || !last) && pad-- > 0)
			putchar_unlocked(' ');
		fputs_unlocked(text, stdout);
		while (!right && !last && pad-- > 0)
			putchar_unlocked(' ');
		if (!last)
			putchar_unlocked(' ');
	}
	putchar_unlocked('\n');
}

static void print_all(const struct plain *p)
{
	const char *head[2 * COLUMNS] = {NULL};

	for (int i = 0; i < p->ls->n_cols; i++)
		head[i] = ls_column[p->ls->cols[i]].name;
	if (!p->ls->noheadings)
		print_row(p, head);
	for (size_t n = 0; n < p->ls->rows; n++)
		print_row(p, (const char *const *)p->cell + n * (size_t)p->ls->n_cols);
}

int ls_print_plain(struct lister *ls)
{
	size_t n = ls->rows * (size_t)ls->n_cols;
	struct plain p = {.ls = ls, .cell = calloc(n + 1, sizeof(char *))};
	int r;

	if (!p.cell)
		return ls_fail(ls);
	r = make_cells(&p);
	if (r > 0) {
		settle_widths(&p);
		print_all(&p);
	}
	for (size_t i = 0; i < n; i++)
		free(p.cell[i]);
	free(p.cell);
	return r;
}
