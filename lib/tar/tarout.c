/* SPDX-License-Identifier: ISC */
/* Writes a tar with libarchive, entry by entry. */
#include <archive.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/quote.h"
#include "tar/paxfix.h"
#include "tar/rawhead.h"
#include "tar/tarin.h"
#include "tar/tarout.h"

/* The size of memory that is never touched: the writer skips the bytes of a hole without
 * reading them. */
#define HOLE_CHUNK (1u << 30)
#define OUT_BLOCK  (256 * 1024)

struct tarout {
	struct archive *a;
	locale_t utf8;
	void *hole;
	struct buf out; /* bytes for the sink, up to OUT_BLOCK */
	struct buf head; /* the headers of the entry that is being begun */
	bool in_head;
	sink_fn sink;
	void *ctx;
	bool direct; /* the sink gets data as it is written, unbuffered */
	int rc; /* the sink's error */
	struct ovl_err err;
};

/* ----------------------------------------------------------------------------------- */

static int write_sink(struct tarout *t, const void *p, size_t n)
{
	if (t->rc == 0 && n)
		t->rc = t->sink(t->ctx, p, n, &t->err);
	return t->rc;
}

/* Collects small pieces for the sink. */
static int write_buffered(struct tarout *t, const void *p, size_t n)
{
	if (t->direct)
		return write_sink(t, p, n);
	if (t->out.len + n > OUT_BLOCK) {
		write_sink(t, t->out.data, t->out.len);
		buf_clear(&t->out);
	}
	if (n >= OUT_BLOCK)
		return write_sink(t, p, n);
	buf_add(&t->out, p, n);
	if (t->out.failed && t->rc == 0)
		t->rc = err_nomem(&t->err);
	return t->rc;
}

static la_ssize_t write_cb(struct archive *a, void *ctx, const void *p, size_t n)
{
	struct tarout *t = ctx;

	if (t->in_head)
		buf_add(&t->head, p, n);
	else
		write_buffered(t, p, n);
	if (t->rc < 0) {
		archive_set_error(a, -t->rc, "%s", t->err.text);
		return -1;
	}
	return (la_ssize_t)n;
}

static int writer_error(struct tarout *t, struct ovl_err *err)
{
	const char *why = archive_error_string(t->a);

	if (t->rc < 0) {
		if (err)
			*err = t->err;
		return t->rc;
	}
	return err_say(err, EIO, "cannot write the tar: %s", why ? why : "unknown error");
}

static int set_up(struct tarout *t, struct ovl_err *err)
{
	locale_t old;
	int r;

	if (archive_write_set_format_pax(t->a) != ARCHIVE_OK ||
		archive_write_set_format_option(t->a, "pax", "xattrheader", "SCHILY") !=
			ARCHIVE_OK ||
		archive_write_set_bytes_per_block(t->a, 0) != ARCHIVE_OK)
		return writer_error(t, err);
	old = uselocale(t->utf8);
	r = archive_write_open(t->a, t, NULL, write_cb, NULL);
	uselocale(old);
	return r == ARCHIVE_OK ? 0 : writer_error(t, err);
}

int tarout_open(
	struct tarout **out, bool direct, sink_fn sink, void *ctx, struct ovl_err *err)
{
	struct tarout *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return err_nomem(err);
	t->direct = direct;
	t->sink = sink;
	t->ctx = ctx;
	t->a = archive_write_new();
	/* Names in UTF-8 are written as such. If there is no such locale, all names are
	 * written as bytes (hdrcharset=BINARY). */
	t->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (t->utf8 == (locale_t)0)
		t->utf8 = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
	t->hole = mmap(NULL, HOLE_CHUNK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!t->a || t->utf8 == (locale_t)0 || t->hole == MAP_FAILED)
		rc = err_nomem(err);
	else
		rc = set_up(t, err);
	if (rc < 0)
		tarout_close(t);
	else
		*out = t;
	return rc;
}

/* Finishes the previous entry first, so that the head contains nothing of it. */
static int make_head(struct tarout *t, struct archive_entry *e)
{
	int r = archive_write_finish_entry(t->a);

	if (r != ARCHIVE_OK)
		return r;
	buf_clear(&t->head);
	t->in_head = true;
	r = archive_write_header(t->a, e);
	t->in_head = false;
	return r;
}

size_t tarout_map_size(int64_t at, int64_t n)
{
	return (size_t)snprintf(NULL, 0, "%" PRId64 "\n%" PRId64 "\n", at, n);
}

/* Of what import refuses, a file can have this. The map of a sparse file, which is written
 * later, counts too. */
static int check_head(
	const struct tarout *t, struct archive_entry *e, struct ovl_err *err)
{
	const char *name = archive_entry_pathname(e);
	size_t size = t->head.len;
	la_int64_t at;
	la_int64_t n;

	if (strlen(name) >= PATH_MAX_LEN)
		return err_say(err, EFBIG,
			"refused name %s: over 64 KiB, which import would refuse",
			Q(name));
	/* The number of its pieces, one at the end, and padding fill less than two blocks.
	 * If there is no map, the library may have freed what sparse_next() would read. */
	if (archive_entry_sparse_reset(e)) {
		size += 1024;
		while (archive_entry_sparse_next(e, &at, &n) == ARCHIVE_OK)
			size += tarout_map_size(at, n);
	}
	if (archive_entry_xattr_count(e) <= RAWHEAD_MAX_XATTRS &&
		size <= TARIN_MAX_HEADER)
		return 0;
	return err_say(err, EFBIG,
		"%s has more than %d xattrs, or over 1 MiB of them: import would refuse "
		"its tar",
		Q(path_shown(name)), RAWHEAD_MAX_XATTRS);
}

int tarout_header(struct tarout *t, struct archive_entry *e, struct ovl_err *err)
{
	locale_t old = uselocale(t->utf8);
	int r = make_head(t, e);
	const char *why = archive_error_string(t->a);

	uselocale(old);
	/* It is not UTF-8: write it as bytes. */
	if (r != ARCHIVE_OK &&
		!(r == ARCHIVE_WARN && t->rc == 0 && why &&
			strstr(why, "Can't translate")))
		return writer_error(t, err);
	paxfix_apply(&t->head, archive_entry_pathname(e), archive_entry_mtime(e),
		archive_entry_mtime_nsec(e));
	if (t->head.failed)
		return err_nomem(err);
	if (check_head(t, e, err) < 0)
		return -EFBIG;
	if (write_buffered(t, t->head.data, t->head.len) < 0)
		return writer_error(t, err);
	/* The map of a sparse file is written with the first data, even if that is
	 * empty. */
	if (t->direct && archive_write_data(t->a, "", 0) < 0)
		return writer_error(t, err);
	return 0;
}

int tarout_data(struct tarout *t, const void *p, size_t n, struct ovl_err *err)
{
	const char *at = p;

	while (n) {
		la_ssize_t done = archive_write_data(t->a, at, n);

		if (done <= 0)
			return writer_error(t, err);
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int tarout_hole(struct tarout *t, uint64_t n, struct ovl_err *err)
{
	int rc = 0;

	while (n && rc == 0) {
		size_t chunk = n < HOLE_CHUNK ? (size_t)n : HOLE_CHUNK;

		rc = tarout_data(t, t->hole, chunk, err);
		n -= chunk;
	}
	return rc;
}

int tarout_finish(struct tarout *t, struct ovl_err *err)
{
	if (archive_write_close(t->a) != ARCHIVE_OK)
		return writer_error(t, err);
	return write_sink(t, t->out.data, t->out.len) < 0 ? writer_error(t, err) : 0;
}

void tarout_close(struct tarout *t)
{
	if (!t)
		return;
	if (t->rc == 0)
		t->rc = -ECANCELED; /* the sink gets nothing more */
	if (t->a)
		archive_write_free(t->a);
	if (t->utf8 != (locale_t)0)
		freelocale(t->utf8);
	if (t->hole && t->hole != MAP_FAILED)
		munmap(t->hole, HOLE_CHUNK);
	buf_release(&t->out);
	buf_release(&t->head);
	free(t);
}

/* reproducible-builds.org, "SOURCE_DATE_EPOCH": seconds since 1970. */
int tarout_latest(int64_t *latest, struct ovl_err *err)
{
	const char *text = secure_getenv("SOURCE_DATE_EPOCH");
	char *end;

	if (!text || !*text)
		return 0;
	errno = 0;
	*latest = strtoll(text, &end, 10);
	if (*end || errno || *latest < 0)
		return err_status(
			err, OVL_USAGE, "SOURCE_DATE_EPOCH %s is not a time", Q(text));
	return 0;
}
