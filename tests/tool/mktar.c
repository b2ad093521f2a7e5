/*
 * Writes a tar, which may be malformed. Each line of standard input is a member:
 *
 *	TYPE [KEY=VALUE]...
 *
 * TYPE: file dir symlink link chr blk fifo, or type=C for any type flag; "end" writes the
 * end of the archive, "zeros N" N zero blocks, "raw VALUE" just these bytes. KEY: name
 * mode uid gid mtime size link major minor data fill (that many bytes of a pattern) magic
 * (ustar gnu v7) prefix sum (bad) pax.K (a record of an extended header) paxraw (its
 * whole body) gnuname gnulink (long names as GNU tar writes them) nodata (leave the data
 * out) at.N (bytes at offset N of the header). "mktar -b FILE" writes the offset of the
 * end of each entry to FILE; "N+" means any offset from N on. Values may contain \n \t \\
 * \s (a blank) \xHH \0.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512

struct text {
	char *p;
	size_t n;
};

struct member {
	char type;
	struct text name, link, prefix, data, paxraw;
	struct text pax;
	bool has_paxraw, has_size, bad_sum, nodata, gnuname, gnulink;
	const char *magic;
	int64_t mode, uid, gid, mtime, size, major, minor;
	struct {
		size_t offset;
		struct text bytes;
	} at[8];
	unsigned n_at;
};

static size_t written;
static FILE *ends;

static void die(const char *why, const char *what)
{
	fprintf(stderr, "mktar: %s: %s\n", why, what);
	exit(1);
}

static void out(const void *p, size_t n)
{
	if (n && fwrite(p, 1, n, stdout) != n)
		die("write", "failed");
	written += n;
}

static void end_here(void)
{
	if (ends)
		fprintf(ends, "%zu\n", written);
}

static void pad(size_t n)
{
	static const char zero[BLOCK];

	out(zero, (BLOCK - n % BLOCK) % BLOCK);
}

static void append(struct text *t, const void *p, size_t n)
{
	t->p = realloc(t->p, t->n + n + 1);
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

static struct text unescape(const char *s)
{
	struct text t = {calloc(1, strlen(s) + 1), 0};

	for (; *s; s++) {
		char c = *s;

		if (c == '\\' && s[1]) {
			c = *++s;
			if (c == 'n')
				c = '\n';
			else if (c == 't')
				c = '\t';
			else if (c == 's')
				c = ' ';
			else if (c == '0')
				c = '\0';
			else if (c == 'x') {
				char hex[3] = {s[1], s[2], 0};

				c = (char)strtoul(hex, NULL, 16);
				s += 2;
			}
		}
		t.p[t.n++] = c;
	}
	return t;
}

/* Octal if it fits, otherwise base 256, as GNU tar writes it. */
static void number(char *at, size_t len, int64_t v)
{
	if (v >= 0 && (len > 20 || v < (INT64_C(1) << (3 * (len - 1))))) {
		char octal[32];

		snprintf(octal, sizeof(octal), "%0*" PRIo64, (int)len - 1, (uint64_t)v);
		memcpy(at, octal, len - 1);
		return;
	}
	for (size_t i = len; i-- > 0;) {
		at[i] = (char)(v & 0xff);
		v >>= 8;
	}
	at[0] = (char)(at[0] | 0x80);
}

static void header(
	const struct member *m, char type, const char *name, size_t n, int64_t size)
{
	char h[BLOCK] = {0};
	unsigned sum = 0;

	memcpy(h, name, n > 100 ? 100 : n);
	number(h + 100, 8, m->mode);
	number(h + 108, 8, m->uid);
	number(h + 116, 8, m->gid);
	number(h + 124, 12, size);
	number(h + 136, 12, m->mtime);
	memset(h + 148, ' ', 8);
	h[156] = type;
	memcpy(h + 157, m->link.p ? m->link.p : "", m->link.n > 100 ? 100 : m->link.n);
	if (strcmp(m->magic, "ustar") == 0)
		memcpy(h + 257, "ustar\00000", 8);
	else if (strcmp(m->magic, "gnu") == 0)
		memcpy(h + 257, "ustar  ", 8);
	if (type == '3' || type == '4') {
		number(h + 329, 8, m->major);
		number(h + 337, 8, m->minor);
	}
	if (m->prefix.n)
		memcpy(h + 345, m->prefix.p, m->prefix.n > 155 ? 155 : m->prefix.n);
	for (unsigned i = 0; i < m->n_at; i++)
		memcpy(h + m->at[i].offset, m->at[i].bytes.p, m->at[i].bytes.n);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", m->bad_sum ? sum + 1 : sum);
	h[155] = ' ';
	out(h, BLOCK);
}

static void extension(
	const struct member *m, char type, const char *name, const struct text *body)
{
	struct member plain = {.magic = m->magic, .mode = 0644};

	header(&plain, type, name, strlen(name), (int64_t)body->n);
	out(body->p, body->n);
	pad(body->n);
}

static void add_pax(struct text *pax, const char *key, const struct text *value)
{
	size_t n = strlen(key) + value->n + 3;
	size_t len = n + 1;
	char digits[32];

	while (n + (size_t)snprintf(digits, sizeof(digits), "%zu", len) != len)
		len = n + strlen(digits);
	append(pax, digits, strlen(digits));
	append(pax, " ", 1);
	append(pax, key, strlen(key));
	append(pax, "=", 1);
	append(pax, value->p, value->n);
	append(pax, "\n", 1);
}

static void write_member(const struct member *m)
{
	int64_t size = m->has_size ? m->size : (int64_t)m->data.n;

	if (m->has_paxraw)
		extension(m, m->type == 'g' ? 'g' : 'x', "pax", &m->paxraw);
	else if (m->pax.n)
		extension(m, m->type == 'g' ? 'g' : 'x', "pax", &m->pax);
	if (m->type == 'g')
		end_here();
	if (m->type == 'g' || m->type == 'x')
		return;
	if (m->gnuname)
		extension(m, 'L', "././@LongLink", &m->name);
	if (m->gnulink)
		extension(m, 'K', "././@LongLink", &m->link);
	header(m, m->type, m->name.p ? m->name.p : "", m->name.n, size);
	if (!m->nodata) {
		out(m->data.p, m->data.n);
		pad(m->data.n);
	}
	end_here();
}

static char type_of(const char *word)
{
	static const struct {
		const char *word;
		char type;
	} types[] = {{"file", '0'}, {"link", '1'}, {"symlink", '2'}, {"chr", '3'},
		{"blk", '4'}, {"dir", '5'}, {"fifo", '6'}, {"global", 'g'}, {"pax", 'x'}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(word, types[i].word) == 0)
			return types[i].type;
	}
	if (strncmp(word, "type=", 5) == 0)
		return word[5] == '0' && !word[6] ? '0' : unescape(word + 5).p[0];
	die("unknown type", word);
	return 0;
}

static void fill(struct text *t, size_t n)
{
	t->p = malloc(n + 1);
	t->n = n;
	for (size_t i = 0; i < n; i++)
		t->p[i] = (char)('a' + i % 23);
}

static void set(struct member *m, const char *key, const char *text)
{
	struct text v = unescape(text);
	struct {
		const char *key;
		int64_t *to;
	} numbers[] = {{"uid", &m->uid}, {"gid", &m->gid}, {"mtime", &m->mtime},
		{"major", &m->major}, {"minor", &m->minor}, {"size", &m->size}};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(key, numbers[i].key) == 0) {
			*numbers[i].to = strtoll(text, NULL, 10);
			m->has_size |= strcmp(key, "size") == 0;
			return;
		}
	}
	if (strcmp(key, "mode") == 0)
		m->mode = strtoll(text, NULL, 8);
	else if (strcmp(key, "name") == 0)
		m->name = v;
	else if (strcmp(key, "link") == 0)
		m->link = v;
	else if (strcmp(key, "prefix") == 0)
		m->prefix = v;
	else if (strcmp(key, "data") == 0)
		m->data = v;
	else if (strcmp(key, "fill") == 0)
		fill(&m->data, (size_t)strtoull(text, NULL, 10));
	else if (strcmp(key, "magic") == 0)
		m->magic = strdup(text);
	else if (strcmp(key, "sum") == 0)
		m->bad_sum = true;
	else if (strcmp(key, "nodata") == 0)
		m->nodata = true;
	else if (strcmp(key, "gnuname") == 0)
		m->gnuname = true;
	else if (strcmp(key, "gnulink") == 0)
		m->gnulink = true;
	else if (strncmp(key, "at.", 3) == 0 && m->n_at < 8) {
		m->at[m->n_at].offset = strtoul(key + 3, NULL, 10);
		m->at[m->n_at++].bytes = v;
	} else if (strcmp(key, "paxraw") == 0) {
		m->paxraw = v;
		m->has_paxraw = true;
	} else if (strncmp(key, "pax.", 4) == 0) {
		struct text k = unescape(key + 4);

		add_pax(&m->pax, k.p, &v);
	} else {
		die("unknown key", key);
	}
}

static void line(char *text)
{
	static const char zero[BLOCK];
	struct member m = {.magic = "ustar", .mtime = 1700000000};
	char *word = strtok(text, " \t\n");
	long n = 2;

	if (!word || *word == '#' || strcmp(word, "noend") == 0)
		return;
	if (strcmp(word, "raw") == 0) {
		struct text v = unescape(strtok(NULL, " \t\n"));

		out(v.p, v.n);
		return;
	}
	if (strcmp(word, "end") == 0 || strcmp(word, "zeros") == 0) {
		if (*word == 'z')
			n = atol(strtok(NULL, " \t\n"));
		if (ends)
			fprintf(ends, "%zu+\n", written + BLOCK);
		while (n--)
			out(zero, BLOCK);
		return;
	}
	m.type = type_of(word);
	m.mode = m.type == '5' ? 0755 : m.type == '2' ? 0777 : 0644;
	while ((word = strtok(NULL, " \t\n"))) {
		char *eq = strchr(word, '=');

		if (!eq)
			die("no value", word);
		*eq = '\0';
		set(&m, word, eq + 1);
	}
	write_member(&m);
}

int main(int argc, char **argv)
{
	char *text = NULL;
	size_t size = 0;

	if (argc == 3 && strcmp(argv[1], "-b") == 0)
		ends = fopen(argv[2], "w");
	while (getline(&text, &size, stdin) > 0)
		line(text);
	if (fflush(stdout) != 0)
		die("write", "failed");
	return 0;
}
