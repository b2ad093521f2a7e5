/* SPDX-License-Identifier: ISC */
/* Parses tar headers for what libarchive does not report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/pathset.h"
#include "base/quote.h"
#include "base/xattr.h"
#include "tar/acl.h"
#include "tar/rawhead.h"

#define TYPEFLAG 156
#define SIZE_AT  124
#define SIZE_LEN 12
#define BODY_MAX (1LL << 40)
#define SUM_AT   148
#define SUM_LEN  8
/* tar(5): GNU tar's */
#define MAGIC_AT 257
#define OWN_AT   345

/* POSIX.1-2017, ustar Interchange Format */
static const struct number {
	const char *name;
	unsigned at, len;
} numbers[] = {{"mode", 100, 8}, {"user id", 108, 8}, {"group id", 116, 8},
	{"size", SIZE_AT, SIZE_LEN}, {"time", 136, 12}, {"device number", 329, 8},
	{"device number", 337, 8}};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* Clears what the records of a pax header have set. */
static void clear_records(struct rawhead *r)
{
	r->early = false;
	r->link.len = 0;
	r->n_xattrs = 0;
	pathset_free(steal(r->names));
	r->acl.len = 0;
	r->acl_default.len = 0;
	r->acl_nfs4 = false;
}

void rawhead_clear(struct rawhead *r)
{
	r->type = '\0';
	clear_records(r);
}

void rawhead_release(struct rawhead *r)
{
	pathset_free(r->names);
	buf_release(&r->link);
	buf_release(&r->acl);
	buf_release(&r->acl_default);
}

/* An octal field of a ustar header; BODY_MAX if it is invalid. */
static long long octal(const unsigned char *p, size_t n)
{
	long long v = 0;
	size_t i = !p[0];

	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (p[i] - '0');
	return i < n && p[i] != ' ' && p[i] != '\0' ? BODY_MAX : v;
}

long long rawhead_body(const unsigned char block[RAWHEAD_BLOCK])
{
	long long size;

	if (!block[TYPEFLAG] || !strchr("xgXLKVA", block[TYPEFLAG]))
		return -1;
	size = octal(block + SIZE_AT, SIZE_LEN);
	return (size + RAWHEAD_BLOCK - 1) / RAWHEAD_BLOCK * RAWHEAD_BLOCK;
}

/*
 * True for a valid numeric field: digits between blanks or NULs, up to the first NUL;
 * empty; or base 256 (GNU). libarchive's reader takes any digits it finds and 0
 * otherwise.
 */
static bool is_number(const unsigned char *p, size_t n)
{
	size_t i = 0;

	if (p[0] & 0x80)
		return true;
	if (!p[0]) {
		p++;
		n--;
	}
	while (i < n && p[i] == ' ')
		i++;
	while (i < n && p[i] >= '0' && p[i] <= '7')
		i++;
	while (i < n && p[i] == ' ')
		i++;
	if (i == n || p[i])
		return i == n;
	/* After two NULs, some programs read further digits and others do not. */
	for (size_t k = i; i == 0 && k < n; k++) {
		if (p[k])
			return false;
	}
	return true;
}

int rawhead_check(const unsigned char block[RAWHEAD_BLOCK], struct ovl_err *err)
{
	bool device = block[TYPEFLAG] == '3' || block[TYPEFLAG] == '4';

	for (size_t i = 0; i < N_NUMBERS - (device ? 0 : 2); i++) {
		if (!is_number(block + numbers[i].at, numbers[i].len))
			return err_say(err, EBADMSG,
				"damaged tar archive: the %s in a header is not a number",
				numbers[i].name);
	}
	return 0;
}

/* ---- corrections ------------------------------------------------------------------ */

/* The sum of the bytes, unsigned or, as in very old tars, signed, with the checksum field
 * as blanks. */
static long long sum_of(const unsigned char *p, bool is_signed)
{
	long long sum = ' ' * SUM_LEN;

	for (size_t i = 0; i < RAWHEAD_BLOCK; i++) {
		if (i < SUM_AT || i >= SUM_AT + SUM_LEN)
			sum += is_signed ? (signed char)p[i] : p[i];
	}
	return sum;
}

/* True if it has GNU tar's magic and version, but something else where GNU tar has its
 * own fields. */
static bool has_star_times(const unsigned char *p)
{
	static const unsigned char gnu[8] = "ustar  ";

	if (memcmp(p + MAGIC_AT, gnu, sizeof(gnu)) != 0 || p[TYPEFLAG] == 'S' ||
		p[TYPEFLAG] == 'M')
		return false;
	for (size_t i = OWN_AT; i < RAWHEAD_BLOCK; i++) {
		if (p[i])
			return true;
	}
	return false;
}

static bool has_nul(const unsigned char *p, const struct number *number)
{
	return !p[number->at] && p[number->at + 1];
}

bool rawhead_is_sized_link(const unsigned char p[RAWHEAD_BLOCK])
{
	return p[TYPEFLAG] == '1' && octal(p + SIZE_AT, SIZE_LEN) != 0;
}

bool rawhead_is_summed(const unsigned char p[RAWHEAD_BLOCK])
{
	long long sum = octal(p + SUM_AT, SUM_LEN);

	return sum == sum_of(p, false) || sum == sum_of(p, true);
}

void rawhead_set_sum(unsigned char p[RAWHEAD_BLOCK])
{
	char text[32];

	snprintf(text, sizeof(text), "%06llo", (unsigned long long)sum_of(p, false));
	memcpy(p + SUM_AT, text, 7);
}

bool rawhead_mend(unsigned char p[RAWHEAD_BLOCK], bool superseded, bool no_data)
{
	bool times = has_star_times(p);
	bool change = superseded || no_data || times;

	for (size_t i = 0; i < N_NUMBERS; i++)
		change |= has_nul(p, &numbers[i]);
	if (!change || !rawhead_is_summed(p))
		return false;
	for (size_t i = 0; i < N_NUMBERS; i++) {
		if (has_nul(p, &numbers[i]))
			p[numbers[i].at] = ' ';
	}
	if (times)
		memset(p + OWN_AT, 0, RAWHEAD_BLOCK - OWN_AT);
	if (superseded)
		p[TYPEFLAG] = 'g';
	if (no_data)
		memset(p + SIZE_AT, '0', SIZE_LEN - 1);
	rawhead_set_sum(p);
	return true;
}

/* ---- records ---------------------------------------------------------------------- */

bool rawhead_key_is(const struct rawhead_record *rec, const char *key)
{
	return strlen(key) == rec->key_len && memcmp(rec->key, key, rec->key_len) == 0;
}

bool rawhead_key_starts(const struct rawhead_record *rec, const char *prefix)
{
	size_t n = strlen(prefix);

	return rec->key_len > n && memcmp(rec->key, prefix, n) == 0;
}

size_t rawhead_record(const char *p, size_t n, struct rawhead_record *rec)
{
	size_t len = 0;
	size_t digits = 0;
	const char *eq;

	while (digits < n && digits < 10 && p[digits] >= '0' && p[digits] <= '9')
		len = len * 10 + (size_t)(p[digits++] - '0');
	if (!digits || digits == n || p[digits] != ' ' || len > n || len < digits + 4 ||
		p[len - 1] != '\n')
		return 0;
	rec->key = p + digits + 1;
	eq = memchr(rec->key, '=', len - digits - 2);
	if (!eq || eq == rec->key)
		return 0;
	rec->key_len = (size_t)(eq - rec->key);
	rec->value = eq + 1;
	rec->len = (size_t)(p + len - 1 - rec->value);
	return len;
}

/* The last record wins. */
static int note_acl(struct buf *to, const char *text, size_t n, struct ovl_err *err)
{
	if (n > RAWHEAD_MAX_ACL)
		return err_say(err, E2BIG, "an ACL is over 64 KiB");
	to->len = 0;
	buf_add(to, text, n);
	return to->failed ? err_nomem(err) : acl_check(text, n, err);
}

static void hide(struct rawhead *r, const struct rawhead_record *rec)
{
	if (r->patched)
		r->patched[(const unsigned char *)rec->key - r->base] = 'x';
}

static int take_acl(
	struct rawhead *r, const struct rawhead_record *rec, struct ovl_err *err)
{
	if (!rawhead_key_starts(rec, "SCHILY.acl."))
		return 0;
	hide(r, rec);
	if (rawhead_key_is(rec, "SCHILY.acl.access"))
		return note_acl(&r->acl, rec->value, rec->len, err);
	if (rawhead_key_is(rec, "SCHILY.acl.default"))
		return note_acl(&r->acl_default, rec->value, rec->len, err);
	if (rawhead_key_is(rec, "SCHILY.acl.ace"))
		r->acl_nfs4 = true;
	return 0;
}

/* Solaris tar's form: kind and number of entries in octal, NUL, the text. libarchive's
 * reader parses it too, so its size is limited. */
static int take_solaris(struct rawhead *r, const char *p, size_t n, struct ovl_err *err)
{
	const char *nul = memchr(p, '\0', n);
	size_t head = nul ? (size_t)(nul - p) + 1 : n;

	if (n > RAWHEAD_MAX_SOLARIS)
		return err_say(err, E2BIG, "an ACL of Solaris tar is over 1 KiB");
	if (!nul)
		return acl_malformed(err);
	if (*p == '3') {
		r->acl_nfs4 = true;
		return 0;
	}
	while (n > head && !p[n - 1])
		n--;
	return note_acl(&r->acl, p + head, n - head, err);
}

static int note_xattr(
	struct rawhead *r, const struct rawhead_record *rec, struct ovl_err *err)
{
	const size_t n = strlen("SCHILY.xattr.");
	bool schily = rawhead_key_starts(rec, "SCHILY.xattr.");
	auto_free char *name = NULL;

	if (!schily && !rawhead_key_starts(rec, "LIBARCHIVE.xattr."))
		return 0;
	if (++r->n_xattrs > RAWHEAD_MAX_XATTRS)
		return err_say(err, E2BIG, "an entry has more than %d xattrs",
			RAWHEAD_MAX_XATTRS);
	if (!schily)
		return 0;
	if (!r->names)
		r->names = pathset_new();
	name = strndup(rec->key + n, rec->key_len - n);
	if (!r->names || !name || pathset_add(r->names, 's', name, strlen(name)) < 0)
		return err_nomem(err);
	xattr_decode_keyword(name);
	return pathset_add(r->names, 'd', name, strlen(name)) < 0 ? err_nomem(err) : 0;
}

/* [-]DIGITS[.DIGITS]; without a fraction unless it is a time. */
static bool is_decimal(const char *p, size_t n, bool time)
{
	size_t i = n && *p == '-';
	size_t first = i;

	while (i < n && p[i] >= '0' && p[i] <= '9')
		i++;
	if (i == first)
		return false;
	if (time && i < n && p[i] == '.') {
		i++;
		while (i < n && p[i] >= '0' && p[i] <= '9')
			i++;
	}
	return i == n;
}

/* False if libarchive's reader would misunderstand it. */
static bool is_sound(const struct rawhead_record *rec)
{
	static const struct {
		const char *key;
		enum { NUMBER, TIME, NAME } kind;
	} known[] = {{"uid", NUMBER}, {"gid", NUMBER}, {"size", NUMBER},
		{"SCHILY.realsize", NUMBER}, {"GNU.sparse.size", NUMBER},
		{"GNU.sparse.realsize", NUMBER}, {"GNU.sparse.numblocks", NUMBER},
		{"GNU.sparse.offset", NUMBER}, {"GNU.sparse.numbytes", NUMBER},
		{"GNU.sparse.major", NUMBER}, {"GNU.sparse.minor", NUMBER},
		{"mtime", TIME}, {"atime", TIME}, {"ctime", TIME}, {"path", NAME},
		{"linkpath", NAME}, {"uname", NAME}, {"gname", NAME},
		{"GNU.sparse.name", NAME}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (rawhead_key_is(rec, known[i].key))
			return known[i].kind == NAME ?
				!memchr(rec->value, '\0', rec->len) :
				is_decimal(rec->value, rec->len, known[i].kind == TIME);
	}
	return !memchr(rec->key, '\0', rec->key_len);
}

static int check_value(const struct rawhead_record *rec, struct ovl_err *err)
{
	auto_free char *key = NULL;

	if (is_sound(rec))
		return 0;
	key = strndup(rec->key, rec->key_len);
	return err_say(err, EBADMSG, "damaged tar archive: malformed pax record %s",
		Q(key ? key : ""));
}

static int apply_record(
	struct rawhead *r, const struct rawhead_record *rec, struct ovl_err *err)
{
	int rc = check_value(rec, err);

	if (rc < 0)
		return rc;
	if (rawhead_key_is(rec, "mtime"))
		r->early = rec->len > 2 && memcmp(rec->value, "-0", 2) == 0;
	if (rawhead_key_is(rec, "linkpath")) {
		r->link.len = 0;
		buf_add(&r->link, rec->value, rec->len);
		if (r->link.failed)
			return err_nomem(err);
	}
	/* For a link, device, directory or FIFO, the reader would take what follows for
	 * its data; GNU tar and Go do not. */
	if (rawhead_key_is(rec, "size") && memchr("123456", r->type, 6))
		hide(r, rec);
	rc = take_acl(r, rec, err);
	return rc < 0 ? rc : note_xattr(r, rec, err);
}

static int read_records(
	struct rawhead *r, const char *p, size_t n, bool global, struct ovl_err *err)
{
	while (n) {
		struct rawhead_record rec;
		size_t len = rawhead_record(p, n, &rec);
		int rc;

		if (!len)
			return err_say(err, EBADMSG,
				"damaged tar archive: malformed pax header");
		/* libarchive's reader ignores global headers. */
		rc = global ? 0 : apply_record(r, &rec, err);
		if (rc < 0)
			return rc;
		p += len;
		n -= len;
	}
	return 0;
}

int rawhead_read(struct rawhead *r, const unsigned char *p, size_t n, struct ovl_err *err)
{
	bool seen = false;

	r->base = p;
	while (n >= RAWHEAD_BLOCK) {
		long long body = rawhead_body(p);
		long long size = octal(p + SIZE_AT, SIZE_LEN);
		char type = (char)p[TYPEFLAG];
		int rc = 0;

		if (body < 0)
			return 0;
		/* If there are several, only the last one counts. */
		if (rawhead_is_pax(type) && seen)
			clear_records(r);
		seen |= rawhead_is_pax(type);
		p += RAWHEAD_BLOCK;
		n -= RAWHEAD_BLOCK;
		if (body > (long long)n)
			return err_say(err, EBADMSG,
				"damaged tar archive: malformed extension header");
		if (type == 'V' && size)
			rc = err_say(err, EBADMSG,
				"damaged tar archive: a volume label with data");
		else if (type == 'A')
			rc = take_solaris(r, (const char *)p, (size_t)size, err);
		else if (rawhead_is_pax(type) || type == 'g')
			rc = read_records(
				r, (const char *)p, (size_t)size, type == 'g', err);
		if (rc < 0)
			return rc;
		p += body;
		n -= (size_t)body;
	}
	return 0;
}

bool rawhead_has_xattr(const struct rawhead *r, const char *name)
{
	return r->names && pathset_has(r->names, 's', name, strlen(name));
}

bool rawhead_means_xattr(const struct rawhead *r, const char *name)
{
	return r->names && pathset_has(r->names, 'd', name, strlen(name));
}
