/* SPDX-License-Identifier: ISC */
/*
 * Reads the JSON of images as Go's encoding/json does, because other programs use that to
 * write and read it: the case of keys does not matter, null means that there is no value,
 * the last of several equal keys counts, and every byte that is not UTF-8 is read as
 * U+FFFD.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "base/quote.h"
#include "image/image.h"

/* ---- members ---------------------------------------------------------------------- */

/* Go also equates two non-ASCII characters with letters: long s and the Kelvin sign. */
static bool same_key(const char *key, const char *want)
{
	for (; *key && *want; want++) {
		if (strncmp(key, "\xc5\xbf", 2) == 0 && *want == 's') {
			key += 2;
		} else if (strncmp(key, "\xe2\x84\xaa", 3) == 0 && *want == 'k') {
			key += 3;
		} else if ((*key | 0x20) == (*want | 0x20) &&
			(*key == *want || isalpha((unsigned char)*want))) {
			key++;
		} else {
			return false;
		}
	}
	return !*key && !*want;
}

const json_t *image_member(const json_t *o, const char *key)
{
	const json_t *found = NULL;
	const char *k;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)o, k, v) {
		if (!json_is_null(v) && same_key(k, key))
			found = v;
	}
	return found;
}

void image_respell(json_t *o, const char *key)
{
	json_t *v = json_incref((json_t *)(uintptr_t)image_member(o, key));
	const char *k;
	json_t *other;
	void *next;

	json_object_foreach_safe(o, next, k, other) {
		if (strcmp(k, key) != 0 && same_key(k, key))
			json_object_del(o, k);
	}
	if (v && v != json_object_get(o, key))
		json_object_set(o, key, v);
	json_decref(v);
}

json_t *image_sub(json_t *o, const char *key, json_type type)
{
	json_t *v = json_object_get(o, key);

	if (!v || json_typeof(v) != type) {
		json_object_set_new(
			o, key, type == JSON_OBJECT ? json_object() : json_array());
		v = json_object_get(o, key);
	}
	return v;
}

const char *image_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(image_member(o, key));

	return s ? s : "";
}

/* ---- JSON that Go accepts and jansson does not ------------------------------------ */

#define REPLACEMENT "\xef\xbf\xbd"

/* The value of the escape \uXXXX; -1 if p is not one. */
static int escaped(const char *p)
{
	unsigned char b[2];
	char hex[5] = "";

	if (strncmp(p, "\\u", 2) != 0)
		return -1;
	strncat(hex, p + 2, 4);
	for (char *h = hex; *h; h++)
		*h = (char)tolower((unsigned char)*h);
	return strlen(hex) == 4 && id_unhex(hex, b, 2) ? b[0] << 8 | b[1] : -1;
}

/* Copies an escape or a non-ASCII character of a string; returns its length. */
static size_t tame_char(const char *p, size_t left, struct buf *out)
{
	int c = escaped(p);
	size_t n = *p == '\\' ? (c >= 0 ? 6 : 2) : quote_utf8(p, left);

	if ((c & ~0x3ff) == 0xd800 && (escaped(p + 6) & ~0x3ff) == 0xdc00)
		n = 12;
	else if (c == 0 || (c & ~0x7ff) == 0xd800)
		c = -2;
	/* quote_utf8 does not accept C1 controls. */
	if (n == 0 && *p == '\xc2' && left > 1 && ((unsigned char)p[1] & 0xe0) == 0x80)
		n = 2;
	if (n > left)
		n = left;
	if (n == 0 || c == -2)
		buf_adds(out, REPLACEMENT);
	else
		buf_add(out, p, n);
	return n ? n : 1;
}

/* Copies a token outside strings; returns its length. Numbers that jansson may not be
 * able to hold become 0, as no number is used. */
static size_t tame_plain(const char *p, struct buf *out)
{
	size_t n = strspn(p, "0123456789+-.eE");

	if (n > 18 || (n && strcspn(p, "eE") < n && isdigit((unsigned char)p[n - 1])))
		buf_adds(out, "0");
	else
		buf_add(out, p, n ? n : 1);
	return n ? n : 1;
}

static void tame(const struct buf *in, struct buf *out)
{
	bool quoted = false;

	for (size_t i = 0; i < in->len;) {
		const char *p = in->data + i;

		if (*p == '"')
			quoted = !quoted;
		if (quoted && (*p == '\\' || (unsigned char)*p >= 0x80)) {
			i += tame_char(p, in->len - i, out);
		} else if (quoted || *p == '"') {
			buf_add(out, p, 1);
			i++;
		} else {
			i += tame_plain(p, out);
		}
	}
}

json_t *image_parse(const struct buf *bytes, json_error_t *why)
{
	json_t *o = json_loadb(bytes->data, bytes->len, 0, why);
	auto_buf tamed = {0};

	if (o)
		return o;
	tame(bytes, &tamed);
	return tamed.failed || !tamed.len ? NULL :
					    json_loadb(tamed.data, tamed.len, 0, NULL);
}

/* ---- files ------------------------------------------------------------------------ */

static int check_bytes(const struct buf *bytes, const char *name, const char *digest,
	uint64_t size, struct ovl_err *err)
{
	char hex[ID_LEN + 1];
	int rc;

	if (size != UINT64_MAX && size != bytes->len)
		return err_say(err, EBADMSG, "%s has %zu bytes, not %" PRIu64, Q(name),
			bytes->len, size);
	if (!digest)
		return 0;
	rc = digest_bytes(bytes->data, bytes->len, hex, err);
	if (rc < 0)
		return rc;
	if (strcmp(hex, digest) != 0)
		return err_say(err, EBADMSG, "%s has the digest sha256:%s, not sha256:%s",
			Q(name), hex, digest);
	return 0;
}

/* Limits memory: three bytes of the file may take 200 bytes of it. */
#define MAX_VALUES 100000

static bool is_crowded(const struct buf *bytes)
{
	bool quoted = false;
	size_t n = 0;

	for (size_t i = 0; i < bytes->len; i++) {
		char c = bytes->data[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted)
			n += c == ',' || c == '{' || c == '[';
	}
	return n > MAX_VALUES;
}

int image_json(struct source *s, const char *name, const char *digest, uint64_t size,
	struct buf *bytes, json_t **out, struct ovl_err *err)
{
	json_error_t why;
	int rc = source_read(s, name, bytes, err);

	if (rc == 0)
		return err_say(err, ENOENT, "%s is missing", Q(name));
	if (rc > 0)
		rc = check_bytes(bytes, name, digest, size, err);
	if (rc < 0)
		return rc;
	if (is_crowded(bytes))
		return err_say(
			err, E2BIG, "%s holds more than %d values", Q(name), MAX_VALUES);
	*out = image_parse(bytes, &why);
	if (!*out) {
		char text[QUOTE_SIZE];

		/* jansson's message quotes the file, which may contain control
		 * characters. */
		ovl_escape(text, sizeof(text), why.text, strlen(why.text));
		return err_say(err, EBADMSG, "%s is not JSON: line %d: %s", Q(name),
			why.line, text);
	}
	return 0;
}
