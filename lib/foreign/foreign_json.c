/* SPDX-License-Identifier: ISC */
/* JSON records of another program's store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/quote.h"
#include "foreign/foreign_json.h"

/* Three bytes of the file may take 200 bytes of memory. */
#define VALUES_MAX 2000000

static bool has_too_many(const struct buf *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == ',' || text->data[i] == '[' || text->data[i] == '{';
	return n > VALUES_MAX;
}

int foreign_json(const struct foreign *t, const char *path, json_t **out, struct stat *st,
	struct ovl_err *err)
{
	auto_buf text = {0};
	int r = foreign_file(t, path, FOREIGN_JSON_MAX, &text, st, err);
	json_t *o;

	if (r <= 0)
		return r;
	if (has_too_many(&text))
		return err_sys(err, EFBIG, "cannot read %s", Q(path));
	o = json_loadb(text.data, text.len, 0, NULL);
	if (!o)
		return err_say(err, EUCLEAN, "%s is damaged", Q(path));
	*out = o;
	return 1;
}

json_t *foreign_json_try(struct foreign *t, const char *path)
{
	struct ovl_err why;
	json_t *o = NULL;

	if (foreign_json(t, path, &o, NULL, &why) < 0)
		foreign_unread(t, &why);
	return o;
}

const char *foreign_json_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* 2023-11-02T10:15:30.123456789Z, or with +01:00 instead of Z. */
struct timespec foreign_json_time(const json_t *o, const char *key)
{
	const char *s = foreign_json_text(o, key);
	struct timespec out = {0};
	struct tm tm = {0};
	int hours = 0;
	int minutes = 0;
	long ns = 100000000;

	s = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!s)
		return out;
	if (*s == '.') {
		for (s++; *s >= '0' && *s <= '9'; s++, ns /= 10)
			out.tv_nsec += (*s - '0') * ns;
	}
	out.tv_sec = timegm(&tm);
	if ((*s == '+' || *s == '-') && sscanf(s + 1, "%2d:%2d", &hours, &minutes) == 2)
		out.tv_sec -= (*s == '-' ? -60 : 60) * (60 * hours + minutes);
	return out.tv_sec > 0 ? out : (struct timespec){0};
}
