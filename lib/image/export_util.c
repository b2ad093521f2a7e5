/* SPDX-License-Identifier: ISC */
/* Code shared by the parts of an export: progress, and JSON as bytes. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "image/export.h"
#include "store/store.h"

void export_progress(struct export *x)
{
	struct ovl_progress p = {.bytes = x->bytes, .entries = x->entries};

	if (!pace_due(&x->pace, &x->st->cfg))
		return;
	for (size_t i = 0; i < x->n_blobs; i++) {
		if (!x->blob[i]->same && !x->blob[i]->absent)
			p.total += x->blob[i]->l.meta.tar_size;
		if (x->blob[i]->packed) {
			p.total = 0;
			break;
		}
	}
	x->st->cfg.progress(x->st->cfg.ctx, &p);
}

int export_dump(const json_t *o, struct buf *out, struct ovl_err *err)
{
	auto_free char *text = o ? json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	buf_clear(out);
	if (text)
		buf_adds(out, text);
	return !text || out->failed ? err_nomem(err) : 0;
}
