/* SPDX-License-Identifier: ISC */
/* Reads a tar with libarchive, entry by entry. */
#include <archive.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "codec/foreign.h"
#include "tar/rawhead.h"
#include "tar/recipe.h"
#include "tar/tarin.h"

/* A block of the stream that is held: its offset in the stream, and its bytes. */
struct held {
	uint64_t offset;
	const unsigned char *data;
	size_t len;
};

/* A byte of the stream, and what the reader gets in its place; while it does, the other way
 * round. */
struct patch {
	uint64_t place;
	unsigned char byte;
};

struct tarin {
	struct stream *stream;
	struct archive *a;
	locale_t c;
	struct held held[STREAM_HOLD];
	unsigned n_held;
	unsigned n_given; /* how many of them the reader has; the others were read
			   * ahead */
	uint64_t offset; /* of the next block in the stream */
	unsigned char first[FOREIGN_LEN]; /* bytes of the stream */
	size_t n_first;
	bool started; /* an entry was read */
	bool in_header; /* blocks are held until the header is read */
	bool eof;
	struct rawhead head; /* of the current entry */
	struct buf patches; /* struct patch: in the headers of the current entry */
	uint64_t
		lone_end; /* of volume labels and global headers before its own headers */
	struct recipe_out *recipe;
	uint64_t told; /* bytes of the stream that are in the recipe */
	bool in_file; /* the recipe has data of the current entry */
	uint64_t data_end; /* of the data read of it */
	int rc; /* the stream's error; libarchive is only told that it failed */
	struct ovl_err err;
};

/* ---- blocks ----------------------------------------------------------------------- */

/* Adds the bytes up to an offset in the stream, which belong to no file, to the
 * recipe. They must be held. A failure is reported when the next block is taken or the
 * recipe is finished. */
static void recipe_rest(struct tarin *t, uint64_t upto)
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

static void drop_oldest(struct tarin *t)
{
	recipe_rest(t, t->held[0].offset + t->held[0].len);
	stream_release(t->stream);
	t->n_held--;
	t->n_given -= t->n_given ? 1 : 0;
	memmove(t->held, t->held + 1, t->n_held * sizeof(t->held[0]));
}

/* Releases blocks that the reader is done with. It may still use the latest. */
static void drop_read(struct tarin *t)
{
	uint64_t at = (uint64_t)archive_filter_bytes(t->a, 0);

	while (t->n_given > 1 && t->held[0].offset + t->held[0].len <= at)
		drop_oldest(t);
}

static int too_big(struct ovl_err *err)
{
	return err_say(err, EFBIG, "an entry's headers are over 1 MiB");
}

/* 1 and a block at the end of t->held, 0 at the end of the stream, negative errno. */
static int take_block(struct tarin *t, struct ovl_err *err)
{
	struct held *h;
	const void *p;
	ssize_t n;

	if (t->n_held == STREAM_HOLD)
		return too_big(err);
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

static la_ssize_t read_cb(struct archive *a, void *ctx, const void **p)
{
	struct tarin *t = ctx;
	int r = 1;

	while (t->n_given && !t->in_header)
		drop_oldest(t);
	if (t->n_given == t->n_held)
		r = t->eof ? 0 : take_block(t, &t->err);
	if (r < 0) {
		t->rc = r;
		archive_set_error(a, -r, "%s", t->err.text);
		return -1;
	}
	if (r == 0)
		return 0;
	*p = t->held[t->n_given].data;
	return (la_ssize_t)t->held[t->n_given++].len;
}

/* Copies bytes from..to of the stream, all of them held, into one buffer. */
static unsigned char *gather(const struct tarin *t, uint64_t from, uint64_t to)
{
	unsigned char *out = malloc(to - from + 1);

	for (unsigned i = 0; out && i < t->n_held; i++) {
		const struct held *h = &t->held[i];
		uint64_t a = from > h->offset ? from : h->offset;
		uint64_t b = to < h->offset + h->len ? to : h->offset + h->len;

		if (a < b)
			memcpy(out + (a - from), h->data + (a - h->offset), b - a);
	}
	return out;
}

/* ---- entries ---------------------------------------------------------------------- */

static int not_tar(const struct tarin *t, struct ovl_err *err)
{
	const char *name = foreign_name(t->first, t->n_first);

	return err_say(err, EBADMSG, "not a tar archive%s%s", name ? " but " : "",
		name ? name : "");
}

/* Reports the reader's error; an error of the stream comes first. */
static int reader_error(struct tarin *t, struct ovl_err *err)
{
	const char *why = archive_error_string(t->a);

	if (t->rc < 0) {
		if (err)
			*err = t->err;
		return t->rc;
	}
	if (why && strstr(why, "Unrecognized archive format"))
		return not_tar(t, err);
	return err_say(err, EBADMSG, "damaged tar archive: %s",
		why ? why : "a header that cannot be read");
}

bool tarin_only_charset(struct archive *a)
{
	const char *why = archive_error_string(a);

	return why && strstr(why, "can't be converted from");
}

/* Holds the stream up to an offset, or to its end. */
static int look_ahead(struct tarin *t, uint64_t upto, struct ovl_err *err)
{
	int r = 1;

	while (r > 0 && !t->eof && t->offset < upto)
		r = take_block(t, err);
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
			return too_big(err);
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
static int read_ahead(struct tarin *t, struct ovl_err *err)
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
		raw = gather(t, start, at);
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
static void swap_patches(struct tarin *t)
{
	struct patch *patch = (struct patch *)(void *)t->patches.data;

	if (t->patches.len)
		stream_wait_hashed(t->stream);
	for (size_t i = 0; i < t->patches.len / sizeof(*patch); i++)
		swap_byte(t, &patch[i]);
}

/* If the header's own field is empty, the reader ignores the linkpath record of the
 * first link in the archive. */
static void add_link(struct tarin *t, struct archive_entry *e)
{
	const struct rawhead *h = &t->head;

	if (!h->link.len)
		return;
	if (h->type == '1' && !archive_entry_hardlink(e))
		archive_entry_copy_hardlink(e, h->link.data);
	else if (h->type == '2' && !archive_entry_symlink(e))
		archive_entry_copy_symlink(e, h->link.data);
}

int tarin_next(struct tarin *t, struct archive_entry **entry, struct ovl_err *err)
{
	uint64_t header;
	locale_t old;
	int r = t->started ? archive_read_data_skip(t->a) : ARCHIVE_OK;

	t->started = true;
	t->data_end = 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
		return reader_error(t, err);
	drop_read(t);
	r = read_ahead(t, err);
	if (r < 0)
		return r;
	old = uselocale(t->c);
	t->in_header = true;
	swap_patches(t);
	r = archive_read_next_header(t->a, entry);
	swap_patches(t);
	t->in_header = false;
	uselocale(old);
	if (r == ARCHIVE_EOF && t->rc == 0)
		return 0;
	if (r != ARCHIVE_OK && !(r == ARCHIVE_WARN && tarin_only_charset(t->a)))
		return reader_error(t, err);
	header = (uint64_t)archive_filter_bytes(t->a, 0) -
		(uint64_t)archive_read_header_position(t->a);
	if (header > TARIN_MAX_HEADER)
		return too_big(err);
	add_link(t, *entry);
	return 1;
}

/* The offset of a run of data in the stream: the reader hands out its input in place,
 * and has not moved on at that point. */
static uint64_t offset_of(const struct tarin *t, const unsigned char *p)
{
	for (unsigned i = 0; i < t->n_held; i++) {
		const struct held *h = &t->held[i];

		if (p >= h->data && p < h->data + h->len)
			return h->offset + (uint64_t)(p - h->data);
	}
	return (uint64_t)archive_filter_bytes(t->a, 0);
}

static int recipe_data(struct tarin *t, const char *path, const void *p, size_t n,
	uint64_t offset, struct ovl_err *err)
{
	uint64_t place = offset_of(t, p);

	if (place < t->told)
		return err_say(err, EIO, "the tar reader gave data twice");
	recipe_rest(t, place);
	if (place != t->told)
		return err_say(err, EIO, "the tar reader gave data out of order");
	t->told += n;
	if (!t->recipe)
		return 0;
	if (!t->in_file)
		recipe_file(t->recipe, path);
	t->in_file = true;
	if (recipe_run(t->recipe, offset, p, n) < 0)
		return recipe_error(t->recipe, err);
	return 0;
}

/* This entry has no more data. */
static int recipe_end(struct tarin *t, struct ovl_err *err)
{
	bool was = t->in_file;

	t->in_file = false;
	if (was && recipe_file_end(t->recipe) < 0)
		return recipe_error(t->recipe, err);
	return 0;
}

int tarin_data(struct tarin *t, const char *path, const void **p, size_t *n,
	uint64_t *offset, struct ovl_err *err)
{
	la_int64_t at = 0;
	int r = archive_read_data_block(t->a, p, n, &at);

	if (r == ARCHIVE_EOF)
		return recipe_end(t, err);
	if (r != ARCHIVE_OK)
		return reader_error(t, err);
	if (at < 0)
		return err_say(
			err, EBADMSG, "damaged tar archive: data at a negative offset");
	/* Overlapping runs could not be rebuilt. */
	if ((uint64_t)at < t->data_end)
		return err_say(err, EBADMSG,
			"damaged tar archive: data of a sparse file out of order");
	*offset = (uint64_t)at;
	t->data_end = *offset + *n;
	r = *n ? recipe_data(t, path, *p, *n, *offset, err) : 0;
	return r < 0 ? r : 1;
}

/* ---- the end ---------------------------------------------------------------------- */

static bool all_zero(const unsigned char *p, size_t n)
{
	while (n && *p == 0) {
		p++;
		n--;
	}
	return n == 0;
}

/* Reads the rest of the stream from offset on; *zero: it holds only zeros. */
static int drain(struct tarin *t, uint64_t offset, bool *zero, struct ovl_err *err)
{
	int r = 1;

	*zero = true;
	while (r > 0) {
		while (t->n_held) {
			const struct held *h = &t->held[0];
			uint64_t skip = offset > h->offset ? offset - h->offset : 0;

			if (*zero && skip < h->len)
				*zero = all_zero(h->data + skip, h->len - skip);
			drop_oldest(t);
		}
		r = t->eof ? 0 : take_block(t, err);
	}
	return r;
}

/*
 * Between the last entry and the point where the reader stopped there may be nothing, or
 * one or two blocks of zeros. More is an extension header without an entry. After a
 * single zero block with more data behind it, readers disagree whether entries follow:
 * refused.
 */
int tarin_finish(struct tarin *t, char hex[ID_LEN + 1], struct ovl_err *err)
{
	uint64_t end = (uint64_t)archive_filter_bytes(t->a, 0);
	uint64_t head = (uint64_t)archive_read_header_position(t->a);
	uint64_t start = head < t->lone_end ? t->lone_end : head;
	uint64_t marks = end - start;
	unsigned char *raw = marks > 1024 ? NULL : gather(t, start, end);
	bool zero = raw && all_zero(raw, marks);
	int rc;

	free(raw);
	if (!zero)
		return err_say(err, EBADMSG,
			"damaged tar archive: it ends after an extension header");
	rc = drain(t, end, &zero, err);
	if (rc < 0)
		return rc;
	if (marks == 512 && !zero)
		return err_say(err, EBADMSG,
			"damaged tar archive: data after a single end-of-archive block");
	return stream_digest(t->stream, hex, err);
}

int tarin_open(struct tarin **out, struct stream *s, struct recipe_out *recipe,
	struct ovl_err *err)
{
	struct tarin *t = calloc(1, sizeof(*t));
	int r = ARCHIVE_FATAL;
	int rc;

	if (!t) {
		stream_close(s);
		return err_nomem(err);
	}
	t->stream = s;
	t->recipe = recipe;
	t->c = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
	t->a = archive_read_new();
	if (t->a && t->c != (locale_t)0 &&
		archive_read_support_format_tar(t->a) == ARCHIVE_OK &&
		(!stream_may_be_empty(s) ||
			archive_read_support_format_empty(t->a) == ARCHIVE_OK))
		r = archive_read_open(t->a, t, NULL, read_cb, NULL);
	if (r == ARCHIVE_OK) {
		*out = t;
		return 0;
	}
	rc = t->a && t->c != (locale_t)0 ? reader_error(t, err) : err_nomem(err);
	tarin_close(t);
	return rc;
}

const struct rawhead *tarin_head(const struct tarin *t)
{
	return &t->head;
}

void tarin_close(struct tarin *t)
{
	if (!t)
		return;
	rawhead_release(&t->head);
	buf_release(&t->patches);
	if (t->a)
		archive_read_free(t->a);
	if (t->c != (locale_t)0)
		freelocale(t->c);
	stream_close(t->stream);
	free(t);
}

struct stream *tarin_detach(struct tarin *t)
{
	struct stream *s = t->stream;

	t->stream = NULL;
	tarin_close(t);
	return s;
}

struct stream *tarin_stream(struct tarin *t)
{
	return t->stream;
}
