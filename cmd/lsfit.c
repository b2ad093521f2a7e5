/* SPDX-License-Identifier: ISC */
/*
 * Makes a table fit a terminal. libsmartcols would cut off the ends of cells, but it is
 * the end by which names, tags and mount points differ.
 */
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "ls.h"

/* A name keeps this width while another column can be left out instead. */
#define LEAST 12

struct fit {
	struct lister *ls;
	char **cell;
	const unsigned *indent;
	size_t rows;
	int width[TABLE_COLUMNS];
};

/* One character: its bytes, and in *width the columns it takes. A character that the
 * locale does not have is shown as \xNN. */
static size_t one_char(const char *s, size_t n, int *width)
{
	mbstate_t state = {0};
	wchar_t c;
	size_t len = mbrtowc(&c, s, n, &state);

	if (len == 0 || len > n || wcwidth(c) < 0) {
		*width = 4;
		return 1;
	}
	*width = wcwidth(c);
	return len;
}

static int width_of(const char *s, size_t n)
{
	int all = 0;
	int width;

	while (n) {
		size_t len = one_char(s, n, &width);

		all += width;
		s += len;
		n -= len;
	}
	return all;
}

/* Bytes of the beginning of s that fit into width columns. */
static size_t head_of(const char *s, size_t n, int width)
{
	size_t used = 0;
	int w;

	while (used < n) {
		size_t len = one_char(s + used, n - used, &w);

		if (w > width)
			break;
		width -= w;
		used += len;
	}
	return used;
}

/* The offset in s from which on it fits into width columns. */
static size_t tail_of(const char *s, size_t n, int width)
{
	size_t at = 0;
	int all = width_of(s, n);
	int w;

	while (all > width && at < n) {
		at += one_char(s + at, n - at, &w);
		all -= w;
	}
	return at;
}

static const char *dots(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? "\xe2\x80\xa6" : "..";
}

/* Shortens a line to width columns, into out: the middle is removed, and the last
 * component of a path is kept if possible. */
static size_t shorten(char *out, const char *s, size_t n, int width)
{
	const char *slash = memrchr(s, '/', n);
	int mark = width_of(dots(), strlen(dots()));
	int last = slash ? width_of(slash, n - (size_t)(slash - s)) : 0;
	size_t head;
	size_t tail;
	int room = width - mark;

	if (width_of(s, n) <= width || room < 2) {
		memcpy(out, s, n);
		return n;
	}
	tail = tail_of(s, n, last > room / 2 && last < room ? last : room * 2 / 3);
	head = head_of(s, n, room - width_of(s + tail, n - tail));
	memcpy(out, s, head);
	strcpy(out + head, dots());
	memcpy(out + head + strlen(dots()), s + tail, n - tail);
	return head + strlen(dots()) + n - tail;
}

/* The lines of a cell. */
static size_t line_len(const char *s)
{
	return strcspn(s, "\n");
}

char *ls_shorten(const char *s, int width)
{
	char *out = malloc(2 * strlen(s) + 8);
	size_t used = 0;

	for (; out && *s; s += *s ? 1 : 0) {
		size_t n = line_len(s);

		used += shorten(out + used, s, n, width);
		s += n;
		if (*s)
			out[used++] = '\n';
		else
			break;
	}
	if (out)
		out[used] = '\0';
	return out;
}

static int widest_line(const char *s)
{
	int most = 0;

	while (s) {
		size_t n = line_len(s);
		int width = width_of(s, n);

		most = width > most ? width : most;
		s = s[n] ? s + n + 1 : NULL;
	}
	return most;
}

static int indent_of(const struct fit *f, size_t row, int col)
{
	return f->ls->cols[col] == NAME ? (int)f->indent[row] : 0;
}

static void measure(struct fit *f)
{
	struct lister *ls = f->ls;

	for (int i = 0; i < ls->n_cols; i++) {
		const struct table_column *c = &ls_column[ls->cols[i]];
		int heading = (int)strlen(c->name);

		/* A column is at least as wide as its minimum, even if nothing in it
		 * is. */
		f->width[i] = heading > (int)c->width ? heading : (int)c->width;
		for (size_t r = 0; r < f->rows; r++) {
			const char *text = f->cell[r * (size_t)ls->n_cols + (size_t)i];
			int w = indent_of(f, r, i) + widest_line(text);

			f->width[i] = w > f->width[i] ? w : f->width[i];
		}
	}
}

static int total(const struct fit *f)
{
	int all = f->ls->n_cols - 1;

	for (int i = 0; i < f->ls->n_cols; i++)
		all += f->width[i];
	return all;
}

static int column_at(const struct lister *ls, int c)
{
	for (int i = 0; i < ls->n_cols; i++) {
		if (ls->cols[i] == c)
			return i;
	}
	return -1;
}

static void leave_out(struct fit *f, int c)
{
	struct lister *ls = f->ls;
	int at = column_at(ls, c);
	size_t n = 0;

	if (at < 0)
		return;
	for (size_t i = 0; i < f->rows * (size_t)ls->n_cols; i++) {
		if ((int)(i % (size_t)ls->n_cols) == at)
			free(f->cell[i]);
		else
			f->cell[n++] = f->cell[i];
	}
	memset(f->cell + n, 0, f->rows * sizeof(*f->cell));
	ls->n_cols--;
	for (int i = at; i < ls->n_cols; i++) {
		ls->cols[i] = ls->cols[i + 1];
		f->width[i] = f->width[i + 1];
	}
}

static bool can_shrink(int c)
{
	return c == NAME || c == MOUNTPOINT || c == PATH;
}

/* Shortens the widest columns of free text until the row fits. */
static void shrink(struct fit *f, int most, int least)
{
	int over = total(f) - most;

	while (over > 0) {
		int widest = -1;

		for (int i = 0; i < f->ls->n_cols; i++) {
			if (can_shrink(f->ls->cols[i]) && f->width[i] > least &&
				(widest < 0 || f->width[i] > f->width[widest]))
				widest = i;
		}
		if (widest < 0)
			return;
		f->width[widest]--;
		over--;
	}
}

static int shorten_cells(struct fit *f)
{
	for (size_t i = 0; i < f->rows * (size_t)f->ls->n_cols; i++) {
		int col = (int)(i % (size_t)f->ls->n_cols);
		int room = f->width[col] - indent_of(f, i / (size_t)f->ls->n_cols, col);
		char *text;

		if (!f->cell[i] || !can_shrink(f->ls->cols[col]))
			continue;
		text = ls_shorten(f->cell[i], room);
		if (!text)
			return ls_fail(f->ls);
		free(f->cell[i]);
		f->cell[i] = text;
	}
	return 0;
}

/* Shortens ids of columns named with -o to the number of digits in the default table. */
static void shorten_ids(struct fit *f)
{
	for (size_t i = 0; i < f->rows * (size_t)f->ls->n_cols; i++) {
		char *text = f->cell[i];

		if (text && strncmp(text, "sha256:", 7) == 0)
			text += 7;
		if (text && strspn(text, "0123456789abcdef") == 64 && !text[64])
			text[12] = '\0';
	}
	measure(f);
}

int ls_fit(struct lister *ls, char **cell, const unsigned *indent)
{
	static const int may_go[] = {PARENT, DEPTH, CREATED, KIND};
	struct fit f = {.ls = ls, .cell = cell, .indent = indent, .rows = ls->rows};
	int most = terminal_width(STDOUT_FILENO);

	measure(&f);
	if (total(&f) > most)
		shorten_ids(&f);
	for (size_t i = 0; i < sizeof(may_go) / sizeof(may_go[0]); i++) {
		/* These two are shown by --tree as well, so names are more important. */
		if (i >= 2)
			shrink(&f, most, LEAST);
		if (ls->by_default && !(ls->asked & 1u << may_go[i]) && total(&f) > most)
			leave_out(&f, may_go[i]);
	}
	shrink(&f, most, 4);
	return shorten_cells(&f);
}
