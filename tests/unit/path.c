#include "base/path.h"
#include "unit.h"

static struct buf out;
static struct ovl_err err;

static const char *clean(const char *raw)
{
	return path_clean(raw, 10, &out, &err) < 0 ? NULL : out.data;
}

START_TEST(cleaned)
{
	ck_assert_str_eq(clean("a/b"), "a/b");
	ck_assert_str_eq(clean("./a//b/."), "a/b");
	ck_assert_str_eq(clean("/a/b/"), "a/b");
	ck_assert_str_eq(clean("a/../b"), "b");
	ck_assert_str_eq(clean("a/b/../../c"), "c");
	ck_assert_str_eq(clean("a/.."), "");
	ck_assert_str_eq(clean("./"), "");
	ck_assert_str_eq(clean("/"), "");
	ck_assert_str_eq(clean(""), "");
	ck_assert_str_eq(clean(".../..a/a.."), ".../..a/a..");
}
END_TEST

START_TEST(refused)
{
	char long_name[300];

	ck_assert_ptr_null(clean(".."));
	ck_assert_ptr_null(clean("../a"));
	ck_assert_ptr_null(clean("/.."));
	ck_assert_ptr_null(clean("a/../.."));
	ck_assert_ptr_null(clean("a/../../a"));
	ck_assert_ptr_null(clean("./../a"));
	ck_assert_ptr_nonnull(strstr(err.text, "it leaves the layer"));
	ck_assert_ptr_nonnull(clean("1/2/3/4/5/6/7/8/9/10"));
	ck_assert_ptr_null(clean("1/2/3/4/5/6/7/8/9/10/11"));
	memset(long_name, 'x', sizeof(long_name));
	long_name[260] = '\0';
	ck_assert_ptr_null(clean(long_name));
	long_name[259] = '\0';
	ck_assert_ptr_nonnull(clean(long_name));
}
END_TEST

START_TEST(depth_goes_up_and_down)
{
	ck_assert_str_eq(
		clean("1/2/3/4/5/6/7/8/9/../9/../9/../9/x"), "1/2/3/4/5/6/7/8/9/x");
}
END_TEST

START_TEST(base)
{
	ck_assert_str_eq(path_base("a/b/c"), "c");
	ck_assert_str_eq(path_base("c"), "c");
}
END_TEST

START_TEST(below)
{
	static const char *const table[][3] = {{"/a/b", "/a", "/b"}, {"/a", "/a", ""},
		{"/ab", "/a", NULL}, {"/a", "/a/b", NULL}, {"/a", "/", "/a"},
		{"/", "/", "/"}, {"/a", "", "/a"}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *got = path_below(table[i][0], table[i][1]);

		if (table[i][2])
			ck_assert_str_eq(got, table[i][2]);
		else
			ck_assert_ptr_null(got);
	}
}
END_TEST

UNIT("path", cleaned, refused, depth_goes_up_and_down, base, below)
