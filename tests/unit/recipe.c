#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/resource.h>
#include <zstd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "tar/recipe.h"
#include "unit.h"

#define FIRST "ovlctl-recipe 1\n"

static const char digest[] =
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/* ---- helpers ---------------------------------------------------------------------- */

/* All records of the recipe in the working directory, as text; the code of the last
 * call. */
static int read_all(struct buf *out)
{
	auto_recipe in = NULL;
	struct recipe_rec rec = {.type = RECIPE_RAW};
	struct ovl_err err = {0};
	int rc = recipe_open(&in, AT_FDCWD, &err);

	while (rc == 0 && rec.type != RECIPE_END) {
		rc = recipe_next(in, &rec, &err);
		if (rc < 0)
			break;
		buf_addf(out, "%c %llu %llu %llu %llx ", rec.type,
			(unsigned long long)rec.offset, (unsigned long long)rec.size,
			(unsigned long long)rec.number, (unsigned long long)rec.sum);
		if (rec.p)
			buf_add(out, rec.p, rec.n);
		buf_addf(out, "%s\n", rec.diff_id);
	}
	ck_assert_int_eq(rc < 0, err.text[0] != '\0');
	return rc;
}

static void put_file(const void *p, size_t n)
{
	FILE *f = fopen(RECIPE_NAME, "w");

	ck_assert_uint_eq(fwrite(p, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

static size_t get_file(unsigned char *p, size_t max)
{
	FILE *f = fopen(RECIPE_NAME, "r");
	size_t n = fread(p, 1, max, f);

	fclose(f);
	ck_assert_uint_lt(n, max);
	return n;
}

/* A recipe of these records, in a valid zstd frame. */
static void put_records(const void *p, size_t n)
{
	struct buf file = {0};
	size_t room = ZSTD_compressBound(n);
	char *z = malloc(room);

	buf_adds(&file, FIRST);
	buf_add(&file, z, ZSTD_compress(z, room, p, n, 1));
	put_file(file.data, file.len);
	buf_release(&file);
	free(z);
}

static int read_records(const void *p, size_t n)
{
	auto_buf got = {0};

	put_records(p, n);
	return read_all(&got);
}

/* Z, the size, and 32 bytes of digest. */
#define Z(size)    "Z" size "01234567890123456789012345678901"
#define REC(text)  read_records(text, sizeof(text) - 1)
#define SUM8       "12345678"
#define GOOD(text) ck_assert_int_eq(REC(text), 0)
#define BAD(text)  ck_assert_int_eq(REC(text), -EUCLEAN)

/* A recipe that has this path in an F or a K. */
static int read_path(char type, const char *path, size_t n)
{
	auto_buf r = {0};
	unsigned char count[3] = {(unsigned char)(n | 128), (unsigned char)(n >> 7 | 128),
		(unsigned char)(n >> 14)};

	buf_add(&r, &type, 1);
	if (type == 'K')
		buf_add(&r, "", 1);
	buf_add(&r, count, sizeof(count));
	buf_add(&r, path, n);
	if (type == 'F')
		buf_adds(&r, "E" SUM8);
	buf_add(&r, Z("\0"), sizeof(Z("\0")) - 1);
	return read_records(r.data, r.len);
}

static void write_sample(void)
{
	struct recipe_out *r;
	struct ovl_err err = {0};
	uint64_t size = 0;

	unlink(RECIPE_NAME);
	ck_assert_int_eq(recipe_create(&r, AT_FDCWD, &err), 0);
	recipe_raw(r, "head", 4);
	recipe_raw(r, "er", 2);
	recipe_file(r, "a/b");
	recipe_run(r, 0, "12345", 5);
	recipe_run(r, 5, "6", 1);
	recipe_run(r, 900, "", 0);
	recipe_run(r, 1000, "789", 3);
	recipe_raw(r, "a hole", 6);
	recipe_run(r, 2000, "0", 1);
	recipe_file_end(r);
	recipe_raw(r, "pad", 3);
	recipe_kept(r, 0, "a");
	recipe_file(r, "a\377\n");
	recipe_file_end(r);
	ck_assert_int_eq(recipe_finish(r, digest, &size, &err), 0);
	ck_assert_uint_eq(size, 25);
	recipe_out_close(r);
}

/* ---- tests ------------------------------------------------------------------------ */

START_TEST(there_and_back)
{
	auto_buf got = {0};
	char want[1000];

	scratch();
	write_sample();
	ck_assert_int_eq(read_all(&got), 0);
	snprintf(want, sizeof(want),
		"R 0 0 0 0 header\nF 0 0 0 0 a/b\nD 0 6 0 0 \n"
		"D 1000 3 0 0 \nR 0 0 0 0 a hole\nD 2000 1 0 0 \nE 0 0 0 %llx \n"
		"R 0 0 0 0 pad\nK 0 0 0 0 a\nF 0 0 0 0 a\377\n\nE 0 0 0 %llx \n"
		"Z 0 25 0 0 %s\n",
		(unsigned long long)XXH64("1234567890", 10, 0),
		(unsigned long long)XXH64("", 0, 0), digest);
	ck_assert_str_eq(got.data, want);
	scratch_end();
}
END_TEST

/* More raw bytes than fit in a record, large offsets, long paths. */
START_TEST(large)
{
	struct recipe_out *r;
	struct ovl_err err = {0};
	auto_buf got = {0};
	char *bytes = malloc(300000);
	char *path = malloc(65536);
	uint64_t size = 0;
	size_t raw = 0;

	scratch();
	memset(bytes, 'b', 300000);
	memset(path, 'p', 65536);
	for (int i = 200; i < 65535; i += 200)
		path[i] = '/';
	path[65535] = '\0';
	ck_assert_int_eq(recipe_create(&r, AT_FDCWD, &err), 0);
	ck_assert_int_eq(recipe_raw(r, bytes, 300000), 0);
	recipe_file(r, path);
	recipe_run(r, INT64_MAX - 100, bytes, 100);
	recipe_file_end(r);
	ck_assert_int_eq(recipe_finish(r, digest, &size, &err), 0);
	recipe_out_close(r);
	ck_assert_uint_eq(size, 300100);
	ck_assert_int_eq(read_all(&got), 0);
	for (size_t i = 0; i < got.len; i++)
		raw += got.data[i] == 'b';
	ck_assert_uint_ge(raw, 300000);
	ck_assert_ptr_nonnull(strstr(got.data, path));
	free(bytes);
	free(path);
	scratch_end();
}
END_TEST

START_TEST(writer_fails)
{
	struct recipe_out *r;
	struct ovl_err err = {0};
	uint64_t size = 7;

	scratch();
	ck_assert_int_eq(recipe_create(&r, AT_FDCWD, &err), 0);
	recipe_file(r, "f");
	ck_assert_int_eq(recipe_run(r, 100, "x", 1), 0);
	ck_assert_int_lt(recipe_run(r, 50, "x", 1), 0);
	ck_assert_int_lt(recipe_run(r, 200, "x", 1), 0);
	ck_assert_int_lt(recipe_raw(r, "x", 1), 0);
	ck_assert_int_lt(recipe_finish(r, digest, &size, &err), 0);
	ck_assert_uint_eq(size, 7);
	ck_assert_ptr_nonnull(strstr(err.text, "out of order"));
	recipe_out_close(r);
	/* An existing recipe is not overwritten. */
	ck_assert_int_eq(recipe_create(&r, AT_FDCWD, &err), -EEXIST);
	recipe_out_close(NULL);
	scratch_end();
}
END_TEST

/* Any wrong bit or byte and any truncation is detected or has no effect (zstd
 * has a bit that no reader looks at, and a window may be larger). */
START_TEST(damage)
{
	auto_buf want = {0};
	unsigned char file[1000];
	unsigned same = 0;
	size_t n;

	scratch();
	write_sample();
	n = get_file(file, sizeof(file));
	ck_assert_int_eq(read_all(&want), 0);
	for (size_t i = 0; i < n; i++) {
		for (unsigned bit = 0; bit <= 8; bit++) {
			unsigned char x = (unsigned char)(bit < 8 ? 1 << bit : 255);
			auto_buf got = {0};

			file[i] ^= x;
			put_file(file, n);
			file[i] ^= x;
			if (read_all(&got) < 0)
				continue;
			ck_assert_str_eq(got.data, want.data);
			same++;
		}
	}
	ck_assert_uint_lt(same, 20);
	for (size_t cut = 0; cut < n; cut++) {
		auto_buf got = {0};

		put_file(file, cut);
		ck_assert_int_eq(read_all(&got), -EUCLEAN);
	}
	file[n] = 0;
	for (size_t more = 1; more < 20; more++) {
		auto_buf got = {0};

		put_file(file, n + more);
		ck_assert_int_eq(read_all(&got), -EUCLEAN);
	}
	scratch_end();
}
END_TEST

START_TEST(no_file)
{
	struct recipe_in *in;
	struct ovl_err err = {0};

	scratch();
	ck_assert_int_eq(recipe_open(&in, AT_FDCWD, &err), -EUCLEAN);
	ck_assert_str_eq(err.text, "'.recipe' is missing");
	ck_assert_int_eq(symlink("elsewhere", RECIPE_NAME), 0);
	ck_assert_int_eq(recipe_open(&in, AT_FDCWD, &err), -ELOOP);
	unlink(RECIPE_NAME);
	ck_assert_int_eq(mkfifo(RECIPE_NAME, 0600), 0);
	ck_assert_int_lt(recipe_open(&in, AT_FDCWD, &err), 0);
	unlink(RECIPE_NAME);
	ck_assert_int_eq(mkdir(RECIPE_NAME, 0700), 0);
	ck_assert_int_lt(recipe_open(&in, AT_FDCWD, &err), 0);
	scratch_end();
}
END_TEST

START_TEST(hostile_order)
{
	scratch();
	GOOD(Z("\0"));
	GOOD("R\1x" Z("\1"));
	GOOD("F\1fE" SUM8 Z("\0"));
	GOOD("F\1fD\0\3R\1xD\0\3E" SUM8 Z("\7"));
	BAD("");
	BAD("R\1x");
	BAD(Z("\1"));
	BAD("R\1x" Z("\0"));
	BAD("D\0\3" Z("\3"));
	BAD("E" SUM8 Z("\0"));
	BAD("F\1fF\1gE" SUM8 Z("\0"));
	BAD("F\1fK\0\1gE" SUM8 Z("\0"));
	BAD("F\1f" Z("\0"));
	BAD("F\1fE" SUM8 "E" SUM8 Z("\0"));
	BAD("F\1fE" SUM8 "D\0\1" Z("\1"));
	BAD(Z("\0") Z("\0"));
	BAD(Z("\0") "R\1x");
	BAD("Z\0"
	    "0123456789");
	BAD("X" Z("\0"));
	BAD("\0" Z("\0"));
	scratch_end();
}
END_TEST

START_TEST(hostile_paths)
{
	static const char *const bad[] = {"", "/", "/a", "..", "../a", "a/..", "a/../b",
		"a/../../b", ".", "./a", "a/.", "a//b", "a/", "//"};
	static const char *const good[] = {"a", "a/b", "..a", "...", "a/..b", ".a", "\n"};
	auto_buf r = {0};

	scratch();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(read_path('F', bad[i], strlen(bad[i])) == -EUCLEAN, "F %s",
			bad[i]);
		ck_assert_msg(read_path('K', bad[i], strlen(bad[i])) == -EUCLEAN, "K %s",
			bad[i]);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(
			read_path('F', good[i], strlen(good[i])) == 0, "F %s", good[i]);
		ck_assert_msg(
			read_path('K', good[i], strlen(good[i])) == 0, "K %s", good[i]);
	}
	ck_assert_int_eq(read_path('F', "a\0b", 3), -EUCLEAN);
	ck_assert_int_eq(read_path('F', "a\0", 2), -EUCLEAN);
	for (int i = 0; i < 65538; i++)
		buf_add(&r, i % 100 ? "a" : "/", 1);
	ck_assert_int_eq(read_path('F', r.data + 1, 65535), 0);
	ck_assert_int_eq(read_path('F', r.data + 1, 65537), -EUCLEAN);
	ck_assert_int_eq(read_path('F', r.data + 101 - 1, 200), -EUCLEAN);
	scratch_end();
}
END_TEST

START_TEST(hostile_numbers)
{
	scratch();
	GOOD("F\1fD\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0E" SUM8 Z("\0"));
	BAD("F\1fD\xff\xff\xff\xff\xff\xff\xff\xff\x7f\1E" SUM8 Z("\1"));
	BAD("F\1fD\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	    "D\0\1E" SUM8 Z("\0"));
	BAD("F\1fD\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	    "E" SUM8 Z("\0"));
	/* More than 2^63 bytes of all files together. */
	BAD("F\1fD\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	    "E" SUM8 "F\1fD\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	    "E" SUM8 Z("\0"));
	/* A number of ten bytes, and one without an end. */
	BAD("R\x80\x80\x80\x80\x80\x80\x80\x80\x80\0" Z("\0"));
	BAD("R\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	BAD("K\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\1a" Z("\0"));
	/* A length without the bytes. */
	BAD("R\xff\xff\xff\xff\xff\xff\xff\xff\x7f" Z("\0"));
	BAD("F\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	    "a" Z("\0"));
	BAD("R\x80\x80\x04"
	    "x");
	BAD("R\x81\x80\x04" Z("\0"));
	scratch_end();
}
END_TEST

/* A file, and so many bytes of empty runs. */
static void put_runs(size_t n)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	FILE *f = fopen(RECIPE_NAME, "w");
	static char runs[30000];
	static char out[65536];
	ZSTD_inBuffer i = {"F\1f", 3, 0};

	for (size_t at = 0; at < sizeof(runs); at += 3)
		runs[at] = 'D';
	fputs(FIRST, f);
	for (size_t at = 0; at < n; at += i.size) {
		ZSTD_outBuffer o = {out, sizeof(out), 0};

		ck_assert(
			!ZSTD_isError(ZSTD_compressStream2(z, &o, &i, ZSTD_e_continue)));
		fwrite(out, 1, o.pos, f);
		i = (ZSTD_inBuffer){runs, sizeof(runs), 0};
	}
	ck_assert_int_eq(fclose(f), 0);
	ZSTD_freeCCtx(z);
}

/* A small file that decompresses to much: memory is needed only for a part at a time. */
START_TEST(small_memory)
{
	/* An empty frame with a window of 128 MiB. */
	static const char window[] = FIRST "\x28\xb5\x2f\xfd\0"
					   "\x88"
					   "\1\0\0";
	auto_recipe in = NULL;
	struct recipe_rec rec;
	struct ovl_err err = {0};
	struct rusage before;
	struct rusage after;
	auto_buf got = {0};
	size_t n = 0;

	scratch();
	put_runs(60 << 20);
	getrusage(RUSAGE_SELF, &before);
	ck_assert_int_eq(recipe_open(&in, AT_FDCWD, &err), 0);
	while (recipe_next(in, &rec, &err) == 0)
		n++;
	ck_assert_uint_gt(n, 10 << 20);
	put_file(window, sizeof(window) - 1);
	ck_assert_int_eq(read_all(&got), -EUCLEAN);
	getrusage(RUSAGE_SELF, &after);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 8192);
	scratch_end();
}
END_TEST

UNIT("recipe", there_and_back, large, writer_fails, damage, no_file, hostile_order,
	hostile_paths, hostile_numbers, small_memory)
