#include "base/buf.h"
#include "unit.h"

START_TEST(grows)
{
	struct buf b = {0};

	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%d,", i);
	ck_assert_uint_eq(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	ck_assert_uint_eq(strlen(b.data), b.len);
	buf_cut(&b, 6);
	ck_assert_str_eq(b.data, "0,1,2,");
	buf_cut(&b, 100);
	ck_assert_uint_eq(b.len, 6);
	buf_clear(&b);
	ck_assert_str_eq(b.data, "");
	buf_release(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(bytes)
{
	struct buf b = {0};

	buf_add(&b, "a\0b", 3);
	ck_assert_uint_eq(b.len, 3);
	ck_assert_int_eq(memcmp(b.data, "a\0b", 4), 0);
	buf_add(&b, NULL, 0);
	ck_assert_uint_eq(b.len, 3);
	buf_release(&b);
}
END_TEST

START_TEST(stolen)
{
	struct buf b = {0};
	char *s;

	s = buf_steal(&b);
	ck_assert_str_eq(s, "");
	free(s);
	buf_adds(&b, "text");
	s = buf_steal(&b);
	ck_assert_str_eq(s, "text");
	ck_assert_ptr_null(b.data);
	free(s);
}
END_TEST

START_TEST(failed)
{
	struct buf b = {0};

	buf_adds(&b, "x");
	b.failed = true;
	buf_adds(&b, "y");
	ck_assert_uint_eq(b.len, 1);
	ck_assert(!buf_reserve(&b, 1));
	ck_assert_ptr_null(buf_steal(&b));
}
END_TEST

UNIT("buf", grows, bytes, stolen, failed)
