/* SPDX-License-Identifier: ISC */
/* Reads JSON without building values. */
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "foreign/foreign_scan.h"

const char *scan_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static const char *skip_string(const char *p)
{
	if (*p != '"')
		return NULL;
	for (p++; *(p += strcspn(p, "\"\\")) == '\\'; p += 2) {
		if (!p[1])
			return NULL;
	}
	return *p ? p + 1 : NULL;
}

/* Returns the position of the ',' or bracket that follows the value. */
static const char *skip_value(const char *p)
{
	size_t depth = 0;

	while (p && *p) {
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		if (*p == '{' || *p == '[') {
			depth++;
		} else if (*p == ',' || *p == '}' || *p == ']') {
			if (!depth)
				return p;
			depth -= *p != ',';
		}
		p++;
	}
	return NULL;
}

const char *scan_string(const char *p, char *out, size_t max)
{
	const char *end = skip_string(p);
	auto_json text = NULL;
	size_t n;

	if (!end)
		return NULL;
	n = (size_t)(end - p) - 2;
	if (memchr(p, '\\', n + 1)) {
		text = json_loadb(p, n + 2, JSON_DECODE_ANY, NULL);
		p = json_string_value(text);
		n = p ? strlen(p) : max;
	} else {
		p++;
	}
	if (n >= max)
		n = 0;
	if (n)
		memcpy(out, p, n);
	out[n] = '\0';
	return end;
}

const char *scan_member(const char *p, struct scan_member *m)
{
	const char *first = *p == '{' || *p == ',' ? scan_blanks(p + 1) : "";

	m->key[0] = '\0';
	m->value = "";
	if (*p == '{' && *first == '}')
		return first;
	first = scan_string(first, m->key, sizeof(m->key));
	first = first ? scan_blanks(first) : "";
	m->value = *first == ':' ? scan_blanks(first + 1) : "";
	if (!*m->value || strchr(",]}", *m->value))
		return NULL;
	first = skip_value(m->value);
	return first && *first != ']' ? first : NULL;
}

const char *scan_find(const char *p, const char *name, const char **value)
{
	struct scan_member m;

	p = *p == '{' ? p : NULL;
	while (p && *p != '}') {
		p = scan_member(p, &m);
		if (strcasecmp(m.key, name) == 0)
			*value = m.value;
	}
	return p ? p + 1 : NULL;
}

bool scan_find_in(const struct buf *text, const char *name, const char **value)
{
	const char *end = scan_find(
		text->len ? scan_blanks(text->data) : "", name, value);

	return end && scan_blanks(end) == text->data + text->len;
}
