/* SPDX-License-Identifier: ISC */
/* Valid names, and how they are encoded as file names. See names.h. */
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/quote.h"
#include "store/names.h"

static const char inner[] = "._/:@+-";
static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz0123456789._/:@+-";

bool ovl_name_valid(const char *name)
{
	char file[256];

	return *name && strchr(inner, *name) == NULL &&
		name[strspn(name, allowed)] == '\0' && !id_digest_hex(name) &&
		!id_is_short(name) && name_encode(name, file);
}

void name_from(const char *text, size_t n, struct buf *out)
{
	size_t len;

	for (size_t i = 0; i < n; i += len) {
		bool ok = text[i] && strchr(allowed, text[i]);
		size_t c = quote_utf8(text + i, n - i);

		len = c ? c : 1;
		if (out->len || (ok && !strchr(inner, text[i])))
			buf_add(out, ok ? text + i : "-", 1);
	}
}

bool name_encode(const char *name, char out[256])
{
	size_t o = 0;

	if (strlen(name) > NAME_LEN_MAX)
		return false;
	for (; *name; name++) {
		size_t n = *name == '/' ? 3 : 1;

		if (o + n > 255)
			return false;
		memcpy(out + o, *name == '/' ? "%2F" : name, n);
		o += n;
	}
	out[o] = '\0';
	return true;
}

bool name_form(const char *what, unsigned i, char out[NAME_FORM_SIZE])
{
	static const char *const left[] = {"index.docker.io/", "docker.io/", "library/"};
	static const char *const hosts[] = {"", "localhost/", "docker.io/library/",
		"docker.io/", "index.docker.io/library/", "index.docker.io/"};
	static const char latest[] = ":latest";
	const char *rest = what;
	const char *tag;
	int n;

	if (i >= 2 * sizeof(hosts) / sizeof(*hosts))
		return false;
	for (size_t k = 0; k < sizeof(left) / sizeof(*left); k++) {
		if (strncmp(rest, left[k], strlen(left[k])) == 0)
			rest += strlen(left[k]);
	}
	tag = strrchr(rest, '/');
	tag = strpbrk(tag ? tag : rest, ":@");
	n = tag && i % 2 && strcmp(tag, latest) == 0 ? (int)(tag - rest) :
						       (int)strlen(rest);
	/* A name with a host is not tried below localhost/. */
	snprintf(out, NAME_FORM_SIZE, "%s%.*s%s",
		rest != what && i / 2 == 1 ? "" : hosts[i / 2], n, rest,
		!tag && i % 2 ? latest : "");
	return true;
}

int name_check(const char *name, char file[256], struct ovl_err *err)
{
	if (!ovl_name_valid(name))
		return err_status(err, OVL_USAGE,
			"%s is not a valid name for a layer; see ovlctl(8)", Q(name));
	if (file)
		name_encode(name, file);
	return 0;
}

bool name_decode(const char *file, char out[NAME_LEN_MAX + 1])
{
	size_t o = 0;

	while (*file) {
		if (o == NAME_LEN_MAX)
			return false;
		if (strncmp(file, "%2F", 3) == 0) {
			out[o++] = '/';
			file += 3;
		} else {
			out[o++] = *file++;
		}
	}
	out[o] = '\0';
	return ovl_name_valid(out);
}
