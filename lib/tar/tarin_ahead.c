/* SPDX-License-Identifier: ISC */
/* Reads the headers of an entry before libarchive does, and patches what it would
 * misread. */
#include <archive.h>
#include <string.h>

#include "tar/tarin_own.h"

/* Holds the stream up to an offset, or to its end. */
static int look_ahead(struct tarin *t, uint64_t upto, struct ovl_err *err)
{
	int r = 1;

	while (r > 0 && !t->eof && t->offset < upto)
		r = tarin_take_block(t, err);
	return r < 0 ? r : 0;
}

/* Finds the header block at an offset; *p is NULL if the stream ends before the block is
 * complete. */
static int peek_header(
	struct tarin *t, uint64_t place, const unsigned char **p, struct ovl_err *err)
{
	int rc = look_ahead(t, place + RAWHEAD_BLOCK, err);

	*p = NULL;
	for (unsigned i = 0; i < t->n_held && rc == 0; i++) {
		const struct held *h = &t->held[i];

		if (place >= h->offset && place + RAWHEAD_BLOCK <= h->offset + h->len)
			*p = h->data + (place - h->offset);
	}
	return rc;
}

/* 1 if a hard link with a size is followed by a header and not by data, as GNU tar and Go
 * always assume; 0 if not; negative errno. */
static int has_no_data(
	struct tarin *t, uint64_t at, const unsigned char *block, struct ovl_err *err)
{
	const unsigned char *next;
	int rc;

	if (!rawhead_is_sized_link(block))
		return 0;
	rc = peek_header(t, at + RAWHEAD_BLOCK, &next, err);
	return rc < 0 ? rc : next && rawhead_is_summed(next);
}

/* Patches n_pax pax headers and the other headers of the entry, including its own. */
static int mend_all(struct tarin *t, unsigned n_pax, struct ovl_err *err)
{
	long long body = 0;

	for (uint64_t at = 0; at + RAWHEAD_BLOCK <= t->patched.len;
		at += RAWHEAD_BLOCK + (uint64_t)body) {
		unsigned char *block = (unsigned char *)t->patched.data + at;
		bool pax = rawhead_is_pax((char)block[156]);
		int no_data = has_no_data(t, t->head_at + at, block, err);

		if (no_data < 0)
			return no_data;
		body = rawhead_body(block);
		rawhead_mend(block, pax && n_pax > 1, no_data);
		n_pax -= pax;
		if (body < 0)
			break;
	}
	return 0;
}

/* Looks at the headers of the entry to come, up to its own, whose place is *end then. */
static int find_entry(
	struct tarin *t, uint64_t *end, unsigned *n_pax, struct ovl_err *err)
{
	uint64_t start = *end;

	for (;;) {
		const unsigned char *block;
		int rc = peek_header(t, *end, &block, err);
		long long body;

		if (rc < 0 || !block)
			return rc;
		body = rawhead_body(block);
		t->head.type = body < 0 ? (char)block[156] : '\0';
		if (body < 0)
			return rawhead_check(block, err);
		*n_pax += rawhead_is_pax((char)block[156]);
		if (t->lone_end == *end && strchr("gV", block[156]))
			t->lone_end += RAWHEAD_BLOCK + (uint64_t)body;
		*end += RAWHEAD_BLOCK + (uint64_t)body;
		if (body > TARIN_MAX_HEADER || *end - start > TARIN_MAX_HEADER)
			return tarin_too_big(err);
	}
}

int tarin_read_ahead(struct tarin *t, struct ovl_err *err)
{
	uint64_t start = (uint64_t)archive_filter_bytes(t->a, 0);
	uint64_t own = start; /* the entry's own header */
	unsigned n_pax = 0;
	int rc;

	rawhead_clear(&t->head);
	buf_clear(&t->patched);
	t->head_at = t->lone_end = start;
	rc = find_entry(t, &own, &n_pax, err);
	/* If the stream ends before that, the reader will notice. */
	if (rc < 0 || own > t->offset || start == t->offset)
		return rc;
	tarin_gather(t, start, own + RAWHEAD_BLOCK, &t->raw);
	buf_add(&t->patched, t->raw.data, t->raw.len);
	if (t->patched.failed || t->raw.failed)
		return err_nomem(err);
	rc = mend_all(t, n_pax, err);
	t->head.patched = (unsigned char *)t->patched.data;
	if (rc == 0)
		rc = rawhead_read(
			&t->head, (unsigned char *)t->raw.data, own - start, err);
	if (memcmp(t->raw.data, t->patched.data, t->raw.len) == 0)
		buf_clear(&t->patched);
	return rc;
}

static void swap_bytes(unsigned char *a, unsigned char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char was = a[i];

		a[i] = b[i];
		b[i] = was;
	}
}

void tarin_swap_head(struct tarin *t)
{
	uint64_t end = t->head_at + t->patched.len;

	if (!t->patched.len)
		return;
	stream_wait_hashed(t->stream);
	for (unsigned i = 0; i < t->n_held; i++) {
		const struct held *h = &t->held[i];
		uint64_t from = t->head_at > h->offset ? t->head_at : h->offset;
		uint64_t to = end < h->offset + h->len ? end : h->offset + h->len;

		if (from < to)
			swap_bytes(
				(unsigned char *)(uintptr_t)h->data + (from - h->offset),
				(unsigned char *)t->patched.data + (from - t->head_at),
				to - from);
	}
}
