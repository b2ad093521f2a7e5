/* SPDX-License-Identifier: ISC */
/* Rows of text that are reported later, see report.h. */
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "check/report.h"

/* Copies the texts of a row into one allocation, which begins with the first text. */
static int copy_row(struct report_row *to, const struct report_row *from)
{
	size_t len[REPORT_COLUMNS];
	size_t all = 0;
	char *p;

	for (int i = 0; i < REPORT_COLUMNS; i++) {
		len[i] = from->text[i] ? strlen(from->text[i]) : 0;
		all += len[i] + 1;
	}
	p = malloc(all);
	if (!p)
		return -1;
	to->how = from->how;
	for (int i = 0; i < REPORT_COLUMNS; i++) {
		to->text[i] = p;
		if (len[i])
			memcpy(p, from->text[i], len[i]);
		p[len[i]] = '\0';
		p += len[i] + 1;
	}
	return 0;
}

int report_add(struct report *r, const struct report_row *row)
{
	if (!VEC_ROOM(r->row, r->n) || copy_row(&r->row[r->n], row) < 0) {
		r->failed = true;
		return -1;
	}
	r->n++;
	return 0;
}

void report_release(struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		free((char *)r->row[i].text[0]);
	free(r->row);
	*r = (struct report){0};
}
