/* SPDX-License-Identifier: ISC */
/* Corrects pax headers that libarchive writes incorrectly. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tar/paxfix.h"
#include "tar/rawhead.h"

/* POSIX ustar header. */
#define BLOCK    RAWHEAD_BLOCK
#define SIZE_AT  124
#define SIZE_LEN 11
#define TYPE_AT  156

/* The intended values. */
struct meant {
	const char *path;
	int64_t sec;
	long nsec;
};

/* Adds a record with its length, which includes the length field. */
static void add_record(struct buf *out, const struct buf *rec)
{
	size_t digits = 1;
	size_t len;

	for (;;) {
		len = digits + 1 + rec->len + 1;
		if ((size_t)snprintf(NULL, 0, "%zu", len) <= digits)
			break;
		digits++;
	}
	buf_addf(out, "%zu ", len);
	buf_add(out, rec->data, rec->len);
	buf_add(out, "\n", 1);
	out->failed |= rec->failed;
}

/* The key with every %XX decoded except "%25" and "%3D". */
static void add_key(struct buf *out, const struct rawhead_record *rec)
{
	const char *end = rec->key + rec->key_len;

	for (const char *p = rec->key; p < end;) {
		char hex[3] = {0};

		if (*p == '%' && end - p > 2)
			memcpy(hex, p + 1, 2);
		if (!*hex || strcmp(hex, "25") == 0 || strcmp(hex, "3D") == 0) {
			buf_add(out, p++, 1);
		} else {
			char c = (char)strtoul(hex, NULL, 16);

			buf_add(out, &c, 1);
			p += 3;
		}
	}
}

/* The record as it should be, without its length; empty: as it is. */
static void fix_record(
	const struct rawhead_record *rec, const struct meant *m, struct buf *out)
{
	if (rawhead_key_is(rec, "mtime") && m->sec < 0 && m->nsec > 0) {
		buf_addf(out, "mtime=-%" PRId64 ".%09ld", -(m->sec + 1),
			1000000000 - m->nsec);
		while (out->len && out->data[out->len - 1] == '0')
			buf_cut(out, out->len - 1);
	} else if (rawhead_key_is(rec, "GNU.sparse.name")) {
		buf_addf(out, "GNU.sparse.name=%s", m->path);
	} else if (rawhead_key_starts(rec, "SCHILY.xattr.")) {
		add_key(out, rec);
		buf_add(out, rec->value - 1, rec->len + 1);
	}
}

static void fix_records(struct buf *out, const char *p, size_t n, const struct meant *m)
{
	auto_buf fixed = {0};

	while (n) {
		struct rawhead_record rec;
		size_t len = rawhead_record(p, n, &rec);

		if (!len) {
			buf_add(out, p, n); /* not a record as expected */
			return;
		}
		buf_clear(&fixed);
		fix_record(&rec, m, &fixed);
		if (fixed.len || fixed.failed)
			add_record(out, &fixed);
		else
			buf_add(out, p, len);
		p += len;
		n -= len;
	}
}

void paxfix_apply(struct buf *head, const char *path, int64_t sec, long nsec)
{
	const struct meant meant = {path, sec, nsec};
	static const char zeros[BLOCK];
	struct buf out = {0};
	char text[32];
	size_t size;
	size_t body;

	if (head->failed || head->len < 2 * BLOCK || head->data[TYPE_AT] != 'x')
		return;
	size = strtoul(head->data + SIZE_AT, NULL, 8);
	body = (size + BLOCK - 1) / BLOCK * BLOCK;
	if (BLOCK + body > head->len)
		return;
	buf_add(&out, head->data, BLOCK);
	fix_records(&out, head->data + BLOCK, size, &meant);
	size = out.len - BLOCK;
	buf_add(&out, zeros, (BLOCK - size % BLOCK) % BLOCK);
	buf_add(&out, head->data + BLOCK + body, head->len - BLOCK - body);
	if (!out.failed) {
		snprintf(text, sizeof(text), "%0*zo", SIZE_LEN, size);
		memcpy(out.data + SIZE_AT, text, SIZE_LEN);
		rawhead_set_sum((unsigned char *)out.data);
	}
	buf_release(head);
	*head = out;
}
