/* SPDX-License-Identifier: ISC */
/* The headers of an entry before libarchive gets them: what it would misread is patched. */
#include <archive.h>
#include <stdlib.h>
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

/* Finds the header block at an offset; *p is NULL if the stream ends before it is
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

static void add_patch(struct tarin *t, uint64_t place, unsigned char byte)
{
	const struct patch patch = {place, byte};

	buf_add(&t->patches, &patch, sizeof(patch));
}

static void mend(struct tarin *t, uint64_t at, const unsigned char *block,
	bool superseded, bool no_data)
{
	unsigned char mended[RAWHEAD_BLOCK];

	memcpy(mended, block, sizeof(mended));
	if (!rawhead_mend(mended, superseded, no_data))
		return;
	for (unsigned i = 0; i < RAWHEAD_BLOCK; i++) {
		if (mended[i] != block[i])
			add_patch(t, at + i, mended[i]);
	}
}

/* 1 if what follows a hard link with a size is a header, as it is for GNU tar and Go in any
 * case; 0, negative errno. */
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

/* The headers that are held from start on, up to the entry's own; n_pax of them are pax
 * headers. */
static int mend_all(struct tarin *t, uint64_t start, unsigned n_pax, struct ovl_err *err)
{
	const unsigned char *block;
	long long body = 0;
	bool pax;
	int rc;

	for (uint64_t at = start; body >= 0; at += RAWHEAD_BLOCK + (uint64_t)body) {
		rc = peek_header(t, at, &block, err);
		if (rc < 0 || !block)
			return rc;
		body = rawhead_body(block);
		pax = rawhead_is_pax((char)block[156]);
		rc = has_no_data(t, at, block, err);
		if (rc < 0)
			return rc;
		mend(t, at, block, pax && n_pax > 1, rc);
		n_pax -= pax;
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

/* Hides records from the reader: while it reads the headers, they have a key that it does
 * not know. Nobody else may read the blocks meanwhile. */
static void hide_records(struct tarin *t, uint64_t head_at)
{
	const struct buf *keys = &t->head.hidden;

	for (size_t i = 0; i + sizeof(size_t) <= keys->len; i += sizeof(size_t)) {
		size_t at;

		memcpy(&at, keys->data + i, sizeof(at));
		add_patch(t, head_at + at, 'x');
	}
}

/* The headers of the entry to come, before the reader gets them. */
int tarin_read_ahead(struct tarin *t, struct ovl_err *err)
{
	uint64_t start = (uint64_t)archive_filter_bytes(t->a, 0);
	uint64_t at = start;
	unsigned n_pax = 0;
	unsigned char *raw;
	int rc;

	rawhead_clear(&t->head);
	buf_clear(&t->patches);
	t->lone_end = start;
	rc = find_entry(t, &at, &n_pax, err);
	if (rc == 0 && at > start)
		rc = look_ahead(t, at, err);
	/* If the stream ends before that, the reader will notice. */
	if (rc < 0 || at > t->offset)
		return rc;
	rc = mend_all(t, start, n_pax, err);
	if (rc == 0 && at > start) {
		raw = tarin_gather(t, start, at);
		rc = raw ? rawhead_read(&t->head, raw, at - start, err) : err_nomem(err);
		free(raw);
	}
	hide_records(t, start);
	return rc == 0 && t->patches.failed ? err_nomem(err) : rc;
}

/* Changes one byte that is held and not read yet with that of a patch. */
static void swap_byte(struct tarin *t, struct patch *patch)
{
	for (unsigned i = 0; i < t->n_held; i++) {
		struct held *h = &t->held[i];
		unsigned char *at;
		unsigned char was;

		if (patch->place < h->offset || patch->place >= h->offset + h->len)
			continue;
		at = (unsigned char *)(uintptr_t)h->data + (patch->place - h->offset);
		was = *at;
		*at = patch->byte;
		patch->byte = was;
	}
}

/* Called before the reader gets the headers, and after. Nobody else must be reading the
 * blocks. */
void tarin_swap_patches(struct tarin *t)
{
	struct patch *patch = (struct patch *)(void *)t->patches.data;

	if (t->patches.len)
		stream_wait_hashed(t->stream);
	for (size_t i = 0; i < t->patches.len / sizeof(*patch); i++)
		swap_byte(t, &patch[i]);
}
