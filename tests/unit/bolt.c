#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/buf.h"
#include "foreign/bolt.h"
#include "unit.h"

#define PAGE  1024
#define PAGES 10

/*
 * A database with everything that can be in one. Its pages are
 *	0, 1 meta	2 free list	3 root
 *	4 branch of bucket "deep" over the leaves 5 and 6
 *	7, 8 a leaf of two pages, of bucket "large"
 *	9 never used
 */
static unsigned char db[PAGES * PAGE];

static void put16(size_t at, uint16_t v)
{
	memcpy(db + at, &v, sizeof(v));
}

static void put32(size_t at, uint32_t v)
{
	memcpy(db + at, &v, sizeof(v));
}

static void put64(size_t at, uint64_t v)
{
	memcpy(db + at, &v, sizeof(v));
}

static void head(size_t at, uint64_t id, unsigned flags, unsigned count, unsigned over)
{
	put64(at, id);
	put16(at + 8, (uint16_t)flags);
	put16(at + 10, (uint16_t)count);
	put32(at + 12, over);
}

/* Element i of the page at an offset; its key and value are put at "to". */
static void leaf(size_t page, unsigned i, size_t to, uint32_t flags, const char *key,
	const void *value, size_t n)
{
	size_t at = page + 16 + i * 16;

	put32(at, flags);
	put32(at + 4, (uint32_t)(to - at));
	put32(at + 8, (uint32_t)strlen(key));
	put32(at + 12, (uint32_t)n);
	memcpy(db + to, key, strlen(key));
	if (value)
		memcpy(db + to + strlen(key), value, n);
}

static void branch(size_t page, unsigned i, size_t to, const char *key, uint64_t id)
{
	size_t at = page + 16 + i * 16;

	put32(at, (uint32_t)(to - at));
	put32(at + 4, (uint32_t)strlen(key));
	put64(at + 8, id);
	memcpy(db + to, key, strlen(key));
}

static void sum(size_t page)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < 56; i++)
		h = (h ^ db[page + 16 + i]) * UINT64_C(0x100000001b3);
	put64(page + 16 + 56, h);
}

static void meta(size_t page, uint64_t tx)
{
	head(page, page / PAGE, 4, 0, 0);
	put32(page + 16, 0xED0CDAED);
	put32(page + 20, 2);
	put32(page + 24, PAGE);
	put64(page + 32, 3);
	put64(page + 48, 2);
	put64(page + 56, 9);
	put64(page + 64, tx);
	sum(page);
}

#define ROOT   (3 * PAGE)
#define INLINE (ROOT + 300 + 6) /* the value of bucket "inline" */

static void make(void)
{
	static char large[1400];
	uint64_t at[2] = {0, 0};

	memset(db, 0, sizeof(db));
	memset(large, 'x', sizeof(large));
	meta(0, 7);
	meta(PAGE, 8);
	head(2 * PAGE, 2, 16, 0, 0);
	head(ROOT, 3, 2, 4, 0);
	leaf(ROOT, 0, ROOT + 100, 0, "a", "1", 1);
	at[0] = 4;
	leaf(ROOT, 1, ROOT + 200, 1, "deep", at, 16);
	leaf(ROOT, 2, ROOT + 300, 1, "inline", NULL, 16 + 16 + 16 + 2);
	head(INLINE + 16, 0, 2, 1, 0);
	leaf(INLINE + 16, 0, INLINE + 48, 0, "x", "y", 1);
	at[0] = 7;
	leaf(ROOT, 3, ROOT + 400, 1, "large", at, 16);
	head(4 * PAGE, 4, 1, 2, 0);
	branch(4 * PAGE, 0, 4 * PAGE + 100, "k1", 5);
	branch(4 * PAGE, 1, 4 * PAGE + 110, "k3", 6);
	head(5 * PAGE, 5, 2, 2, 0);
	leaf(5 * PAGE, 0, 5 * PAGE + 100, 0, "k1", "1", 1);
	leaf(5 * PAGE, 1, 5 * PAGE + 110, 0, "k2", "", 0);
	head(6 * PAGE, 6, 2, 1, 0);
	leaf(6 * PAGE, 0, 6 * PAGE + 100, 0, "k3", "3", 1);
	head(7 * PAGE, 7, 2, 1, 1);
	leaf(7 * PAGE, 0, 7 * PAGE + 100, 0, "l", large, sizeof(large));
}

/* The database as lines "key=value", nested ones after their bucket. */
static int tell(struct bolt *b, const struct bolt_item *in, int depth, struct buf *out,
	struct ovl_err *err)
{
	struct bolt_item item;
	struct bolt_walk w;
	int rc = bolt_walk(&w, b, in, err);

	while (rc >= 0 && (rc = bolt_next(&w, &item, err)) > 0) {
		/* All bytes of the value must be readable. */
		ck_assert_ptr_nonnull(out);
		buf_add(out, item.key, item.key_len);
		if (item.bucket) {
			buf_adds(out, "{");
			if (depth == 5)
				return 0;
			rc = tell(b, &item, depth + 1, out, err);
			buf_adds(out, "}");
		} else {
			buf_adds(out, "=");
			buf_add(out, item.value, item.len < 9 ? item.len : 9);
			buf_adds(out, ";");
		}
	}
	return rc;
}

/* The same for the first len bytes of db, in memory of exactly that size. */
static int tell_all(size_t len, struct buf *out, struct ovl_err *err)
{
	auto_bolt b = {.name = "x.db", .data = malloc(len ? len : 1), .len = len};
	int rc;

	memcpy(b.data, db, len);
	rc = bolt_open(&b, err);
	return rc < 0 ? rc : tell(&b, NULL, 0, out, err);
}

#define ALL "a=1;deep{k1=1;k2=;k3=3;}inline{x=y;}large{l=xxxxxxxxx;}"

START_TEST(all_of_it)
{
	auto_buf out = {0};
	struct ovl_err err = {0};

	make();
	ck_assert_int_eq(tell_all(sizeof(db), &out, &err), 0);
	ck_assert_str_eq(out.data, ALL);
	/* Pages after the last one in use are not needed. */
	buf_clear(&out);
	ck_assert_int_eq(tell_all(9 * PAGE, &out, &err), 0);
	ck_assert_str_eq(out.data, ALL);
}
END_TEST

START_TEST(finds)
{
	auto_bolt b = {.name = "x.db", .data = malloc(sizeof(db)), .len = sizeof(db)};
	struct bolt_item deep;
	struct bolt_item it;
	struct ovl_err err = {0};

	make();
	memcpy(b.data, db, sizeof(db));
	ck_assert_int_eq(bolt_open(&b, &err), 0);
	ck_assert_int_eq(bolt_find(&b, NULL, "deep", &deep, &err), 1);
	ck_assert(deep.bucket);
	ck_assert_int_eq(bolt_find(&b, &deep, "k3", &it, &err), 1);
	ck_assert(!it.bucket && it.len == 1 && *it.value == '3');
	ck_assert_int_eq(bolt_find(&b, &deep, "k2", &it, &err), 1);
	ck_assert_uint_eq(it.len, 0);
	ck_assert_int_eq(bolt_find(&b, &deep, "k", &it, &err), 0);
	ck_assert_int_eq(bolt_find(&b, &deep, "k33", &it, &err), 0);
	ck_assert_int_eq(bolt_find(&b, NULL, "", &it, &err), 0);
}
END_TEST

/* The meta page of the later transaction counts, if its checksum is right. */
START_TEST(which_meta)
{
	auto_buf out = {0};
	struct ovl_err err = {0};

	make();
	put64(32, 5); /* the first one has another root */
	sum(0);
	ck_assert_int_eq(tell_all(sizeof(db), &out, &err), 0);
	ck_assert_str_eq(out.data, ALL);
	db[PAGE + 70] ^= 1; /* the second is damaged */
	buf_clear(&out);
	ck_assert_int_eq(tell_all(sizeof(db), &out, &err), 0);
	ck_assert_str_eq(out.data, "k1=1;k2=;");
	make();
	put64(PAGE + 32, 5);
	sum(PAGE);
	put64(64, 9); /* the first is later */
	sum(0);
	buf_clear(&out);
	ck_assert_int_eq(tell_all(sizeof(db), &out, &err), 0);
	ck_assert_str_eq(out.data, ALL);
	db[70] ^= 1; /* the first is damaged, so the page size must be found */
	buf_clear(&out);
	ck_assert_int_eq(tell_all(sizeof(db), &out, &err), 0);
	ck_assert_str_eq(out.data, "k1=1;k2=;");
	db[PAGE + 70] ^= 1;
	ck_assert_int_eq(tell_all(sizeof(db), &out, &err), -EUCLEAN);
	ck_assert_str_eq(err.text, "'x.db' is not a bolt database, or is damaged");
}
END_TEST

/* Each changes one number, which makes the database invalid. */
static const struct {
	const char *what;
	size_t at;
	unsigned width;
	uint64_t value;
	const char *why;
} bad[] = {
	{"magic of both", 16, 32, 0, "is not a bolt database"},
	{"version", 20, 32, 3, "is not a bolt database"},
	{"page size 0", 24, 32, 0, "size of its pages"},
	{"page size no power of two", 24, 32, 1025, "size of its pages"},
	{"page size too small", 24, 32, 512, "size of its pages"},
	{"page size too large", 24, 32, 131072, "size of its pages"},
	{"page size of which there are not enough", 24, 32, 65536, "truncated"},
	{"no pages", 56, 64, 0, "truncated"},
	{"more pages than there are", 56, 64, PAGES + 1, "truncated"},
	{"far more pages than there are", 56, 64, UINT64_MAX, "truncated"},
	{"root is a meta page", 32, 64, 1, "outside"},
	{"root is the free list", 32, 64, 2, "no elements"},
	{"root outside", 32, 64, 9, "outside"},
	{"root far outside", 32, 64, UINT64_MAX, "outside"},
	{"root whose offset overflows", 32, 64, UINT64_C(1) << 54, "outside"},
	{"root 0", 32, 64, 0, "outside"},
	{"page that has another number", ROOT, 64, 4, "not the one"},
	{"page of no kind", ROOT + 8, 16, 0, "no elements"},
	{"page of two kinds", ROOT + 8, 16, 3, "no elements"},
	{"more elements than fit", ROOT + 10, 16, 64, "no elements"},
	{"far more elements than fit", ROOT + 10, 16, 65535, "no elements"},
	{"more pages to a page than there are", ROOT + 12, 32, 6, "not the one"},
	{"far more pages to a page", ROOT + 12, 32, UINT32_MAX, "not the one"},
	{"key outside", ROOT + 16 + 4, 32, PAGE, "outside of its page"},
	{"key far outside", ROOT + 16 + 4, 32, UINT32_MAX, "outside of its page"},
	{"key too long", ROOT + 16 + 8, 32, PAGE, "outside of its page"},
	{"key far too long", ROOT + 16 + 8, 32, UINT32_MAX, "outside of its page"},
	{"value too long", ROOT + 16 + 12, 32, PAGE, "outside of its page"},
	{"value far too long", ROOT + 16 + 12, 32, UINT32_MAX, "outside of its page"},
	{"bucket without a page", ROOT + 32 + 12, 32, 15, "without a page"},
	{"bucket in a meta page", ROOT + 204, 64, 1, "outside"},
	{"bucket outside", ROOT + 204, 64, 10, "outside"},
	{"bucket far outside", ROOT + 204, 64, UINT64_MAX, "outside"},
	{"bucket in the page of another", ROOT + 204, 64, 8, "not the one"},
	{"inline bucket without a header", ROOT + 48 + 12, 32, 31, "without a header"},
	{"inline bucket cut off", ROOT + 48 + 12, 32, 47, "no elements"},
	{"inline key outside", ROOT + 48 + 12, 32, 49, "outside of its page"},
	{"inline page of no kind", INLINE + 16 + 8, 16, 4, "no elements"},
	{"more inline elements than fit", INLINE + 16 + 10, 16, 3, "no elements"},
	{"branch without elements", 4 * PAGE + 10, 16, 0, "no elements"},
	{"branch to itself", 4 * PAGE + 16 + 8, 64, 4, "a loop of pages"},
	{"branch to a meta page", 4 * PAGE + 16 + 8, 64, 0, "outside"},
	{"branch outside", 4 * PAGE + 16 + 8, 64, 9, "outside"},
	{"branch far outside", 4 * PAGE + 32 + 8, 64, UINT64_MAX / 2, "outside"},
	{"large page without its second", 7 * PAGE + 12, 32, 0, "outside of its page"},
};

START_TEST(bad_table)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_buf out = {0};
		struct ovl_err err = {0};
		int rc;

		make();
		for (size_t m = 0; m <= (bad[i].at < 80 ? PAGE : 0); m += PAGE) {
			if (bad[i].width == 64)
				put64(bad[i].at + m, bad[i].value);
			else if (bad[i].width == 32)
				put32(bad[i].at + m, (uint32_t)bad[i].value);
			else
				put16(bad[i].at + m, (uint16_t)bad[i].value);
		}
		sum(0);
		sum(PAGE);
		/* The second meta page counts, if it has its own number. */
		if (bad[i].at == 24)
			db[PAGE + 16] = 0;
		rc = tell_all(sizeof(db), &out, &err);
		ck_assert_msg(rc == -EUCLEAN && strstr(err.text, bad[i].why),
			"%s: %d, %s", bad[i].what, rc, err.text);
		ck_assert_ptr_null(strchr(err.text, '\n'));
	}
}
END_TEST

START_TEST(cut_anywhere)
{
	struct ovl_err err = {0};

	make();
	for (size_t len = 0; len < 9 * PAGE; len += len < 3 * PAGE ? 1 : 97) {
		auto_buf out = {0};

		ck_assert_int_eq(tell_all(len, &out, &err), -EUCLEAN);
	}
}
END_TEST

/* A page whose buckets are all in that page: the number of reads is limited. */
START_TEST(over_and_over)
{
	auto_buf out = {0};
	struct ovl_err err = {0};
	uint64_t self[2] = {3, 0};

	make();
	head(ROOT, 3, 2, 60, 0);
	for (unsigned i = 0; i < 60; i++)
		leaf(ROOT, i, ROOT + 16 + 60 * 16, 1, "k", self, 16);
	ck_assert_int_eq(tell_all(sizeof(db), &out, &err), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "a loop of pages"));
	ck_assert_uint_lt(out.len, 4 * sizeof(db));
}
END_TEST

static int file_of(const void *p, size_t n)
{
	int fd = open("x.db", O_RDWR | O_CREAT | O_TRUNC, 0600);

	ck_assert(fd >= 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
	return fd;
}

static int loaded(int fd, struct buf *out, struct ovl_err *err)
{
	struct bolt b = {0};
	int rc = bolt_load(fd, "x.db", &b, err);

	if (rc == 0)
		rc = tell(&b, NULL, 0, out, err);
	bolt_release(&b);
	return rc;
}

START_TEST(from_a_file)
{
	auto_buf out = {0};
	struct ovl_err err = {0};
	int fd;

	scratch();
	make();
	fd = file_of(db, sizeof(db));
	ck_assert_int_eq(loaded(fd, &out, &err), 0);
	ck_assert_str_eq(out.data, ALL);
	ck_assert_int_eq(ftruncate(fd, 8 * PAGE), 0);
	ck_assert_int_eq(loaded(fd, &out, &err), -EUCLEAN);
	/* A hole, which is not read. */
	ck_assert_int_eq(ftruncate(fd, (off_t)BOLT_MAX + 1), 0);
	ck_assert_int_eq(loaded(fd, &out, &err), -EFBIG);
	ck_assert_str_eq(err.text, "'x.db' is larger than 256 MiB");
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(loaded(fd, &out, &err), -EUCLEAN);
	close(fd);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(loaded(fd, &out, &err), -EISDIR);
	close(fd);
	scratch_end();
}
END_TEST

/* A writer that changes the meta page all the time. */
static volatile bool stop;

static void *writer(void *arg)
{
	static unsigned char page[PAGE];
	int fd = *(int *)arg;

	for (uint64_t tx = 10; !stop; tx++) {
		put64(PAGE + 64, tx);
		sum(PAGE);
		memcpy(page, db + PAGE, PAGE);
		if (pwrite(fd, page, PAGE, PAGE) != PAGE)
			break;
	}
	return NULL;
}

START_TEST(never_at_rest)
{
	auto_buf out = {0};
	struct ovl_err err = {0};
	pthread_t thread;
	int busy = 0;
	int fd;

	scratch();
	make();
	fd = file_of(db, sizeof(db));
	ck_assert_int_eq(pthread_create(&thread, NULL, writer, &fd), 0);
	for (int i = 0; i < 3; i++) {
		int rc = loaded(fd, &out, &err);

		ck_assert_msg(rc == 0 || rc == -EBUSY, "%d: %s", rc, err.text);
		if (rc == 0)
			ck_assert_str_eq(out.data, ALL);
		else
			busy += err.status == OVL_BUSY ? 1 : 100;
		buf_clear(&out);
	}
	stop = true;
	pthread_join(thread, NULL);
	ck_assert_int_le(busy, 3);
	ck_assert_int_eq(loaded(fd, &out, &err), 0);
	close(fd);
	scratch_end();
}
END_TEST

UNIT("bolt", all_of_it, finds, which_meta, bad_table, cut_anywhere, over_and_over,
	from_a_file, never_at_rest)
