/* SPDX-License-Identifier: ISC */
/* POSIX ACLs: from the text form in a tar to the value of an xattr. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "tar/acl.h"

#define ACL_VERSION 2
#define NO_ID       UINT32_MAX
#define MAX_FIELDS  5

/* The kernel's tags, in the order of entries. */
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct span {
	const char *p;
	size_t n;
};

struct acl_entry {
	bool dflt;
	unsigned tag;
	unsigned perm;
	uint32_t id;
	struct span name; /* to be looked up if there is no id */
};

/* ---- text ------------------------------------------------------------------------- */

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(const char *p, size_t n)
{
	while (n && blank(*p)) {
		p++;
		n--;
	}
	while (n && blank(p[n - 1]))
		n--;
	return (struct span){p, n};
}

static bool is(struct span s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

/* A number below 2^32-1, which means "no id". */
static bool is_number(struct span s, uint32_t *id)
{
	uint64_t v = 0;

	if (!s.n || s.n > 10)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*id = (uint32_t)v;
	return v < NO_ID;
}

static bool perm_of(struct span s, unsigned *perm)
{
	*perm = 0;
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case 'r': *perm |= 4; break;
		case 'w': *perm |= 2; break;
		case 'x': *perm |= 1; break;
		case '-': break;
		default: return false;
		}
	}
	return s.n > 0;
}

/* Splits an entry into fields; it ends at a comment or at the end of the text. */
static unsigned split_fields(const char *p, size_t n, struct span field[MAX_FIELDS])
{
	const char *hash = memchr(p, '#', n);
	unsigned used = 0;

	if (hash)
		n = (size_t)(hash - p);
	for (;;) {
		const char *colon = memchr(p, ':', n);
		size_t len = colon ? (size_t)(colon - p) : n;

		if (used == MAX_FIELDS)
			return MAX_FIELDS + 1;
		field[used++] = trim(p, len);
		if (!colon)
			return used;
		p += len + 1;
		n -= len + 1;
	}
}

/* Removes "default", which may be a field of its own or a prefix of the tag. */
static void take_default(struct span **field, unsigned *n, bool *dflt)
{
	struct span *f = *field;

	if (*n > 1 && (is(f[0], "default") || is(f[0], "d"))) {
		(*field)++;
		(*n)--;
		*dflt = true;
	} else if (f[0].n > 7 && memcmp(f[0].p, "default", 7) == 0) {
		f[0] = (struct span){f[0].p + 7, f[0].n - 7};
		*dflt = true;
	}
}

static bool all_digits(struct span s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i == s.n;
}

static bool take_named(struct acl_entry *e, const struct span *f, unsigned n,
	unsigned whose, unsigned own)
{
	bool numbered = n == 4 && f[3].n;

	if (n < 3 || n > 4 || !perm_of(f[2], &e->perm))
		return false;
	e->tag = f[1].n || numbered ? whose : own;
	e->name = f[1];
	if (e->tag == own)
		return true;
	if (numbered)
		return is_number(f[3], &e->id);
	return is_number(f[1], &e->id) || !all_digits(f[1]);
}

/* 1 if it is an entry, 0 if it is empty, -1 if malformed. */
static int parse_entry(const char *p, size_t n, bool text_dflt, struct acl_entry *e)
{
	struct span fields[MAX_FIELDS];
	struct span *f = fields;
	unsigned have = split_fields(p, n, fields);

	*e = (struct acl_entry){.dflt = text_dflt, .id = NO_ID};
	if (have > MAX_FIELDS)
		return -1;
	if (have == 1 && !f[0].n)
		return 0;
	take_default(&f, &have, &e->dflt);
	if (is(f[0], "user") || is(f[0], "u"))
		return take_named(e, f, have, USER, USER_OBJ) ? 1 : -1;
	if (is(f[0], "group") || is(f[0], "g"))
		return take_named(e, f, have, GROUP, GROUP_OBJ) ? 1 : -1;
	if (is(f[0], "mask") || is(f[0], "m"))
		e->tag = MASK;
	else if (is(f[0], "other") || is(f[0], "o"))
		e->tag = OTHER;
	else
		return -1;
	if (have == 3 && f[1].n)
		return -1;
	return (have == 2 || have == 3) && perm_of(f[have - 1], &e->perm) ? 1 : -1;
}

/* Gets the next entry of the text, without its separator. */
static struct span next(const char **at, const char *end)
{
	const char *p = *at;
	const char *q = p;
	bool comment = false;

	while (q < end && *q != '\n' && (comment || *q != ','))
		comment |= *q++ == '#';
	*at = q < end ? q + 1 : end;
	return (struct span){p, (size_t)(q - p)};
}

bool acl_sound(const char *text, size_t n)
{
	const char *end = text + n;
	struct acl_entry e;

	while (text < end) {
		struct span s = next(&text, end);

		if (parse_entry(s.p, s.n, false, &e) < 0)
			return false;
	}
	return true;
}

/* ---- values ----------------------------------------------------------------------- */

static int look_up(struct accounts *accounts, struct acl_entry *e, struct ovl_err *err)
{
	auto_free char *name = NULL;
	int r;

	if ((e->tag != USER && e->tag != GROUP) || e->id != NO_ID)
		return 0;
	name = strndup(e->name.p, e->name.n);
	if (!name)
		return err_nomem(err);
	r = e->tag == USER ? accounts_user(accounts, name, &e->id) :
			     accounts_group(accounts, name, &e->id);
	if (r < 0)
		return err_nomem(err);
	if (r > 0 && strlen(name) == e->name.n)
		return 0;
	return err_say(err, EINVAL, "its ACL names the unknown %s %s",
		e->tag == GROUP ? "group" : "user", Q(name));
}

static int in_order(const void *a, const void *b)
{
	const struct acl_entry *x = a;
	const struct acl_entry *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void put_le(struct buf *out, uint32_t v, unsigned bytes)
{
	while (bytes--) {
		unsigned char c = v & 0xff;

		buf_add(out, &c, 1);
		v >>= 8;
	}
}

static void put_all(struct acl_entry *list, size_t n, struct buf *out)
{
	qsort(list, n, sizeof(*list), in_order);
	buf_clear(out);
	put_le(out, ACL_VERSION, 4);
	for (size_t i = 0; i < n; i++) {
		put_le(out, list[i].tag, 2);
		put_le(out, list[i].perm, 2);
		put_le(out, list[i].id, 4);
	}
}

int acl_value(struct accounts *accounts, const char *text, size_t n, bool text_dflt,
	bool dflt, struct buf *out, struct ovl_err *err)
{
	/* The shortest entry is "m::-,". */
	auto_free struct acl_entry *list = calloc(n / 4 + 1, sizeof(*list));
	const char *end = text + n;
	size_t used = 0;

	if (!list)
		return err_nomem(err);
	while (text < end) {
		struct span s = next(&text, end);
		struct acl_entry *e = &list[used];
		int r = parse_entry(s.p, s.n, text_dflt, e);
		int rc;

		if (r < 0)
			return err_say(
				err, EBADMSG, "damaged tar archive: malformed ACL");
		if (r == 0 || e->dflt != dflt)
			continue;
		rc = look_up(accounts, e, err);
		if (rc < 0)
			return rc;
		used++;
	}
	if (!used)
		return 0;
	put_all(list, used, out);
	return out->failed ? err_nomem(err) : 1;
}
