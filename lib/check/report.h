/* SPDX-License-Identifier: ISC */
/*
 * Rows of text that are told later: what is found while others wait for a lock, or before
 * it is known whether it counts.
 *
 *	report_add	copies a row; what a column means is its owner's matter
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
	bool failed; /* a row could not be kept, for want of memory */
};

/* -1: ENOMEM, and the report as it was. */
int report_add(struct report *r, const struct report_row *row);

void report_release(struct report *r);

#endif
