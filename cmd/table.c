/* SPDX-License-Identifier: ISC */
/*
 * Prints a table in which nothing has to be shortened, wrapped or escaped. Unless a cell is
 * longer than WIDEST, the output is the same as that of libsmartcols, which determines the
 * width of each character twice: with it, an ls of 10,000 layers takes three times as long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* A longer cell does not make its column wider: a layer may have thousands of names. */
#define WIDEST 1000

/* There is room for a power of two. */
void table_add(struct table *t, char *text)
{
	bool full = (t->n & (t->n - 1)) == 0;
	char **more = full ? realloc(t->cell, (t->n ? 2 * t->n : 1) * sizeof(*more)) :
			     t->cell;

	if (more) {
		t->cell = more;
		t->cell[t->n++] = text;
	} else {
		free(text);
		t->failed = true;
	}
}

void table_release(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cell[i]);
	free(t->cell);
	t->cell = NULL;
	t->n = 0;
}

bool table_is_plain(const struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const char *p = t->cell[i] ? t->cell[i] : "";

		while (*p >= ' ' && *p <= '~' && *p != '\\')
			p++;
		if (*p)
			return false;
	}
	return true;
}

/* Like libsmartcols: a column is at least as wide as its heading, even if that is not
 * printed. */
void table_measure(struct table *t)
{
	memset(t->width, 0, sizeof(t->width));
	for (size_t i = 0; i < t->n; i++) {
		int *w = &t->width[i % (size_t)t->n_cols];
		int n = t->cell[i] ? (int)strlen(t->cell[i]) : 0;

		*w = n > *w && n <= WIDEST ? n : *w;
	}
	for (int i = 0; i < t->n_cols; i++) {
		int heading = (int)strlen(t->col[i]->name);
		int least = t->width[i] < heading ? heading : (int)t->col[i]->width;

		t->width[i] = t->width[i] < least ? least : t->width[i];
	}
}

static void print_cell(const struct table *t, int i, const char *text)
{
	int pad = t->width[i] - (int)strlen(text);
	bool last = i == t->n_cols - 1;
	bool right = t->col[i]->right;

	while (right && (*text || !last) && pad-- > 0)
		putchar_unlocked(' ');
	fputs_unlocked(text, stdout);
	while (!right && !last && pad-- > 0)
		putchar_unlocked(' ');
	putchar_unlocked(last ? '\n' : ' ');
}

void table_print(const struct table *t, bool headings)
{
	for (int i = 0; headings && i < t->n_cols; i++)
		print_cell(t, i, t->col[i]->name);
	for (size_t i = 0; i < t->n; i++)
		print_cell(t, (int)(i % (size_t)t->n_cols), t->cell[i] ? t->cell[i] : "");
}
