/* SPDX-License-Identifier: ISC */
/* The blocks of the stream that tarin holds while a header is read. */
#include <errno.h>
#include <string.h>

#include "tar/tarin_own.h"

/* The bytes must be held. A failure is reported when the next block is taken or the
 * recipe is finished. */
void tarin_recipe_rest(struct tarin *t, uint64_t upto)
{
	for (unsigned i = 0; i < t->n_held && t->told < upto; i++) {
		const struct held *h = &t->held[i];
		uint64_t end = h->offset + h->len < upto ? h->offset + h->len : upto;

		if (t->told >= end)
			continue;
		if (t->recipe)
			recipe_raw(t->recipe, h->data + (t->told - h->offset),
				end - t->told);
		t->told = end;
	}
}

void tarin_drop_oldest(struct tarin *t)
{
	tarin_recipe_rest(t, t->held[0].offset + t->held[0].len);
	stream_release(t->stream);
	t->n_held--;
	t->n_given -= t->n_given ? 1 : 0;
	memmove(t->held, t->held + 1, t->n_held * sizeof(t->held[0]));
}

int tarin_too_big(struct ovl_err *err)
{
	return err_say(err, EFBIG, "an entry's headers are over 1 MiB");
}

int tarin_take_block(struct tarin *t, struct ovl_err *err)
{
	struct held *h;
	const void *p;
	ssize_t n;

	if (t->n_held == STREAM_HOLD)
		return tarin_too_big(err);
	if (t->recipe && recipe_error(t->recipe, err) < 0)
		return recipe_error(t->recipe, err);
	n = stream_next(t->stream, &p, err);
	if (n <= 0) {
		t->eof = n == 0;
		return (int)n;
	}
	h = &t->held[t->n_held++];
	h->offset = t->offset;
	h->data = p;
	h->len = (size_t)n;
	if (!h->offset) {
		t->n_first = h->len < sizeof(t->first) ? h->len : sizeof(t->first);
		memcpy(t->first, p, t->n_first);
	}
	t->offset += (uint64_t)n;
	return 1;
}

void tarin_gather(const struct tarin *t, uint64_t from, uint64_t to, struct buf *out)
{
	buf_clear(out);
	for (unsigned i = 0; i < t->n_held; i++) {
		const struct held *h = &t->held[i];
		uint64_t a = from > h->offset ? from : h->offset;
		uint64_t b = to < h->offset + h->len ? to : h->offset + h->len;

		if (a < b)
			buf_add(out, h->data + (a - h->offset), b - a);
	}
}
