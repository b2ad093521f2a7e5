/* SPDX-License-Identifier: ISC */
/* Functions by which readers add to a table. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/quote.h"
#include "base/vec.h"
#include "foreign/foreign.h"

const char *foreign_text(struct foreign *t, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0 || !VEC_ROOM(t->text, t->n_texts)) {
		t->failed = true;
		if (n >= 0)
			free(text);
		return "";
	}
	t->text[t->n_texts++] = text;
	return text;
}

struct foreign_layer *foreign_add_layer(struct foreign *t)
{
	struct foreign_layer *l = &t->no_layer;

	if (VEC_ROOM(t->layer, t->n_layers))
		l = &t->layer[t->n_layers++];
	else
		t->failed = true;
	*l = (struct foreign_layer){.size = -1, .tree = "", .own_id = ""};
	return l;
}

void foreign_add_more(struct foreign *t, struct foreign_layer *l, const char *path)
{
	if (l->n_more < OVL_MAX_LOWERS && VEC_ROOM(l->more, l->n_more))
		l->more[l->n_more++] = foreign_text(t, "%s", path);
	else
		t->failed = true;
}

struct foreign_name *foreign_add_name(
	struct foreign *t, const char *name, const struct ovl_id *layer)
{
	struct foreign_name *n = &t->no_name;

	if (VEC_ROOM(t->name, t->n_names))
		n = &t->name[t->n_names++];
	else
		t->failed = true;
	*n = (struct foreign_name){
		.name = foreign_text(t, "%s", name), .layer = *layer, .listed = true};
	return n;
}

void foreign_add_claim(struct foreign *t, const char *path, const char *whose)
{
	if (!VEC_ROOM(t->claim, t->n_claims)) {
		t->failed = true;
		return;
	}
	t->claim[t->n_claims++] = (struct foreign_claim){
		foreign_text(t, "%s", path), foreign_text(t, "%s", whose)};
}

void foreign_add_record(struct foreign *t, const char *what)
{
	if (VEC_ROOM(t->record, t->n_records))
		t->record[t->n_records++] = foreign_text(t, "%s", what);
	else
		t->failed = true;
}

void foreign_unread(struct foreign *t, const struct ovl_err *why)
{
	if (!*t->unread.text)
		t->unread = *why;
}

int foreign_not_found(const struct foreign *t, const char *what, struct ovl_err *err)
{
	if (!*t->unread.text)
		return 0;
	*err = t->unread;
	return err_prefix(err, -EUCLEAN, "cannot find layer %s", Q(what));
}

void foreign_hash_id(struct foreign *t, const char *own, struct ovl_id *out)
{
	struct ovl_err why;

	if (!id_take(own, out->s) && digest_bytes(own, strlen(own), out->s, &why) < 0)
		t->failed = true;
}
