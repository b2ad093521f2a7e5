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

struct acl_entry {
	bool dflt;
	unsigned tag;
	unsigned perm;
	uint32_t id;
	const char *name; /* to be looked up if there is no id */
};

struct acl {
	char *text; /* a copy, divided into fields */
	struct acl_entry *entry;
	size_t n;
};

static void acl_release(struct acl *a)
{
	free(a->text);
	free(a->entry);
}
#define auto_acl __attribute__((cleanup(acl_release))) struct acl

/* ---- text ------------------------------------------------------------------------- */

static char *trim(char *s)
{
	static const char blank[] = " \t\r";
	size_t n;

	s += strspn(s, blank);
	for (n = strlen(s); n && strchr(blank, s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

/* The word, or its first letter. */
static bool is(const char *field, const char *word)
{
	return strcmp(field, word) == 0 || (field[0] == word[0] && !field[1]);
}

static bool all_digits(const char *s)
{
	return !s[strspn(s, "0123456789")];
}

/* A number below 2^32-1, which means "no id". */
static bool is_number(const char *s, uint32_t *id)
{
	uint64_t v = strtoull(s, NULL, 10);

	if (!*s || !all_digits(s) || strlen(s) > 10 || v >= NO_ID)
		return false;
	*id = (uint32_t)v;
	return true;
}

static bool perm_of(const char *s, unsigned *perm)
{
	*perm = (strchr(s, 'r') ? 4 : 0) | (strchr(s, 'w') ? 2 : 0) |
		(strchr(s, 'x') ? 1 : 0);
	return *s && !s[strspn(s, "rwx-")];
}

/* Removes "default", which may be a field of its own or a prefix of the tag. */
static void take_default(char ***field, unsigned *n, bool *dflt)
{
	char **f = *field;

	if (*n > 1 && is(f[0], "default")) {
		(*field)++;
		(*n)--;
		*dflt = true;
	} else if (strncmp(f[0], "default", 7) == 0 && f[0][7]) {
		f[0] += 7;
		*dflt = true;
	}
}

static bool take_named(
	struct acl_entry *e, char *const *f, unsigned n, unsigned whose, unsigned own)
{
	bool numbered = n == 4 && *f[3];

	if (n < 3 || n > 4 || !perm_of(f[2], &e->perm))
		return false;
	e->tag = *f[1] || numbered ? whose : own;
	e->name = f[1];
	if (e->tag == own)
		return true;
	if (numbered)
		return is_number(f[3], &e->id);
	return is_number(f[1], &e->id) || !all_digits(f[1]);
}

/* 1 an entry, 0 none, -1 malformed. */
static int parse_entry(char *text, bool text_dflt, struct acl_entry *e)
{
	char *fields[MAX_FIELDS];
	char **f = fields;
	unsigned n = 0;

	while (text && n < MAX_FIELDS)
		f[n++] = trim(strsep(&text, ":"));
	*e = (struct acl_entry){.dflt = text_dflt, .id = NO_ID};
	if (text)
		return -1;
	if (n == 1 && !*f[0])
		return 0;
	take_default(&f, &n, &e->dflt);
	if (is(f[0], "user"))
		return take_named(e, f, n, USER, USER_OBJ) ? 1 : -1;
	if (is(f[0], "group"))
		return take_named(e, f, n, GROUP, GROUP_OBJ) ? 1 : -1;
	if (!is(f[0], "mask") && !is(f[0], "other"))
		return -1;
	e->tag = *f[0] == 'm' ? MASK : OTHER;
	return (n == 2 || (n == 3 && !*f[1])) && perm_of(f[n - 1], &e->perm) ? 1 : -1;
}

static int parse(
	const char *text, size_t n, bool text_dflt, struct acl *out, struct ovl_err *err)
{
	char *at = out->text = strndup(text, n);

	/* The shortest entry is "m:-,". */
	out->entry = calloc(n / 4 + 1, sizeof(*out->entry));
	if (!at || !out->entry)
		return err_nomem(err);
	if (strlen(at) != n)
		return acl_malformed(err);
	for (char *p = at; (p = strchr(p, '#'));) {
		size_t comment = strcspn(p, "\n");

		memset(p, ' ', comment);
		p += comment;
	}
	while (at) {
		int r = parse_entry(strsep(&at, ",\n"), text_dflt, &out->entry[out->n]);

		if (r < 0)
			return acl_malformed(err);
		out->n += (size_t)r;
	}
	return 0;
}

int acl_malformed(struct ovl_err *err)
{
	return err_say(err, EBADMSG, "damaged tar archive: malformed ACL");
}

int acl_check(const char *text, size_t n, struct ovl_err *err)
{
	auto_acl a = {0};

	return parse(text, n, false, &a, err);
}

/* ---- values ----------------------------------------------------------------------- */

static int look_up(struct accounts *accounts, struct acl_entry *e, struct ovl_err *err)
{
	int r;

	if ((e->tag != USER && e->tag != GROUP) || e->id != NO_ID)
		return 0;
	r = accounts_find(accounts, e->tag == GROUP, e->name, &e->id);
	if (r < 0)
		return err_nomem(err);
	return r > 0 ? 0 :
		       err_say(err, EINVAL, "its ACL names the unknown %s %s",
			       e->tag == GROUP ? "group" : "user", Q(e->name));
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
	auto_acl a = {0};
	size_t used = 0;
	int rc = parse(text, n, text_dflt, &a, err);

	for (size_t i = 0; i < a.n && rc == 0; i++) {
		if (a.entry[i].dflt != dflt)
			continue;
		a.entry[used] = a.entry[i];
		rc = look_up(accounts, &a.entry[used++], err);
	}
	if (rc < 0 || !used)
		return rc;
	put_all(a.entry, used, out);
	return out->failed ? err_nomem(err) : 1;
}
