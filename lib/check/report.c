/* SPDX-License-Identifier: ISC */
/* Findings that are reported later, see report.h. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "check/report.h"

static const char *after(const char *text)
{
	return text + strlen(text) + 1;
}

/* All texts are in one allocation, which begins with the first. */
int report_add(struct report *r, const struct ovl_finding *f)
{
	const char *const texts[] = {f->kind, f->id, f->path, f->text};
	struct ovl_finding *row;
	auto_buf all = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		buf_add(&all, texts[i], strlen(texts[i]) + 1);
	if (all.failed || !VEC_ROOM(r->row, r->n)) {
		r->failed = true;
		return -1;
	}
	row = &r->row[r->n++];
	*row = *f;
	row->kind = buf_steal(&all);
	row->id = after(row->kind);
	row->path = after(row->id);
	row->text = after(row->path);
	return 0;
}

void report_release(struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		free((char *)r->row[i].kind);
	free(r->row);
	*r = (struct report){0};
}
