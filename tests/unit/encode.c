#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "codec/decode.h"
#include "codec/encode.h"
#include "unit.h"

static const char *const names[] = {"none", "gzip", "zstd", "xz", "bzip2", "lz4"};

#define N   (sizeof(names) / sizeof(names[0]))
#define BIG (3 * 1000 * 1000)

struct sink {
	unsigned char *p;
	size_t n;
	size_t most; /* bytes before it fails */
	int calls_after; /* calls after the failure */
	bool failed;
};

static int take(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct sink *s = ctx;

	s->calls_after += s->failed;
	if (s->n + n > s->most) {
		s->failed = true;
		return err_say(err, ENOSPC, "the sink is full");
	}
	s->p = realloc(s->p, s->n + n + 1);
	memcpy(s->p + s->n, p, n);
	s->n += n;
	return 0;
}

/* Data of which a tenth is noise. */
static unsigned char *some(size_t n)
{
	unsigned char *p = malloc(n + 1);
	unsigned v = 1;

	for (size_t i = 0; i < n; i++) {
		v = v * 1103515245 + 12345;
		p[i] = (unsigned char)(i / 5000 % 10 == 3 ? v >> 16 : i / 7);
	}
	return p;
}

/* The length of several blocks of a format; fewer of bzip2, which is slow. */
static size_t some_of(const char *name)
{
	return strcmp(name, "bzip2") == 0 ? BIG / 3 : BIG;
}

/* Encodes in pieces of all sizes up to step. */
static struct sink encode(const char *name, const unsigned char *p, size_t n, size_t step)
{
	struct sink s = {.most = SIZE_MAX};
	struct ovl_err err = {0};
	struct encode *e;
	size_t piece = 1;

	ck_assert_int_eq(encode_open(&e, name, NULL, take, &s, &err), 0);
	for (size_t at = 0; at < n;) {
		size_t now = n - at < piece ? n - at : piece;

		ck_assert_int_eq(encode_write(e, p + at, now, &err), 0);
		at += now;
		piece = piece * 3 % step + 1;
	}
	ck_assert_int_eq(encode_finish(e, &err), 0);
	encode_close(e);
	return s;
}

static void decodes(
	const char *name, const struct sink *s, const unsigned char *p, size_t n)
{
	const struct codec *c = decode_detect(s->p, s->n);
	unsigned char *out = malloc(n + 1000);
	struct decode_io io = {s->p, s->n, out, n + 1000};
	void *state = decode_open(c);
	struct ovl_err err;
	int r = 0;

	ck_assert_str_eq(c->name, name);
	while (io.in_len && r >= 0)
		r = c->run(state, &io, &err);
	/* The rest. */
	if (r == 0)
		r = c->run(state, &io, &err);
	ck_assert_msg(r == 1, "%s of %zu bytes: %d", name, n, r);
	ck_assert_uint_eq(n + 1000 - io.out_len, n);
	ck_assert_int_eq(memcmp(out, p, n), 0);
	decode_close(c, state);
	free(out);
}

START_TEST(there_and_back)
{
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, BIG};
	unsigned char *p = some(BIG);

	for (size_t i = 0; i < N; i++) {
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			size_t most = some_of(names[i]);
			size_t n = sizes[k] < most ? sizes[k] : most;
			struct sink s = encode(names[i], p, n, 100003);

			/* No input without compression gives no output. */
			if (i || n)
				decodes(names[i], &s, p, n);
			else
				ck_assert_uint_eq(s.n, 0);
			free(s.p);
		}
	}
	free(p);
}
END_TEST

/* The output is the same for any pieces and any number of cores. */
static void reproducible(const char *name, size_t n)
{
	unsigned char *p = some(n);
	struct sink a = encode(name, p, n, n);
	struct sink b = encode(name, p, n, 9973);
	struct sink c;
	cpu_set_t all;
	cpu_set_t one;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++) {
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	}
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	c = encode(name, p, n, 100003);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(all), &all), 0);
	ck_assert_msg(a.n == b.n && memcmp(a.p, b.p, a.n) == 0,
		"%s: other pieces, other bytes", name);
	ck_assert_msg(a.n == c.n && memcmp(a.p, c.p, a.n) == 0,
		"%s: other cores, other bytes", name);
	free(a.p);
	free(b.p);
	free(c.p);
	free(p);
}

START_TEST(reproducible_single)
{
	reproducible("none", BIG);
	reproducible("gzip", BIG);
	reproducible("bzip2", some_of("bzip2"));
	reproducible("lz4", BIG);
}
END_TEST

START_TEST(reproducible_xz)
{
	reproducible("xz", BIG);
}
END_TEST

/* More than one worker takes in one go. */
START_TEST(reproducible_zstd)
{
	reproducible("zstd", 7 * BIG);
}
END_TEST

/* The error of the sink is returned unchanged, and the sink is not called again. */
START_TEST(sink_fails)
{
	static const size_t mosts[] = {0, 5, 30000};
	unsigned char *p = some(BIG);

	for (size_t i = 0; i < N; i++) {
		for (size_t k = 0; k < sizeof(mosts) / sizeof(mosts[0]); k++) {
			struct sink s = {.most = mosts[k]};
			struct ovl_err err = {0};
			struct encode *e;
			int rc = 0;

			ck_assert_int_eq(
				encode_open(&e, names[i], NULL, take, &s, &err), 0);
			for (size_t at = 0; at < BIG / 6 && rc == 0; at += 100000)
				rc = encode_write(e, p + at, 100000, &err);
			if (rc == 0)
				rc = encode_finish(e, &err);
			ck_assert_msg(rc == -ENOSPC, "%s: %d", names[i], rc);
			ck_assert_str_eq(err.text, "the sink is full");
			ck_assert_int_eq(encode_write(e, p, 10, &err), -ENOSPC);
			ck_assert_int_eq(encode_finish(e, &err), -ENOSPC);
			ck_assert_int_eq(s.calls_after, 0);
			encode_close(e);
			free(s.p);
		}
	}
	free(p);
}
END_TEST

/* Closed before the end. */
START_TEST(closed_early)
{
	unsigned char *p = some(BIG);

	for (size_t i = 0; i < N; i++) {
		struct sink s = {.most = SIZE_MAX};
		struct ovl_err err = {0};
		struct encode *e;

		ck_assert_int_eq(encode_open(&e, names[i], NULL, take, &s, &err), 0);
		encode_close(e);
		ck_assert_int_eq(encode_open(&e, names[i], NULL, take, &s, &err), 0);
		ck_assert_int_eq(encode_write(e, p, some_of(names[i]), &err), 0);
		encode_close(e);
		free(s.p);
	}
	free(p);
	encode_close(NULL);
}
END_TEST

static atomic_int stop;

static void on_alarm(int sig)
{
	stop = sig;
}

/* One block of noise, for which xz's thread takes a second. */
START_TEST(stopped_xz)
{
	struct sink s = {.most = SIZE_MAX};
	struct ovl_err err = {0};
	size_t n = 4 * 1000 * 1000;
	unsigned char *p = malloc(n);
	struct encode *e;
	unsigned v = 1;

	for (size_t i = 0; i < n; i++) {
		v = v * 1103515245 + 12345;
		p[i] = (unsigned char)(v >> 16);
	}
	signal(SIGALRM, on_alarm);
	ck_assert_int_eq(encode_open(&e, "xz", &stop, take, &s, &err), 0);
	ck_assert_int_eq(encode_write(e, p, n, &err), 0);
	ualarm(50000, 0);
	ck_assert_int_eq(encode_finish(e, &err), -EINTR);
	/* The block was not finished first. */
	ck_assert_uint_eq(s.n, 0);
	encode_close(e);
	free(s.p);
	free(p);
}
END_TEST

START_TEST(by_name)
{
	static const char *const table[][2] = {{"a.tar", "none"}, {"a.tar.gz", "gzip"},
		{"a.tgz", "gzip"}, {"a.tar.zst", "zstd"}, {"a.tzst", "zstd"},
		{"a.tar.xz", "xz"}, {"a.txz", "xz"}, {"a.tar.bz2", "bzip2"},
		{"a.tbz", "bzip2"}, {"a.tar.lz4", "lz4"}, {".gz", "none"}, {"", "none"},
		{"gz", "none"}, {"a.gz.tar", "none"}, {"a.GZ", "none"}};
	struct encode *e;
	struct ovl_err err = {0};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_str_eq(ovl_compression_of(table[i][0]), table[i][1]);
	for (size_t i = 0; i < N; i++)
		ck_assert_int_eq(ovl_compression_check(names[i], &err), 0);
	ck_assert_int_lt(ovl_compression_check("", &err), 0);
	ck_assert_int_lt(ovl_compression_check("gz", &err), 0);
	ck_assert_int_lt(encode_open(&e, "rar", NULL, take, NULL, &err), 0);
	ck_assert_str_eq(err.text,
		"unknown compression 'rar'; the compressions are none, gzip, zstd, xz, bzip2, lz4");
}
END_TEST

UNIT("encode", there_and_back, reproducible_single, reproducible_xz, reproducible_zstd,
	sink_fails, closed_early, stopped_xz, by_name)
