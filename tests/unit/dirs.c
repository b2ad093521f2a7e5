#include <errno.h>

#include "dirs.h"
#include "unit.h"

START_TEST(found)
{
	struct dirs d = {0};
	char path[32];

	ck_assert_ptr_null(dirs_find(&d, "a"));
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "dir/%d", i);
		dirs_get(&d, path)->flags = (unsigned)i;
	}
	ck_assert_uint_eq(d.n, 5000);
	ck_assert_uint_eq(dirs_find(&d, "dir/4711")->flags, 4711);
	ck_assert_ptr_eq(dirs_get(&d, "dir/7"), dirs_find(&d, "dir/7"));
	ck_assert_uint_eq(d.n, 5000);
	dirs_release(&d);
}
END_TEST

START_TEST(forgotten)
{
	struct dirs d = {0};

	dirs_get(&d, "a");
	dirs_get(&d, "a/b");
	dirs_get(&d, "a/b/c");
	dirs_get(&d, "ab");
	dirs_get(&d, "");
	dirs_set_acl(&d, dirs_get(&d, "a/b"), "xx", 2);
	dirs_forget(&d, "a");
	ck_assert_uint_eq(d.n, 2);
	ck_assert_uint_eq(d.acl_bytes, 0);
	ck_assert_ptr_nonnull(dirs_find(&d, "ab"));
	dirs_release(&d);
}
END_TEST

START_TEST(sorted)
{
	static const char *const order[] = {"", "a", "a/b", "a/b/c", "a-", "a.b", "b"};
	struct dirs d = {0};
	struct dir **list;

	for (int i = 6; i >= 0; i--)
		dirs_get(&d, order[i]);
	list = dirs_sorted(&d);
	for (int i = 0; i < 7; i++)
		ck_assert_str_eq(list[i]->path, order[i]);
	free(list);
	dirs_release(&d);
}
END_TEST

START_TEST(acls_are_bounded)
{
	struct dirs d = {0};
	char *value = calloc(1, 65536);
	char path[32];
	int rc = 0;
	int i;

	for (i = 0; i < 1000 && rc == 0; i++) {
		snprintf(path, sizeof(path), "%d", i);
		rc = dirs_set_acl(&d, dirs_get(&d, path), value, 65536);
	}
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_int_eq(i, 129);
	ck_assert_int_eq(dirs_set_acl(&d, dirs_get(&d, "0"), NULL, 0), 0);
	ck_assert_int_eq(dirs_set_acl(&d, dirs_get(&d, "999"), value, 65536), 0);
	free(value);
	dirs_release(&d);
}
END_TEST

UNIT("dirs", found, forgotten, sorted, acls_are_bounded)
