/*
 * Writes entries of a tar to standard output, in any of the ways in which programs do:
 * the form of numbers, padding, checksums and the order of records are random.
 */
#ifndef ODDTAR_H
#define ODDTAR_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK    512
#define MAX_RUNS 64

enum style { V7, USTAR, PAX, GNU, OLDGNU, STAR, STYLES };
enum sparse { WHOLE, OLD, PAX00, PAX01, PAX10, SUN };

struct text {
	char *p;
	size_t n;
};

struct run {
	uint64_t at, n;
};

struct entry {
	char type;
	enum style style;
	struct text name, link;
	uint64_t size; /* of its data in the tar */
	enum sparse sparse;
	struct run run[MAX_RUNS];
	unsigned n_runs;
	uint64_t real;
	struct text pax;
};

static uint64_t state;
static uint64_t written;
static uint64_t data_left;
static int dialect; /* STYLES: a random one for each entry */

/* ---- chance ----------------------------------------------------------------------- */

static uint64_t rnd(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
	return rnd() % n;
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

/* ---- text and bytes --------------------------------------------------------------- */

static void add(struct text *t, const void *p, size_t n)
{
	t->p = realloc(t->p, t->n + n + 1);
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

static char *say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *say(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

/* Frees s. */
static void add_say(struct text *t, char *s)
{
	add(t, s, strlen(s));
	free(s);
}

static struct text text(const char *s)
{
	struct text t = {NULL, 0};

	add(&t, s, strlen(s));
	return t;
}

static void out(const void *p, size_t n)
{
	written += n;
	if (n && fwrite(p, 1, n, stdout) != n)
		exit(1);
}

static void out_random(uint64_t n)
{
	while (n) {
		uint64_t v = rnd();
		size_t now = n < sizeof(v) ? (size_t)n : sizeof(v);

		out(&v, now);
		n -= now;
	}
}

/* File data: noise, text, or zeros that are not a hole. */
static void out_data(uint64_t n)
{
	char chunk[4096] = {0};
	unsigned kind = (unsigned)below(6);

	for (size_t i = 0; kind && i < sizeof(chunk); i += 8) {
		uint64_t v = kind < 3 ? 0x0a74786574206120 + (i << 3) : rnd();

		memcpy(chunk + i, &v, 8);
	}
	for (uint64_t left = n; left;) {
		size_t now = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);

		out(chunk, now);
		left -= now;
	}
}

static void out_zeros(uint64_t n)
{
	while (n--)
		out("", 1);
}

/* Fills the block, usually with zeros. */
static void pad(void)
{
	uint64_t n = (BLOCK - written % BLOCK) % BLOCK;

	if (one_in(5))
		out_random(n);
	else
		out_zeros(n);
}

/* ---- headers ---------------------------------------------------------------------- */

static void put_base256(unsigned char *at, size_t len, int64_t v)
{
	for (size_t i = len; i-- > 0; v >>= 8)
		at[i] = (unsigned char)v;
	at[0] |= 0x80;
}

/* Writes a number in one of the forms in use. */
static void number(unsigned char *at, size_t len, int64_t v, bool plain)
{
	unsigned way = plain ? 0 : (unsigned)below(5);
	char s[32];

	if (v < 0 || v >= INT64_C(1) << 3 * (len - 1) || (way == 4 && !plain)) {
		put_base256(at, len, v);
		return;
	}
	if (way == 1 && v < INT64_C(1) << 3 * (len - 2))
		snprintf(s, sizeof(s), "%*" PRIo64 " ", (int)len - 1, (uint64_t)v);
	else if (way == 2 && v < INT64_C(1) << 3 * (len - 2))
		snprintf(s, sizeof(s), "%0*" PRIo64 " ", (int)len - 2, (uint64_t)v);
	else if (way == 3)
		snprintf(s, sizeof(s), "%0*" PRIo64, (int)len, (uint64_t)v);
	else
		snprintf(s, sizeof(s), "%0*" PRIo64, (int)len - 1, (uint64_t)v);
	memcpy(at, s, strlen(s) < len ? strlen(s) : len);
}

static void checksum(unsigned char h[BLOCK])
{
	unsigned way = (unsigned)below(3);
	long sum = 0;
	char s[16];

	memset(h + 148, ' ', 8);
	/* Some old writers summed signed bytes. */
	for (int i = 0; i < BLOCK; i++)
		sum += dialect == V7 && way == 2 ? (signed char)h[i] : h[i];
	if (sum < 0) {
		for (int i = sum = 0; i < BLOCK; i++)
			sum += h[i];
	}
	snprintf(s, sizeof(s), way == 1 ? "%07lo" : "%06lo", (unsigned long)sum);
	memcpy(h + 148, s, strlen(s) + (way == 0));
}

static void base_header(unsigned char h[BLOCK], enum style style, char type,
	const struct text *name, const struct text *link, int64_t size, bool plain)
{
	memset(h, 0, BLOCK);
	memcpy(h, name->p, name->n < 100 ? name->n : 100);
	number(h + 100, 8, (int64_t)below(010000), plain);
	number(h + 108, 8, (int64_t)below(60000), plain);
	number(h + 116, 8, (int64_t)below(60000), plain);
	number(h + 124, 12, size, plain);
	number(h + 136, 12,
		(int64_t)below(1ull << 32) - (!plain && one_in(9) ? 3000000000 : 0),
		plain);
	h[156] = (unsigned char)type;
	if (link->n)
		memcpy(h + 157, link->p, link->n < 100 ? link->n : 100);
	if (style == USTAR || style == PAX || style == STAR)
		memcpy(h + 257, "ustar\00000", 8);
	else if (style != V7)
		memcpy(h + 257, "ustar  ", 8);
	if (style != V7 && one_in(2)) {
		memcpy(h + 265, "someone", 7);
		memcpy(h + 297, "group", 5);
	}
	if (type == '3' || type == '4') {
		number(h + 329, 8, 1 + (int64_t)below(200), style == V7);
		number(h + 337, 8, (int64_t)below(250), style == V7);
	}
	if (style == GNU || style == OLDGNU) {
		number(h + 345, 12, (int64_t)below(1u << 31), true);
		number(h + 357, 12, (int64_t)below(1u << 31), true);
	}
	if (style == STAR) {
		number(h + 476, 12, (int64_t)below(1u << 31), true);
		number(h + 488, 12, (int64_t)below(1u << 31), true);
		memcpy(h + 508, "tar", 4);
	}
}

static void extension(
	enum style style, char type, const char *name, const struct text *body)
{
	const struct text called = text(name);
	const struct text none = {NULL, 0};
	unsigned char h[BLOCK];

	base_header(h, style, type, &called, &none, (int64_t)body->n, true);
	checksum(h);
	out(h, BLOCK);
	out(body->p, body->n);
	pad();
}

static void pax_bytes(struct text *pax, const char *key, const char *value, size_t len)
{
	size_t n = strlen(key) + len + 3;
	size_t all = n + 1;
	char digits[32];

	while (n + (size_t)snprintf(digits, sizeof(digits), "%zu", all) != all)
		all = n + strlen(digits);
	add(pax, digits, strlen(digits));
	add(pax, " ", 1);
	add(pax, key, strlen(key));
	add(pax, "=", 1);
	add(pax, value, len);
	add(pax, "\n", 1);
}

static void pax(struct text *to, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void pax(struct text *to, const char *key, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	pax_bytes(to, key, s, (size_t)n);
	free(s);
}

/* Adds records that do not matter. */
static void pax_more(struct text *to, bool file)
{
	static const char *const keys[] = {"comment", "uname", "gname", "SCHILY.dev",
		"SCHILY.ino", "SCHILY.nlink", "RHT.security.selinux", "VENDOR.some thing",
		"LIBARCHIVE.creationtime", "atime", "ctime"};
	size_t big = one_in(160) ? below(300000) : 0;
	struct text blank = {NULL, 0};

	for (unsigned n = (unsigned)below(4); n; n--)
		pax(to, keys[below(sizeof(keys) / sizeof(keys[0]))], "%" PRIu64,
			below(1u << 31));
	if (one_in(3))
		pax(to, "mtime", "%s%" PRIu64 ".%09" PRIu64, one_in(8) ? "-" : "",
			below(1ull << 32), below(1000000000));
	if (file && one_in(6))
		pax(to, "SCHILY.xattr.user.x", "%" PRIu64 "\n%c", rnd(), 0);
	if (big) {
		add(&blank, "", 0);
		blank.p = realloc(blank.p, big);
		memset(blank.p, 'c', big);
		pax_bytes(to, "comment", blank.p, big);
	}
}

/* ---- one entry -------------------------------------------------------------------- */

/* Where a name splits into a prefix of at most max bytes and the rest; 0: it does not. */
static size_t split(const struct text *name, size_t max)
{
	for (size_t i = name->n > 101 ? name->n - 101 : 1; i + 1 < name->n && i <= max;
		i++) {
		if (name->p[i] == '/')
			return i;
	}
	return 0;
}

/* Writes names that do not fit in the header before it. Returns the length of the
 * prefix. */
static size_t long_names(struct entry *e)
{
	bool pax_style = e->style == PAX ||
		(e->style != GNU && e->style != OLDGNU && one_in(2));
	size_t prefix = 0;

	if (e->name.n > 100 && (e->style == USTAR || e->style == STAR))
		prefix = split(&e->name, e->style == STAR ? 130 : 155);
	if (e->style == PAX && e->sparse != PAX01 && e->sparse != PAX10 && one_in(4))
		pax_bytes(&e->pax, "path", e->name.p, e->name.n);
	else if (e->name.n > 100 && !prefix && pax_style)
		pax_bytes(&e->pax, "path", e->name.p, e->name.n);
	else if (e->name.n > 100 && !prefix)
		extension(e->style, 'L', "././@LongLink",
			&(struct text){e->name.p, e->name.n + below(2)});
	if (e->link.n > 100 && pax_style)
		pax_bytes(&e->pax, "linkpath", e->link.p, e->link.n);
	else if (e->link.n > 100)
		extension(e->style, 'K', "././@LongLink",
			&(struct text){e->link.p, e->link.n + below(2)});
	return prefix;
}

/* Adds the sparse map as pax records; version 1.0 has it before the data, in *map. */
static void pax_map(struct entry *e, struct text *map)
{
	struct text line = {NULL, 0};

	add(map, "", 0);
	if (e->sparse == PAX00) {
		pax(&e->pax, "GNU.sparse.size", "%" PRIu64, e->real);
		pax(&e->pax, "GNU.sparse.numblocks", "%u", e->n_runs);
	} else if (e->sparse == PAX10) {
		pax(&e->pax, "GNU.sparse.major", "1");
		pax(&e->pax, "GNU.sparse.minor", "0");
		pax(&e->pax, "GNU.sparse.realsize", "%" PRIu64, e->real);
		add_say(map, say("%u\n", e->n_runs));
	}
	for (unsigned i = 0; i < e->n_runs; i++) {
		const struct run *r = &e->run[i];

		if (e->sparse == PAX00) {
			pax(&e->pax, "GNU.sparse.offset", "%" PRIu64, r->at);
			pax(&e->pax, "GNU.sparse.numbytes", "%" PRIu64, r->n);
		} else if (e->sparse == PAX10) {
			add_say(map, say("%" PRIu64 "\n%" PRIu64 "\n", r->at, r->n));
		} else if (e->sparse == PAX01) {
			add_say(&line,
				say("%s%" PRIu64 ",%" PRIu64, i ? "," : "", r->at, r->n));
		} else {
			add_say(&line, say(" %" PRIu64 " %" PRIu64, r->at, r->at + r->n));
		}
	}
	if (e->sparse == PAX01) {
		pax(&e->pax, "GNU.sparse.size", "%" PRIu64, e->real);
		pax(&e->pax, "GNU.sparse.numblocks", "%u", e->n_runs);
		pax(&e->pax, "GNU.sparse.map", "%s", line.p);
	}
	if (e->sparse == SUN) {
		add_say(&line, say(" %" PRIu64, e->size));
		pax(&e->pax, "SUN.holesdata", "%s", line.p);
	}
	if (e->sparse == PAX01 || e->sparse == PAX10)
		pax_bytes(&e->pax, "GNU.sparse.name", e->name.p, e->name.n);
	while (e->sparse == PAX10 && map->n % BLOCK)
		add(map, "", 1);
}

static void old_map(const struct entry *e, unsigned char h[BLOCK])
{
	number(h + 483, 12, (int64_t)e->real, false);
	h[482] = e->n_runs > 4;
	for (unsigned i = 0; i < e->n_runs && i < 4; i++) {
		number(h + 386 + 24 * i, 12, (int64_t)e->run[i].at, false);
		number(h + 398 + 24 * i, 12, (int64_t)e->run[i].n, false);
	}
}

static void old_map_more(const struct entry *e)
{
	for (unsigned at = 4; at < e->n_runs; at += 21) {
		unsigned char h[BLOCK] = {0};

		h[504] = e->n_runs > at + 21;
		for (unsigned i = 0; i < 21 && at + i < e->n_runs; i++) {
			number(h + 24 * i, 12, (int64_t)e->run[at + i].at, false);
			number(h + 12 + 24 * i, 12, (int64_t)e->run[at + i].n, false);
		}
		out(h, BLOCK);
	}
}

static void emit(struct entry *e)
{
	struct text map = {NULL, 0};
	struct text stand_in = text("./GNUSparseFile.1/x");
	bool hidden = e->sparse == PAX01 || e->sparse == PAX10;
	unsigned char h[BLOCK];
	size_t prefix;

	if (e->sparse > OLD)
		pax_map(e, &map);
	prefix = long_names(e);
	if (e->style == PAX)
		pax_more(&e->pax, strchr("07", e->type) != NULL);
	if (e->pax.n)
		extension(e->style, e->sparse == SUN && one_in(2) ? 'X' : 'x',
			"PaxHeaders/x", &e->pax);
	base_header(h, e->style, e->type, hidden ? &stand_in : &e->name, &e->link,
		(int64_t)(e->size + map.n), e->style == V7 || e->type == 'V');
	if (prefix && !hidden) {
		memset(h, 0, 100);
		memcpy(h, e->name.p + prefix + 1, e->name.n - prefix - 1);
		memcpy(h + 345, e->name.p, prefix);
	}
	if (e->sparse == OLD)
		old_map(e, h);
	checksum(h);
	out(h, BLOCK);
	if (e->sparse == OLD)
		old_map_more(e);
	out(map.p, map.n);
	out_data(e->size);
	pad();
	data_left -= e->size < data_left ? e->size : data_left;
}

#endif
