/* SPDX-License-Identifier: ISC */
/* Names that docker and podman take for images. */
#include <ctype.h>
#include <string.h>

#include "base/id.h"
#include "image/reference.h"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Runs of a-z0-9 with one of . _ __ or any number of - between them. */
static bool is_component(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && is_alnum(s[i])) {
		size_t sep;

		while (i < n && is_alnum(s[i]))
			i++;
		if (i == n)
			return true;
		sep = strspn(s + i, "-");
		if (!sep)
			sep = s[i] == '.' ? 1 : strspn(s + i, "_");
		if (!sep || (s[i] == '_' && sep > 2))
			return false;
		i += sep;
	}
	return false;
}

static bool is_label(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool edge = i == 0 || i == n - 1;

		if (!isalnum((unsigned char)s[i]) && (edge || s[i] != '-'))
			return false;
	}
	return n > 0;
}

/* What stands before the first '/', if it is a host and not part of the path. */
static bool is_domain(const char *s, size_t n)
{
	const char *end = s + n;
	const char *port = memchr(s, ':', n);

	if (!port && !memchr(s, '.', n) && !(n == 9 && memcmp(s, "localhost", n) == 0))
		return false;
	if (port &&
		(port + 1 == end ||
			strspn(port + 1, "0123456789") < (size_t)(end - port - 1)))
		return false;
	if (port)
		end = port;
	while (s <= end) {
		const char *dot = memchr(s, '.', (size_t)(end - s));

		if (!is_label(s, (size_t)((dot ? dot : end) - s)))
			return false;
		s = dot ? dot + 1 : end + 1;
	}
	return true;
}

static bool is_tag(const char *s)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t n = strlen(s);

	return n && n <= 128 && s[0] != '.' && s[0] != '-' && strspn(s, chars) == n;
}

bool reference_split(const char *name, struct buf *repository, struct buf *tag)
{
	const char *slash = strrchr(name, '/');
	const char *colon = strchr(slash ? slash : name, ':');
	size_t n = colon ? (size_t)(colon - name) : strlen(name);
	const char *at = name;
	const char *end = name + n;
	const char *first = memchr(name, '/', n);

	if (n > 255 || (colon && !is_tag(colon + 1)))
		return false;
	if (first && is_domain(name, (size_t)(first - name)))
		at = first + 1;
	if (at == name && n == ID_LEN && strspn(name, "0123456789abcdef") >= n)
		return false; /* reads as an id */
	buf_clear(repository);
	buf_add(repository, name, n);
	buf_clear(tag);
	buf_adds(tag, colon ? colon + 1 : "latest");
	while (at <= end) {
		const char *next = memchr(at, '/', (size_t)(end - at));

		if (!is_component(at, (size_t)((next ? next : end) - at)))
			return false;
		at = next ? next + 1 : end + 1;
	}
	return !repository->failed && !tag->failed;
}
