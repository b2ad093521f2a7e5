/* SPDX-License-Identifier: ISC */
/* Reads /proc/PID/mountinfo. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/vec.h"
#include "mount/mountinfo.h"

/* A line may be 27 KB, and there may be 100,000 of them. */
#define MOUNTINFO_MAX ((size_t)1 << 30)

void mi_unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' &&
			isdigit((unsigned char)s[2]) && isdigit((unsigned char)s[3])) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				(s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

char *mi_place(const struct mi_line *m, const char *path)
{
	const char *rest = path_below(path, m->where);
	auto_buf b = {0};

	if (!rest)
		return NULL;
	buf_addf(&b, "%s%s", strcmp(m->root, "/") == 0 ? "" : m->root, rest);
	return buf_steal(&b);
}

/* ---- one table -------------------------------------------------------------------- */

/* 36 35 98:0 /root /mount/point options [tag:value ...] - type source super-options */
static bool parse_line(char *text, struct mi_line *out)
{
	char *sep = strstr(text, " - ");
	char *rest = text;
	char *field[6];
	char *source;

	if (!sep)
		return false;
	*sep = '\0';
	for (int i = 0; i < 6; i++) {
		field[i] = strsep(&rest, " ");
		if (!field[i])
			return false;
	}
	rest = sep + 3;
	out->id = atoi(field[0]);
	out->parent = atoi(field[1]);
	out->dev = field[2];
	out->type = strsep(&rest, " ");
	source = strsep(&rest, " ");
	if (!source)
		return false;
	out->options = rest ? rest : "";
	mi_unescape(field[3]);
	mi_unescape(field[4]);
	mi_unescape(source);
	out->root = field[3];
	out->where = field[4];
	out->source = source;
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct mi_line *x = *(struct mi_line *const *)a;
	const struct mi_line *y = *(struct mi_line *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

const struct mi_line *mi_by_id(const struct mi_table *t, int id)
{
	struct mi_line key = {.id = id};
	struct mi_line *want = &key;
	struct mi_line **found = VEC_FIND(t->by_id, t->n, &want, by_id);

	return found ? *found : NULL;
}

const struct mi_line *mi_of_file(const struct mi_table *own, int fd)
{
	struct statx sx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) == 0 ?
		mi_by_id(own, (int)sx.stx_mnt_id) :
		NULL;
}

int mi_parse(struct mi_table *t)
{
	char *rest = t->text.data;
	size_t lines = 1;
	char *line;

	for (const char *p = rest; p && (p = strchr(p, '\n')); p++)
		lines++;
	t->line = calloc(lines, sizeof(*t->line));
	t->by_id = calloc(lines, sizeof(struct mi_line *));
	if (!t->line || !t->by_id)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n"))) {
		if (parse_line(line, &t->line[t->n]))
			t->n++;
	}
	for (size_t i = 0; i < t->n; i++)
		t->by_id[i] = &t->line[i];
	VEC_SORT(t->by_id, t->n, by_id);
	return 0;
}

static void table_release(struct mi_table *t)
{
	free(t->line);
	free(t->by_id);
	buf_release(&t->text);
	close_fdp(&t->root);
}

/* ---- overlay's options ------------------------------------------------------------ */

/* Splits off the first of the names, which ':' separates and where "\:" is a colon in a
 * name; returns the rest, or NULL. */
static char *cut_first(char *names)
{
	char *out = names;

	for (; *names && *names != ':'; names++) {
		if (*names == '\\' && names[1])
			names++;
		*out++ = *names;
	}
	names = *names ? names + 1 : NULL;
	*out = '\0';
	return names;
}

static void shorten(char *path)
{
	bool absolute = *path == '/';
	char *out = path + absolute;
	char *rest = path;
	char *part;

	while ((part = strsep(&rest, "/"))) {
		size_t n = strlen(part);

		if (!n || strcmp(part, ".") == 0)
			continue;
		if (out > path + absolute)
			*out++ = '/';
		memmove(out, part, n);
		out += n;
	}
	*out = '\0';
	if (absolute)
		*path = '/';
}

int mi_each_dir(const struct mi_line *line,
	int (*fn)(void *ctx, enum mi_role role, const char *name), void *ctx)
{
	static const char *const options[] = {
		"upperdir", "lowerdir+", "datadir+", "lowerdir"};
	auto_free char *copy = strdup(line->options);
	char *rest = copy;
	char *option;
	int rc = 0;

	while (rc == 0 && (option = strsep(&rest, ","))) {
		char *value = strchr(option, '=');
		size_t i = 0;

		if (!value)
			continue;
		*value++ = '\0';
		while (i < 4 && strcmp(option, options[i]) != 0)
			i++;
		if (i < 4)
			mi_unescape(value);
		while (i < 4 && value && rc == 0) {
			char *name = value;

			value = i == 3 ? cut_first(name) : NULL;
			if (!*name)
				continue;
			shorten(name);
			rc = fn(ctx, i ? MI_LOWER : MI_UPPER, name);
		}
	}
	return rc;
}

/* ---- all of them ------------------------------------------------------------------ */

void mi_release(struct mi_all *a)
{
	for (size_t i = 0; i < a->n; i++)
		table_release(&a->table[i]);
	free(a->table);
	memset(a, 0, sizeof(*a));
}

void mi_keep_own(struct mi_all *a)
{
	while (a->n > 1)
		table_release(&a->table[--a->n]);
}

int mi_load(struct mi_all *a, int dirfd, const char *file)
{
	struct mi_table *t;
	int rc;

	if (!VEC_ROOM(a->table, a->n))
		return -ENOMEM;
	t = &a->table[a->n];
	memset(t, 0, sizeof(*t));
	t->root = -1;
	rc = fs_read_file(dirfd, file, MOUNTINFO_MAX, &t->text) < 0 ? -errno :
								      mi_parse(t);
	if (rc < 0)
		table_release(t);
	else
		a->n++;
	return rc;
}

int mi_self(struct mi_all *out)
{
	memset(out, 0, sizeof(*out));
	return mi_load(out, AT_FDCWD, "/proc/self/mountinfo");
}
