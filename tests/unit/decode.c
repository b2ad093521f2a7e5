#include <lz4frame.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

#include "codec/decode.h"
#include "unit.h"

static unsigned char out[1 << 20];

/* Decodes in pieces of step bytes; the length, or -1. *end: may the input end there? */
static ssize_t decode_by(
	const struct codec *c, const unsigned char *p, size_t n, size_t step, int *end)
{
	struct decode_io io = {.out = out, .out_len = sizeof(out)};
	void *state = decode_open(c);
	struct ovl_err err;
	int r = 0;

	for (size_t at = 0; at < n && r >= 0; at += step) {
		io.in = p + at;
		io.in_len = n - at < step ? n - at : step;
		while (io.in_len && r >= 0)
			r = c->run(state, &io, &err);
	}
	decode_close(c, state);
	*end = r;
	return r < 0 ? -1 : (ssize_t)(sizeof(out) - io.out_len);
}

static ssize_t decode(const unsigned char *p, size_t n, size_t step, int *end)
{
	return decode_by(decode_detect(p, n), p, n, step, end);
}

static size_t gzip(const char *text, unsigned char *to, size_t size)
{
	z_stream z = {0};

	deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	z.next_in = (unsigned char *)(uintptr_t)text;
	z.avail_in = (unsigned)strlen(text);
	z.next_out = to;
	z.avail_out = (unsigned)size;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

START_TEST(told_apart)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *name;
	} table[] = {
		{"\x1f\x8b\x08\0", 4, "gzip"},
		{"\x1f\x8b\x07\0", 4, "none"},
		{"\x28\xb5\x2f\xfd", 4, "zstd"},
		{"\x50\x2a\x4d\x18", 4, "zstd or lz4"},
		{"\xfd"
		 "7zXZ\0",
			6, "xz"},
		{"BZh91AY&SY", 10, "bzip2"},
		{"BZh01AY&SY", 10, "none"},
		{"BZh9\x17\x72\x45\x38\x50\x90", 10, "bzip2"},
		{"BZhello.txt", 11, "none"},
		{"\x04\x22\x4d\x18", 4, "lz4"},
		{"\x1f", 1, "none"},
		{"", 0, "none"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct codec *c = decode_detect(
			(const unsigned char *)table[i].bytes, table[i].n);

		ck_assert_str_eq(c->name, table[i].name);
	}
}
END_TEST

START_TEST(gzip_members)
{
	unsigned char z[200];
	size_t n = gzip("hello ", z, sizeof(z));
	int end;

	n += gzip("world", z + n, sizeof(z) - n);
	for (size_t step = 1; step < n; step++) {
		ck_assert_int_eq(decode(z, n, step, &end), 11);
		ck_assert_int_eq(memcmp(out, "hello world", 11), 0);
		ck_assert_int_eq(end, 1);
	}
	memset(z + n, 0, 20);
	ck_assert_int_eq(decode(z, n + 20, 3, &end), 11);
	ck_assert_int_eq(end, 1);
	z[n + 20] = 'x';
	ck_assert_int_eq(decode(z, n + 21, 3, &end), -1);
}
END_TEST

START_TEST(gzip_damage)
{
	unsigned char z[200];
	size_t n = gzip("hello hello hello", z, sizeof(z));
	int end;

	for (size_t cut = 3; cut < n; cut++) {
		ck_assert_int_ge(decode(z, cut, 200, &end), 0);
		ck_assert_int_eq(end, 0);
	}
	for (size_t i = n - 8; i < n; i++) {
		z[i] ^= 0x40;
		ck_assert_int_eq(decode(z, n, 200, &end), -1);
		z[i] ^= 0x40;
	}
}
END_TEST

START_TEST(zstd_frames)
{
	unsigned char z[500];
	size_t n = ZSTD_compress(z, sizeof(z), "hello ", 6, 3);
	int end;

	n += ZSTD_compress(z + n, sizeof(z) - n, "world", 5, 3);
	for (size_t step = 1; step < n; step++) {
		ck_assert_int_eq(decode(z, n, step, &end), 11);
		ck_assert_int_eq(end, 1);
	}
	ck_assert_int_ge(decode(z, n - 1, 100, &end), 0);
	ck_assert_int_eq(end, 0);
}
END_TEST

/* A frame that asks for a window of 256 MiB. */
START_TEST(zstd_window)
{
	static const unsigned char frame[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0x00, (28 - 10) << 3, 0x01, 0x00, 0x00};
	static const unsigned char allowed[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00, 0x00};
	int end;

	ck_assert_int_eq(decode(frame, sizeof(frame), 100, &end), -1);
	ck_assert_int_eq(decode(allowed, sizeof(allowed), 100, &end), 0);
}
END_TEST

/* A frame with a large window after a small one, its header split anywhere. */
START_TEST(zstd_large_window)
{
	static const unsigned char large[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00,
		(27 - 10) << 3, 5 << 3 | 1, 0x00, 0x00, 'w', 'o', 'r', 'l', 'd'};
	unsigned char z[500];
	size_t n = ZSTD_compress(z, sizeof(z), "hello ", 6, 3);
	int end;

	memcpy(z + n, large, sizeof(large));
	n += sizeof(large);
	n += ZSTD_compress(z + n, sizeof(z) - n, "hello ", 6, 3);
	memcpy(z + n, large, sizeof(large));
	n += sizeof(large);
	for (size_t step = 1; step < n; step++) {
		ck_assert_int_eq(decode(z, n, step, &end), 22);
		ck_assert_int_eq(end, 1);
	}
}
END_TEST

/* Before either format, split anywhere; alone, they are an empty stream. */
START_TEST(skippable_frames)
{
	static const unsigned char skip[] = {
		0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
	unsigned char z[500];
	int end;

	for (int lz4 = 0; lz4 < 2; lz4++) {
		size_t n = sizeof(skip);

		memcpy(z, skip, n);
		memcpy(z + n, skip, sizeof(skip));
		n += sizeof(skip);
		n += lz4 ? LZ4F_compressFrame(z + n, sizeof(z) - n, "hello", 5, NULL) :
			   ZSTD_compress(z + n, sizeof(z) - n, "hello", 5, 3);
		memcpy(z + n, skip, sizeof(skip));
		n += sizeof(skip);
		for (size_t step = 1; step < n; step++) {
			ck_assert_int_eq(decode(z, n, step, &end), 5);
			ck_assert_int_eq(memcmp(out, "hello", 5), 0);
			ck_assert_int_eq(end, 1);
		}
		for (size_t cut = 4; cut < 2 * sizeof(skip); cut++) {
			ck_assert_int_eq(decode(z, cut, 3, &end), 0);
			ck_assert_int_eq(end, cut == sizeof(skip));
		}
		z[2 * sizeof(skip)] ^= 1;
		ck_assert_int_eq(decode(z, n, 100, &end), -1);
	}
}
END_TEST

/* gzip with every field in its header. */
static size_t rich_gzip(unsigned char *to, size_t size)
{
	static unsigned char extra[] = "ex\4\0data";
	static unsigned char name[] = "name";
	static unsigned char comment[] = "a comment";
	gz_header head = {.text = 1,
		.time = 7,
		.extra = extra,
		.extra_len = 8,
		.name = name,
		.comment = comment,
		.hcrc = 1};
	static unsigned char text[3000];
	z_stream z = {.next_in = text, .avail_in = sizeof(text)};

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i * i / 7);
	deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	deflateSetHeader(&z, &head);
	z.next_out = to;
	z.avail_out = (unsigned)size;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

/* size bytes that end where no byte can be read or written. */
static unsigned char *guarded(size_t size)
{
	size_t pages = (size + 4095) / 4096 * 4096;
	unsigned char *p = mmap(NULL, pages + 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	mprotect(p + pages, 4096, PROT_NONE);
	return p + pages - size;
}

/* One call with limited space: the output and the result. */
static int into(const struct codec *c, const unsigned char *p, size_t n,
	unsigned char *to, size_t *len)
{
	struct decode_io io = {.in = p, .in_len = n, .out = to, .out_len = *len};
	void *state = decode_open(c);
	struct ovl_err err;
	int r = 0;

	for (size_t left = n + 1;
		io.in_len && io.out_len && io.in_len != left && r >= 0;) {
		left = io.in_len;
		r = c->run(state, &io, &err);
	}
	decode_close(c, state);
	*len -= io.out_len;
	return r;
}

/*
 * Both decoders accept the same streams and refuse the same damaged ones, in the same way
 * as far as the caller can see, and neither accesses memory outside its buffers.
 */
START_TEST(gzip_decoders_agree)
{
	const struct codec *best = gunzip_best();
	enum { ROOM = 3000 };
	unsigned char z[4000];
	size_t n = rich_gzip(z, sizeof(z));
	unsigned char *in = guarded(n);
	unsigned char *a = guarded(ROOM);
	unsigned char *b = guarded(ROOM);
	unsigned seed = 1;

	for (size_t step = 1; step < 60; step++) {
		int end;

		ck_assert_int_eq(decode_by(best, z, n, step, &end), ROOM);
		ck_assert_int_eq(end, 1);
		ck_assert_int_eq(decode_by(gunzip_by_zlib, z, n, step, &end), ROOM);
	}
	for (int i = 0; i < 20000; i++) {
		size_t na = ROOM - (i % 3 ? 0 : (size_t)rand_r(&seed) % ROOM);
		size_t nb = na;
		int ra;
		int rb;

		memcpy(in, z, n);
		for (int k = rand_r(&seed) % 3; k >= 0; k--)
			in[(size_t)rand_r(&seed) % n] ^= (unsigned char)(1
				<< rand_r(&seed) % 8);
		ra = into(gunzip_by_zlib, in, n, a, &na);
		rb = into(best, in, n, b, &nb);
		ck_assert_msg((ra == 1) == (rb == 1), "%d: %d and %d", i, ra, rb);
		if (ra == 1) {
			ck_assert_uint_eq(na, nb);
			ck_assert_int_eq(memcmp(a, b, na), 0);
		}
	}
}
END_TEST

UNIT("decode", told_apart, gzip_members, gzip_damage, gzip_decoders_agree, zstd_frames,
	zstd_window, zstd_large_window, skippable_frames)
