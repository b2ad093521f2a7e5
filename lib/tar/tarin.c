/* SPDX-License-Identifier: ISC */
/* Reads a tar with libarchive, entry by entry. */
#include <archive.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "tar/tarin_own.h"

/* ---- blocks ----------------------------------------------------------------------- */

/* Releases blocks that the reader is done with. It may still use the latest. */
static void drop_read(struct tarin *t)
{
	uint64_t at = (uint64_t)archive_filter_bytes(t->a, 0);

	while (t->n_given > 1 && t->held[0].offset + t->held[0].len <= at)
		tarin_drop_oldest(t);
}

static la_ssize_t read_cb(struct archive *a, void *ctx, const void **p)
{
	struct tarin *t = ctx;
	int r = 1;

	while (t->n_given && !t->in_header)
		tarin_drop_oldest(t);
	if (t->n_given == t->n_held)
		r = t->eof ? 0 : tarin_take_block(t, &t->err);
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

/* Data that nobody asked for is not read, if the stream can skip it. */
static la_int64_t skip_cb(struct archive *a, void *ctx, la_int64_t n)
{
	struct tarin *t = ctx;
	uint64_t skipped;

	(void)a;
	if (t->in_header || t->n_given != t->n_held)
		return 0;
	skipped = stream_skip(t->stream, (uint64_t)n);
	while (skipped && t->n_held)
		tarin_drop_oldest(t);
	t->offset += skipped;
	if (skipped)
		t->told = t->offset;
	return (la_int64_t)skipped;
}

/* ---- entries ---------------------------------------------------------------------- */

static int not_tar(const struct tarin *t, struct ovl_err *err)
{
	const char *name = magic_name(t->first, t->n_first);

	return err_say(err, EBADMSG, "not a tar archive%s%s", name ? " but " : "",
		name ? name : "");
}

/* Reports the reader's error, or the stream's if there is one. */
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

/* True if the reader's warning only means that the locale cannot express a name. */
static bool only_charset(struct archive *a)
{
	const char *why = archive_error_string(a);

	return why && strstr(why, "can't be converted from");
}

/* The reader ignores the linkpath record of the first link in the archive if the header's
 * own field is empty. */
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
	r = tarin_read_ahead(t, err);
	if (r < 0)
		return r;
	old = uselocale(t->c);
	t->in_header = true;
	tarin_swap_head(t);
	r = archive_read_next_header(t->a, entry);
	tarin_swap_head(t);
	t->in_header = false;
	uselocale(old);
	if (r == ARCHIVE_EOF && t->rc == 0)
		return 0;
	if (r != ARCHIVE_OK && !(r == ARCHIVE_WARN && only_charset(t->a)))
		return reader_error(t, err);
	header = (uint64_t)archive_filter_bytes(t->a, 0) -
		(uint64_t)archive_read_header_position(t->a);
	if (header > TARIN_MAX_HEADER)
		return tarin_too_big(err);
	add_link(t, *entry);
	return 1;
}

/* The offset of a run of data in the stream. The reader returns pointers into the held
 * blocks, and has not released them yet. */
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
	tarin_recipe_rest(t, place);
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

/* Ends the data of this entry. */
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

static bool all_zero(const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n && *p == 0) {
		p++;
		n--;
	}
	return n == 0;
}

/* Reads the rest of the stream from offset on; *zero: it consists of zeros only. */
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
			tarin_drop_oldest(t);
		}
		r = t->eof ? 0 : tarin_take_block(t, err);
	}
	return r;
}

/*
 * Between the last entry and the point where the reader stopped there may be nothing, or
 * one or two blocks of zeros; anything longer is an extension header without an entry.
 * Tar readers disagree whether entries follow a single zero block with more data after
 * it, so that is refused.
 */
int tarin_finish(struct tarin *t, char hex[ID_LEN + 1], struct ovl_err *err)
{
	uint64_t end = (uint64_t)archive_filter_bytes(t->a, 0);
	uint64_t head = (uint64_t)archive_read_header_position(t->a);
	uint64_t start = head < t->lone_end ? t->lone_end : head;
	uint64_t marks = end - start;
	auto_buf raw = {0};
	bool zero;
	int rc;

	if (marks <= 1024)
		tarin_gather(t, start, end, &raw);
	if (raw.failed)
		return err_nomem(err);
	zero = marks <= 1024 && all_zero(raw.data, raw.len);
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
		archive_read_support_format_empty(t->a) == ARCHIVE_OK)
		r = archive_read_open2(t->a, t, NULL, read_cb, skip_cb, NULL);
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

uint64_t tarin_head_at(const struct tarin *t)
{
	return (uint64_t)archive_read_header_position(t->a);
}

uint64_t tarin_data_at(const struct tarin *t)
{
	return (uint64_t)archive_filter_bytes(t->a, 0);
}

void tarin_close(struct tarin *t)
{
	if (!t)
		return;
	rawhead_release(&t->head);
	buf_release(&t->raw);
	buf_release(&t->patched);
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
