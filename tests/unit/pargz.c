#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "codec/pargz.h"
#include "unit.h"

#define MIB (1u << 20)

static int collect(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	(void)err;
	buf_add(ctx, p, n);
	return 0;
}

/* Data that compresses moderately, with matches across blocks. */
static void fill(unsigned char *p, size_t n)
{
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = i > 30000 && x >> 29 ? p[i - 30000] : (unsigned char)(x >> 24);
	}
}

static void gzip(
	const unsigned char *p, size_t n, size_t step, unsigned threads, struct buf *out)
{
	struct pargz *g = pargz_new(threads);
	struct ovl_err err;

	buf_clear(out);
	for (size_t at = 0; at < n; at += step)
		ck_assert_int_eq(pargz_run(g, p + at, n - at < step ? n - at : step,
					 false, collect, out, &err),
			0);
	ck_assert_int_eq(pargz_run(g, "", 0, true, collect, out, &err), 0);
	pargz_free(g);
	ck_assert(!out->failed);
}

/* Decompresses with zlib, which also verifies checksum and length. */
static void check(const struct buf *gz, const unsigned char *want, size_t n)
{
	unsigned char *out = malloc(n + 1);
	z_stream z = {0};

	ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)gz->data;
	z.avail_in = (unsigned)gz->len;
	z.next_out = out;
	z.avail_out = (unsigned)n + 1;
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	ck_assert_uint_eq(z.avail_in, 0);
	ck_assert_uint_eq(z.total_out, n);
	ck_assert(!n || memcmp(out, want, n) == 0);
	inflateEnd(&z);
	free(out);
}

START_TEST(gzip_round_trip)
{
	static const size_t sizes[] = {
		0, 1, 511, MIB / 2 - 1, MIB / 2, MIB / 2 + 1, MIB, 3 * MIB + 12345};
	unsigned char *p = malloc(4 * MIB);
	auto_buf one = {0};
	auto_buf many = {0};

	fill(p, 4 * MIB);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		gzip(p, sizes[i], MIB, 1, &one);
		check(&one, p, sizes[i]);
		gzip(p, sizes[i], 4097, 7, &many);
		ck_assert_uint_eq(one.len, many.len);
		ck_assert(memcmp(one.data, many.data, one.len) == 0);
	}
	free(p);
}
END_TEST

/* Incompressible data must fit in the buffer of its block. */
START_TEST(gzip_noise)
{
	unsigned char *p = malloc(2 * MIB);
	FILE *f = fopen("/dev/urandom", "r");
	auto_buf out = {0};

	ck_assert_uint_eq(fread(p, 1, 2 * MIB, f), 2 * MIB);
	fclose(f);
	gzip(p, 2 * MIB, 2 * MIB, 3, &out);
	check(&out, p, 2 * MIB);
	free(p);
}
END_TEST

static int refuse(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	int *left = ctx;

	(void)p;
	(void)n;
	return (*left)-- > 0 ? 0 : err_say(err, ENOSPC, "it is full");
}

/* The error of a sink is returned, and the threads end. */
START_TEST(gzip_stopped)
{
	unsigned char *p = calloc(8, MIB);

	for (int ok = 0; ok < 4; ok++) {
		struct pargz *g = pargz_new(4);
		struct ovl_err err;
		int left = ok;
		int rc = pargz_run(g, p, 8 * MIB, true, refuse, &left, &err);

		ck_assert_int_eq(rc, -ENOSPC);
		ck_assert_str_eq(err.text, "it is full");
		pargz_free(g);
	}
	free(p);
}
END_TEST

UNIT("pargz", gzip_round_trip, gzip_noise, gzip_stopped)
