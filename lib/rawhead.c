#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "rawhead.h"
#include "xattr.h"

#define TYPEFLAG 156
#define SIZE_AT  124
#define SIZE_LEN 12
#define BODY_MAX (1LL << 40)

void rawhead_clear(struct rawhead *r)
{
	r->type = '\0';
	r->early = false;
	r->link.len = 0;
	r->xattrs.len = 0;
	r->n_xattrs = 0;
}

void rawhead_release(struct rawhead *r)
{
	buf_release(&r->link);
	buf_release(&r->xattrs);
}

/* An octal field of a ustar header; BODY_MAX if it is none. */
static long long octal(const unsigned char *p, size_t n)
{
	long long v = 0;
	size_t i = 0;

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

/* ---- records ---------------------------------------------------------------------- */

struct record {
	const char *key;
	size_t key_len;
	const char *value;
	size_t len;
};

static bool key_is(const struct record *rec, const char *key)
{
	return strlen(key) == rec->key_len && memcmp(rec->key, key, rec->key_len) == 0;
}

static bool acl_sound(const struct record *rec, int type)
{
	auto_free char *text = strndup(rec->value, rec->len);
	struct archive_entry *e = archive_entry_new();
	bool ok = text && e && archive_entry_acl_from_text(e, text, type) == ARCHIVE_OK;

	archive_entry_free(e);
	return ok;
}

static int check_acl(const struct record *rec, struct ovl_err *err)
{
	static const struct {
		const char *key;
		int type;
	} acls[] = {
		{"SCHILY.acl.access", ARCHIVE_ENTRY_ACL_TYPE_ACCESS},
		{"SCHILY.acl.default", ARCHIVE_ENTRY_ACL_TYPE_DEFAULT},
		{"SCHILY.acl.ace", ARCHIVE_ENTRY_ACL_TYPE_NFS4},
	};

	for (size_t i = 0; i < sizeof(acls) / sizeof(acls[0]); i++) {
		if (!key_is(rec, acls[i].key))
			continue;
		if (rec->len > XATTR_MAX_VALUE)
			return err_say(err, E2BIG, "an ACL of over 64 KiB");
		if (!acl_sound(rec, acls[i].type))
			return err_say(err, EBADMSG,
				"damaged tar archive: malformed ACL in a pax header");
	}
	return 0;
}

/* Solaris tar's: the kind and the number of entries in octal, NUL, the text. */
static int check_solaris(const char *p, size_t n, struct ovl_err *err)
{
	const char *nul = memchr(p, '\0', n);
	size_t head = nul ? (size_t)(nul - p) + 1 : n;
	const struct record rec = {.value = p + head, .len = n - head};
	int type = n && *p == '3' ? ARCHIVE_ENTRY_ACL_TYPE_NFS4 :
				    ARCHIVE_ENTRY_ACL_TYPE_ACCESS;

	if (n > XATTR_MAX_VALUE)
		return err_say(err, E2BIG, "an ACL of over 64 KiB");
	if (!nul || !acl_sound(&rec, type))
		return err_say(err, EBADMSG,
			"damaged tar archive: malformed ACL of Solaris tar");
	return 0;
}

static int note_xattr(struct rawhead *r, const struct record *rec, struct ovl_err *err)
{
	static const char prefix[] = "SCHILY.xattr.";
	const size_t n = sizeof(prefix) - 1;

	if (rec->key_len <= n || memcmp(rec->key, prefix, n) != 0)
		return 0;
	if (++r->n_xattrs > RAWHEAD_MAX_XATTRS)
		return err_say(
			err, E2BIG, "an entry with over %d xattrs", RAWHEAD_MAX_XATTRS);
	buf_add(&r->xattrs, rec->key + n, rec->key_len - n);
	buf_add(&r->xattrs, "", 1);
	return r->xattrs.failed ? err_nomem(err) : 0;
}

static int take(struct rawhead *r, const struct record *rec, struct ovl_err *err)
{
	int rc;

	if (key_is(rec, "mtime"))
		r->early = rec->len > 2 && memcmp(rec->value, "-0", 2) == 0;
	if (key_is(rec, "linkpath")) {
		r->link.len = 0;
		buf_add(&r->link, rec->value, rec->len);
		if (r->link.failed)
			return err_nomem(err);
	}
	rc = check_acl(rec, err);
	return rc < 0 ? rc : note_xattr(r, rec, err);
}

/* The record at p: its length, 0 if there is none. */
static size_t parse(const char *p, size_t n, struct record *rec)
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

static int read_records(
	struct rawhead *r, const char *p, size_t n, bool global, struct ovl_err *err)
{
	while (n) {
		struct record rec;
		size_t len = parse(p, n, &rec);
		int rc;

		if (!len)
			return err_say(err, EBADMSG,
				"damaged tar archive: malformed pax header");
		/* Of global headers the reader makes nothing. */
		rc = global ? 0 : take(r, &rec, err);
		if (rc < 0)
			return rc;
		p += len;
		n -= len;
	}
	return 0;
}

int rawhead_read(struct rawhead *r, const unsigned char *p, size_t n, struct ovl_err *err)
{
	while (n >= RAWHEAD_BLOCK) {
		long long body = rawhead_body(p);
		long long size = octal(p + SIZE_AT, SIZE_LEN);
		char type = (char)p[TYPEFLAG];
		int rc = 0;

		if (body < 0)
			return 0;
		p += RAWHEAD_BLOCK;
		n -= RAWHEAD_BLOCK;
		if (body > (long long)n)
			return err_say(err, EBADMSG,
				"damaged tar archive: malformed extension header");
		if (type == 'V' && size)
			rc = err_say(err, EBADMSG,
				"damaged tar archive: a volume label with data");
		else if (type == 'A')
			rc = check_solaris((const char *)p, (size_t)size, err);
		else if (type == 'x' || type == 'X' || type == 'g')
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
	for (size_t at = 0; at < r->xattrs.len; at += strlen(r->xattrs.data + at) + 1) {
		if (strcmp(r->xattrs.data + at, name) == 0)
			return true;
	}
	return false;
}
