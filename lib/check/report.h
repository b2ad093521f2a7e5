/* SPDX-License-Identifier: ISC */
/*
 * Rows of text that are reported later: findings while others wait for a lock, or before
 * it is certain that they count.
 *
 *	report_add	copies a row; the owner decides what a column means
 *	report_release	always
 */
#ifndef OVL_REPORT_H
#define OVL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define REPORT_COLUMNS 4

struct report_row {
	unsigned how;
	const char *text[REPORT_COLUMNS]; /* NULL: "" */
};

struct report {
	struct report_row *row;
	size_t n;
	bool failed; /* a row was lost, out of memory */
};

/* -1: ENOMEM, and the report is unchanged. */
int report_add(struct report *r, const struct report_row *row);

void report_release(struct report *r);

#endif
