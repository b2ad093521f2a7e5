/* SPDX-License-Identifier: ISC */
/* Corrects pax headers that libarchive writes incorrectly. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tar/paxfix.h"

/* POSIX ustar header. */
#define BLOCK     512
#define SIZE_AT   124
#define SIZE_LEN  11
#define CHKSUM_AT 148
#define TYPE_AT   156

static const char xattr_key[] = "SCHILY.xattr.";
static const char sparse_key[] = "GNU.sparse.name=";

/* The intended values. */
struct meant {
	const char *path;
	int64_t sec;
	long nsec;
};

static bool starts(const char *p, size_t n, const char *with)
{
	return n >= strlen(with) && memcmp(p, with, strlen(with)) == 0;
}

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

static void fix_mtime(struct buf *out, int64_t sec, long nsec)
{
	auto_buf rec = {0};

	buf_addf(&rec, "mtime=-%" PRId64 ".%09ld", -(sec + 1), 1000000000 - nsec);
	while (rec.len && rec.data[rec.len - 1] == '0')
		buf_cut(&rec, rec.len - 1);
	add_record(out, &rec);
}

/* Decodes every %XX except "%25" and "%3D". */
static void fix_xattr(struct buf *out, const char *p, size_t n)
{
	const char *end = memchr(p, '=', n);
	auto_buf rec = {0};

	while (p < end) {
		char hex[3] = {0};

		if (*p == '%' && end - p > 2)
			memcpy(hex, p + 1, 2);
		if (!*hex || strcmp(hex, "25") == 0 || strcmp(hex, "3D") == 0) {
			buf_add(&rec, p++, 1);
		} else {
			char c = (char)strtoul(hex, NULL, 16);

			buf_add(&rec, &c, 1);
			p += 3;
			n -= 2;
		}
	}
	buf_add(&rec, end, n - rec.len);
	add_record(out, &rec);
}

static void fix_name(struct buf *out, const char *path)
{
	auto_buf rec = {0};

	buf_addf(&rec, "%s%s", sparse_key, path);
	add_record(out, &rec);
}

static void fix_records(struct buf *out, const char *p, size_t n, const struct meant *m)
{
	while (n) {
		char *text;
		size_t len = strtoul(p, &text, 10);
		size_t size;

		if (len > n || text + 1 >= p + len) {
			buf_add(out, p, n); /* not a record as expected */
			return;
		}
		text++;
		size = len - (size_t)(text - p) - 1;
		if (starts(text, size, "mtime=") && m->sec < 0 && m->nsec > 0)
			fix_mtime(out, m->sec, m->nsec);
		else if (starts(text, size, sparse_key))
			fix_name(out, m->path);
		else if (starts(text, size, xattr_key) && memchr(text, '=', size))
			fix_xattr(out, text, size);
		else
			buf_add(out, p, len);
		p += len;
		n -= len;
	}
}

static void set_size(char *block, size_t size)
{
	unsigned sum = 0;
	char text[32];

	snprintf(text, sizeof(text), "%0*zo", SIZE_LEN, size);
	memcpy(block + SIZE_AT, text, SIZE_LEN);
	memset(block + CHKSUM_AT, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(block + CHKSUM_AT, text, 7);
}

void paxfix_apply(struct buf *head, const char *path, int64_t sec, long nsec)
{
	const struct meant meant = {path, sec, nsec};
	static const char zeros[BLOCK];
	struct buf out = {0};
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
	if (!out.failed)
		set_size(out.data, size);
	buf_release(head);
	*head = out;
}
