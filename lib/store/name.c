/* SPDX-License-Identifier: ISC */
/* Valid names, and how they are encoded as file names. See names.h. */
#include <string.h>

#include "base/id.h"
#include "store/names.h"

bool ovl_name_valid(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789._/:@+-";
	char file[256];

	return *name && strchr("._/:@+-", *name) == NULL &&
		name[strspn(name, allowed)] == '\0' && !id_digest_hex(name) &&
		!id_is_short(name) && name_encode(name, file);
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
