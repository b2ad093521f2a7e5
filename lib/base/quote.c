/* SPDX-License-Identifier: ISC */
/* Makes names safe to print on a terminal. */
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "ovl.h"

/* Well-formed UTF-8 according to Unicode's table 3-7: no surrogates, no overlong
 * forms. */
size_t quote_utf8(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t len;

	if (!n || p[0] < 0x20 || p[0] == 0x7f)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xc2)
		low = 0xa0; /* U+0080 to U+009F are controls */
	else if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* Gets the next piece of the escaped form and returns its length. *in: how many bytes of
 * s it replaces. */
static size_t piece(const char *s, size_t n, char out[5], size_t *in)
{
	*in = quote_utf8(s, n);
	if (*in && *s != '\\') {
		memcpy(out, s, *in);
		return *in;
	}
	*in = 1;
	if (*s == '\\') {
		memcpy(out, "\\\\", 2);
		return 2;
	}
	return (size_t)snprintf(out, 5, "\\%03o", (unsigned char)*s);
}

/* Most names need no escaping and are copied at once. */
static bool is_plain(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (name[i] < ' ' || name[i] > '~' || name[i] == '\\')
			return false;
	}
	return true;
}

char *ovl_escape(char *out, size_t size, const char *name, size_t len)
{
	static const char cut[] = "...";
	size_t room = size - 1;
	size_t o = 0;
	size_t need = 0;
	size_t in;
	char p[5];

	if (len <= room && is_plain(name, len)) {
		memcpy(out, name, len);
		out[len] = '\0';
		return out;
	}
	for (size_t i = 0; i < len && need <= room; i += in)
		need += piece(name + i, len - i, p, &in);
	if (need > room)
		room -= sizeof(cut) - 1;
	for (size_t i = 0; i < len; i += in) {
		size_t n = piece(name + i, len - i, p, &in);

		if (o + n > room) {
			memcpy(out + o, cut, sizeof(cut));
			return out;
		}
		memcpy(out + o, p, n);
		o += n;
	}
	out[o] = '\0';
	return out;
}

char *quote_into(char out[QUOTE_SIZE], const char *name)
{
	size_t n;

	out[0] = '\'';
	ovl_escape(out + 1, QUOTE_SIZE - 2, name, strlen(name));
	n = strlen(out);
	out[n] = '\'';
	out[n + 1] = '\0';
	return out;
}

char *ovl_base64(const char *bytes, size_t n)
{
	unsigned char *out = n < INT_MAX / 2 ? malloc((n + 2) / 3 * 4 + 1) : NULL;

	if (out)
		EVP_EncodeBlock(out, (const unsigned char *)bytes, (int)n);
	return (char *)out;
}

bool quote_base64_decode(const char *p, size_t n, struct buf *out)
{
	size_t pad = n < 2 || p[n - 1] != '=' ? 0 : p[n - 2] == '=' ? 2 : 1;

	buf_clear(out);
	if (!n)
		return true;
	/* The decoder takes '=' anywhere, and skips blanks at the ends. */
	if (n % 4 || n > INT_MAX || memchr(p, '=', n - pad) || !buf_reserve(out, n + 1) ||
		EVP_DecodeBlock((unsigned char *)out->data, (const unsigned char *)p,
			(int)n) != (int)(n / 4 * 3))
		return false;
	out->len = n / 4 * 3 - pad;
	out->data[out->len] = '\0';
	return true;
}
