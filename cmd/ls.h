/*
 * What ls prints: the columns and cells (lscell.c) as a table (ls.c, and lsplain.c where
 * that will do) or as JSON (lsjson.c).
 */
#ifndef LS_H
#define LS_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd.h"

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
	PATH,
	COLUMNS
};

struct lister {
	struct run *run;
	struct ovl_list list;
	int cols[2 * COLUMNS];
	int n_cols;
	size_t *index; /* of the layers, by id */
	size_t *order; /* in which they are printed: in a tree parents come first */
	bool tree, json, raw, bytes, noheadings;
	bool short_ids; /* 12 digits: in the default table on a terminal */
};

struct ls_column {
	const char *name;
	double width; /* from 1 on the least of it, below a part of the terminal's */
	bool right; /* aligned */
	bool number; /* in JSON */
};

extern const struct ls_column ls_column[COLUMNS];

/* Is it a number in JSON? */
bool ls_is_number(const struct lister *ls, int c);

/* A column of a layer as text, the caller's to free; NULL: it does not apply. */
char *ls_cell(const struct lister *ls, const struct ovl_layer *l, int c);

/* The index of a layer's parent in the list; -1 if it is not listed. */
long ls_parent(const struct lister *ls, const struct ovl_layer *l);

int ls_fail(struct lister *ls); /* out of memory */

int ls_print_json(struct lister *ls);

/* 1 printed, 0 not one for this, -1 ls_fail. */
int ls_print_plain(struct lister *ls);

#endif
