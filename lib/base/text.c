/* SPDX-License-Identifier: ISC */
/* Texts and lists of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const char *text_after(const char *text, const char *begin)
{
	size_t n = strlen(begin);

	return strncmp(text, begin, n) == 0 ? text + n : NULL;
}

bool text_ends(const char *text, const char *end)
{
	size_t n = strlen(text);
	size_t m = strlen(end);

	return n > m && strcmp(text + n - m, end) == 0;
}

bool text_number(const char *text, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned digit = (unsigned char)text[i] - '0';

		if (digit > 9 || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

int texts_add(char ***list, const char *text)
{
	size_t n = 0;
	char **more;

	while (*list && (*list)[n])
		n++;
	more = realloc(*list, (n + 2) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	*list = more;
	more[n] = strdup(text);
	more[n + 1] = NULL;
	return more[n] ? 0 : -ENOMEM;
}

void texts_free(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}
