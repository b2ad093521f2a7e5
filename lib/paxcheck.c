#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "paxcheck.h"

#define BLOCK    512
#define TYPEFLAG 156
#define SIZE_AT  124
#define SIZE_LEN 12

/* An octal field of a ustar header; SIZE_MAX if it is none. */
static size_t octal(const unsigned char *p, size_t n)
{
	size_t v = 0;
	size_t i = 0;

	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (p[i] - '0');
	return i < n && p[i] != ' ' && p[i] != '\0' ? SIZE_MAX : v;
}

static bool acl_sound(const char *value, int type)
{
	struct archive_entry *e = archive_entry_new();
	bool ok = e && archive_entry_acl_from_text(e, value, type) == ARCHIVE_OK;

	archive_entry_free(e);
	return ok;
}

static bool value_sound(const char *key, size_t key_len, const char *value, size_t len)
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
		char *text;
		bool ok;

		if (strlen(acls[i].key) != key_len ||
			memcmp(key, acls[i].key, key_len) != 0)
			continue;
		text = strndup(value, len);
		ok = text && acl_sound(text, acls[i].type);
		free(text);
		return ok;
	}
	return true;
}

static bool records_sound(const char *p, size_t n)
{
	while (n) {
		size_t len = 0;
		size_t digits = 0;
		const char *key;
		const char *eq;

		while (digits < n && digits < 10 && p[digits] >= '0' && p[digits] <= '9')
			len = len * 10 + (size_t)(p[digits++] - '0');
		if (!digits || digits == n || p[digits] != ' ' || len > n ||
			len < digits + 4 || p[len - 1] != '\n')
			return false;
		key = p + digits + 1;
		eq = memchr(key, '=', len - digits - 2);
		if (!eq || eq == key)
			return false;
		if (!value_sound(key, (size_t)(eq - key), eq + 1,
			    (size_t)(p + len - 1 - (eq + 1))))
			return false;
		p += len;
		n -= len;
	}
	return true;
}

bool paxcheck(const unsigned char *p, size_t n)
{
	while (n >= BLOCK && strchr("xgXLK", p[TYPEFLAG]) && p[TYPEFLAG]) {
		size_t size = octal(p + SIZE_AT, SIZE_LEN);
		unsigned char type = p[TYPEFLAG];

		if (size > n - BLOCK)
			return false;
		if (type != 'L' && type != 'K' &&
			!records_sound((const char *)p + BLOCK, size))
			return false;
		size = (size + BLOCK - 1) / BLOCK * BLOCK;
		if (size > n - BLOCK)
			return false;
		p += BLOCK + size;
		n -= BLOCK + size;
	}
	return true;
}
