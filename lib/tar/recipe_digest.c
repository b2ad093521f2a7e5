/* SPDX-License-Identifier: ISC */
/* What a recipe says, whatever its bytes; see recipe.h. */
#include <inttypes.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "tar/recipe.h"

/* last is a record of R or D that may still grow. */
struct meaning {
	struct digest digest;
	struct recipe_rec last;
	struct buf text;
};

static int add_text(struct meaning *m, const struct recipe_rec *rec, struct ovl_err *err)
{
	buf_clear(&m->text);
	buf_addf(&m->text, "%c %zu %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIx64 " %s\n",
		rec->type, rec->n, rec->offset, rec->size, rec->number, rec->sum,
		rec->diff_id);
	return m->text.failed ? err_nomem(err) :
				digest_update(&m->digest, m->text.data, m->text.len, err);
}

static bool grows(struct recipe_rec *last, const struct recipe_rec *rec)
{
	if (last->type != rec->type)
		return false;
	if (rec->type == RECIPE_RUN && rec->offset == last->offset + last->size) {
		last->size += rec->size;
		return true;
	}
	last->n += rec->type == RECIPE_RAW ? rec->n : 0;
	return rec->type == RECIPE_RAW;
}

static int add_record(
	struct meaning *m, const struct recipe_rec *rec, struct ovl_err *err)
{
	int rc = 0;

	if (!grows(&m->last, rec)) {
		if (m->last.type)
			rc = add_text(m, &m->last, err);
		m->last = *rec;
		m->last.p = NULL;
	}
	return rc == 0 && rec->n ? digest_update(&m->digest, rec->p, rec->n, err) : rc;
}

int recipe_digest(int dirfd, char hex[ID_LEN + 1], struct ovl_err *err)
{
	struct meaning m = {.digest = {0}};
	auto_recipe in = NULL;
	struct recipe_rec rec = {.type = RECIPE_RAW};
	int rc = recipe_open(&in, dirfd, err);

	if (rc == 0)
		rc = digest_init(&m.digest, err);
	while (rc == 0 && rec.type != RECIPE_END) {
		rc = recipe_next(in, &rec, err);
		if (rc == 0)
			rc = add_record(&m, &rec, err);
	}
	if (rc == 0)
		rc = add_text(&m, &m.last, err);
	if (rc == 0)
		rc = digest_final(&m.digest, hex, err);
	buf_release(&m.text);
	return rc;
}
