/* SPDX-License-Identifier: ISC */
/* Valid names, and how they are encoded as file names. See names.h. */
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
