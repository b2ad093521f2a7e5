/* SPDX-License-Identifier: ISC */
/*
 * A table: columns, and cells of text, a row after the other.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS 32

struct table_column {
	const char *name;
	const char *key; /* in JSON */
	double width; /* from 1 on the least of it, below a part of the terminal's */
	bool right; /* aligned */
};

struct table {
	const struct table_column *col[TABLE_COLUMNS];
	int n_cols;
	char **cell; /* NULL: empty */
	size_t n;
	bool failed; /* out of memory: there are not all cells */
	int width[TABLE_COLUMNS]; /* by table_measure() */
};

/* Adds a cell, which is the table's from now on. */
void table_add(struct table *t, char *text);
void table_release(struct table *t);

/* Sets the widths: for cells of which each byte takes a column. */
void table_measure(struct table *t);
/* Prints it, measured; what is in the last column may be anything. */
void table_print(const struct table *t, bool headings);

/* Is the text printable ASCII on one line, in which libsmartcols escapes nothing? */
bool table_is_plain(const struct table *t);

#endif
