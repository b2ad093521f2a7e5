/* SPDX-License-Identifier: ISC */
/* The reader of tar-split; see tarsplit.h. The file may be damaged or hostile. */
#include <endian.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/text.h"
#include "codec/stream.h"
#include "tar/tarsplit.h"

/* A line may hold everything after the last file, including zeros to the end of a tape
 * block. */
#define LINE_MAX_LEN (16u << 20)
#define MAX_SIZE     ((uint64_t)INT64_MAX)
/* Limits the decompressed size of the file. */
#define MAX_BYTES (UINT64_C(1) << 40)

struct tarsplit {
	struct stream *in;
	const char *p; /* in the block that is held */
	size_t n;
	struct buf line; /* a line that is spread over several blocks */
	struct buf bytes; /* the bytes of the current record */
	struct buf path; /* of the file */
	struct recipe_rec file; /* the file whose records are being returned */
	enum { AT_LINE, AT_RUN, AT_FILE_END } at;
};

static int damaged(struct ovl_err *err, const char *why)
{
	return err_say(err, EUCLEAN, "its tar-split is damaged: %s", why);
}

/* ---- the sum ---------------------------------------------------------------------- */

/*
 * The bits are a polynomial, with the highest power of x in the lowest bit. x^64 equals
 * x^4 + x^3 + x + 1: with so few terms, no table is needed.
 */
static uint64_t times_x64(uint64_t c)
{
	return c ^ c >> 1 ^ c >> 3 ^ c >> 4;
}

uint64_t tarsplit_sum(uint64_t sum, const void *p, size_t n)
{
	const unsigned char *at = p;

	sum = ~sum;
	for (; n >= 8; n -= 8, at += 8) {
		uint64_t c;

		memcpy(&c, at, 8);
		c = le64toh(c) ^ sum;
		/* The bits that are shifted out are a multiple of x^64, too. */
		sum = times_x64(c) ^ times_x64(c << 60 ^ c << 61 ^ c << 63);
	}
	for (; n; n--, at++) {
		sum ^= *at;
		sum = sum >> 8 ^ times_x64(sum << 56);
	}
	return ~sum;
}

/* ---- lines ------------------------------------------------------------------------ */

/* Gets the next block: 1, 0 at the end, negative errno. */
static int next_block(struct tarsplit *t, struct ovl_err *err)
{
	const void *p = NULL;
	ssize_t n;

	if (t->p)
		stream_release(t->in);
	t->p = NULL;
	n = stream_next(t->in, &p, err);
	if (n <= 0)
		return (int)n;
	t->p = p;
	t->n = (size_t)n;
	return 1;
}

/* Adds the part of the line that is in the block, without the newline: 1 if the line is
 * complete, 0 if not. */
static int take_part(struct tarsplit *t)
{
	const char *end = memchr(t->p, '\n', t->n);
	size_t n = end ? (size_t)(end - t->p) : t->n;

	buf_add(&t->line, t->p, n);
	n += end != NULL;
	t->p += n;
	t->n -= n;
	return end != NULL;
}

/* 1 with t->line, 0 at the end, negative errno. */
static int next_line(struct tarsplit *t, struct ovl_err *err)
{
	buf_clear(&t->line);
	for (;;) {
		int r = t->p && t->n ? 1 : next_block(t, err);

		if (r < 0)
			return r;
		if (r == 0)
			return t->line.len ? damaged(err, "it ends inside a line") : 0;
		if (take_part(t))
			break;
		if (t->line.len > LINE_MAX_LEN)
			return damaged(err, "a line is over 16 MiB long");
	}
	return t->line.failed ? err_nomem(err) : 1;
}

/* ---- one line --------------------------------------------------------------------- */

/* A part of the line: a string without its quotes, a number. */
struct span {
	const char *p;
	size_t n;
};

struct entry {
	struct span type, size, name, name_raw, payload;
};

static void skip_space(const char **p)
{
	*p += strspn(*p, " \t\r");
}

/* The closing quote of the string that begins at p; NULL: there is none. */
static const char *string_end(const char *p)
{
	while (*(p += strcspn(p, "\"\\")) == '\\' && p[1])
		p += 2;
	return *p == '"' ? p : NULL;
}

/* A string, a number or a word: a line contains nothing else. */
static bool get_value(const char **p, struct span *out)
{
	const char *end;

	skip_space(p);
	if (**p == '"') {
		out->p = *p + 1;
		end = string_end(out->p);
		*p = end ? end + 1 : *p;
	} else {
		out->p = *p;
		end = *p + strspn(*p, "+-.0123456789abcdefghijklmnopqrstuvwxyzE");
		*p = end;
	}
	if (!end || (end == out->p && end[0] != '"'))
		return false;
	out->n = (size_t)(end - out->p);
	skip_space(p);
	return true;
}

static bool is(const struct span *s, const char *text)
{
	return s->n == strlen(text) && memcmp(s->p, text, s->n) == 0;
}

static void keep_value(struct entry *e, const struct span *key, struct span value)
{
	if (is(&value, "null"))
		return;
	if (is(key, "type"))
		e->type = value;
	else if (is(key, "size"))
		e->size = value;
	else if (is(key, "name"))
		e->name = value;
	else if (is(key, "name_raw"))
		e->name_raw = value;
	else if (is(key, "payload"))
		e->payload = value;
}

static bool parse_line(const char *p, struct entry *e)
{
	skip_space(&p);
	if (*p++ != '{')
		return false;
	do {
		struct span key;
		struct span value;

		if (!get_value(&p, &key) || *p++ != ':' || !get_value(&p, &value))
			return false;
		keep_value(e, &key, value);
	} while (*p++ == ',');
	if (p[-1] != '}')
		return false;
	skip_space(&p);
	return !*p;
}

/* ---- values ----------------------------------------------------------------------- */

static bool get_base64(struct tarsplit *t, const struct span *s)
{
	return quote_base64_decode(s->p, s->n, &t->bytes);
}

static bool get_string(struct tarsplit *t, const struct span *s)
{
	json_t *o;

	buf_clear(&t->bytes);
	if (!s->n)
		return false;
	if (!memchr(s->p, '\\', s->n)) {
		buf_add(&t->bytes, s->p, s->n);
		return true;
	}
	o = json_loadb(s->p - 1, s->n + 2, JSON_DECODE_ANY, NULL);
	if (json_is_string(o))
		buf_adds(&t->bytes, json_string_value(o));
	json_decref(o);
	return t->bytes.len > 0;
}

/* ---- records ---------------------------------------------------------------------- */

/* 1 if it has data, whose records follow; 0 if it has none. */
static int begin_file(struct tarsplit *t, const struct entry *e, struct ovl_err *err)
{
	struct recipe_rec *f = &t->file;
	bool raw = e->name_raw.n > 0;

	*f = (struct recipe_rec){.type = RECIPE_FILE};
	if (!text_number(e->size.p, e->size.n, MAX_SIZE, &f->size))
		return damaged(err, "an impossible size");
	if (!f->size)
		return 0;
	if (!get_base64(t, &e->payload) || t->bytes.len != 8)
		return damaged(err, "a file without a sum");
	for (int i = 0; i < 8; i++)
		f->sum = f->sum << 8 | (unsigned char)t->bytes.data[i];
	if (!(raw ? get_base64(t, &e->name_raw) : get_string(t, &e->name)) ||
		memchr(t->bytes.data, '\0', t->bytes.len) ||
		path_clean(t->bytes.data, UINT32_MAX, &t->path, NULL) < 0 || !t->path.len)
		return damaged(err, "an impossible name");
	f->p = t->path.data;
	f->n = t->path.len;
	t->at = AT_RUN;
	return 1;
}

/* 1 with a record, 0 if the line has none, negative errno. */
static int read_line(struct tarsplit *t, struct recipe_rec *rec, struct ovl_err *err)
{
	struct entry e = {0};
	int r;

	if (!t->line.len || !parse_line(t->line.data, &e) ||
		strlen(t->line.data) != t->line.len)
		return damaged(err, "not a line of JSON");
	if (is(&e.type, "1")) {
		r = begin_file(t, &e, err);
		*rec = t->file;
		return r;
	}
	if (!is(&e.type, "2") || (e.payload.n && !get_base64(t, &e.payload)))
		return damaged(err, "an entry of an unknown type");
	*rec = (struct recipe_rec){.type = RECIPE_RAW,
		.p = t->bytes.data,
		.n = e.payload.n ? t->bytes.len : 0};
	return rec->n > 0;
}

int tarsplit_next(struct tarsplit *t, struct recipe_rec *rec, struct ovl_err *err)
{
	int r = 0;

	if (t->at != AT_LINE) {
		*rec = t->file;
		rec->type = t->at == AT_RUN ? RECIPE_RUN : RECIPE_FILE_END;
		t->at = t->at == AT_RUN ? AT_FILE_END : AT_LINE;
		return 0;
	}
	while (r == 0) {
		r = next_line(t, err);
		if (r == 0) {
			*rec = (struct recipe_rec){.type = RECIPE_END};
			return 0;
		}
		if (r > 0)
			r = read_line(t, rec, err);
	}
	return r < 0 ? r : 0;
}

int tarsplit_open(
	struct tarsplit **out, int fd, const atomic_int *stop, struct ovl_err *err)
{
	const struct stream_config input = {
		.fd = fd,
		.max_size = MAX_BYTES,
		.no_digest = true,
		.stop = stop,
		.parallel = true,
	};
	struct tarsplit *t = calloc(1, sizeof(*t));
	int rc = t ? stream_open(&t->in, &input, err) : err_nomem(err);

	if (rc < 0)
		free(t);
	else
		*out = t;
	return rc;
}

void tarsplit_close(struct tarsplit *t)
{
	if (!t)
		return;
	stream_close(t->in);
	buf_release(&t->line);
	buf_release(&t->bytes);
	buf_release(&t->path);
	free(t);
}
