/*
 * What ls prints: the columns and cells (lscell.c) as a table (lstable.c, made to fit a
 * terminal by lsfit.c; table.c where that will do) or as JSON (lsjson.c).
 */
#ifndef LS_H
#define LS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd.h"
#include "table.h"

enum {
	NAME,
	ID,
	KIND,
	PARENT,
	DEPTH,
	SIZE,
	CREATED,
	MOUNTPOINT,
	LINK,
	DIFFID,
	LOWERS,
	ENTRIES,
	DRIVER,
	USES,
	USED,
	PATH,
	COLUMNS
};

struct lister {
	struct run *run;
	struct ovl_list list;
	int cols[TABLE_COLUMNS];
	int n_cols;
	bool by_default; /* the columns are, with those of +COLS */
	size_t *order; /* in which the layers are printed: in a tree parents come first */
	size_t rows; /* so many of them are printed */
	unsigned asked; /* a bit for each column that an option names */
	int sort; /* the column to sort by; -1: the list's own order */
	bool tree, json, raw, bytes, noheadings;
	bool fit; /* to the terminal's width */
	bool brief; /* default columns on a terminal: short ids, times and mount points */
};

extern const struct table_column ls_column[COLUMNS];

/* A column of a layer as text, the caller's to free; NULL: it does not apply.
 * Several mount points are lines, and so are several names where it is brief. */
char *ls_cell(const struct lister *ls, const struct ovl_layer *l, int c);

/* Is it of the kind that was asked for? */
bool ls_shows(const struct lister *ls, const struct ovl_layer *l);

/* Below which layer of the list one is shown; -1: none. */
long ls_parent(const struct lister *ls, size_t i);

int ls_fail(struct lister *ls); /* out of memory */

/*
 * The cells of a table on a terminal, cell[row * n_cols + column], in the order of
 * printing: leaves out columns (of the default ones) and shortens cells until a row fits.
 * indent[row]: what a tree puts before the name. Changes ls->cols.
 */
int ls_fit(struct lister *ls, char **cell, const unsigned *indent);

/* Each line of a text within width columns, the caller's to free; NULL: out of memory. */
char *ls_shorten(const char *text, int width);

int ls_print_json(struct lister *ls);
int ls_print_table(struct lister *ls);

#endif
