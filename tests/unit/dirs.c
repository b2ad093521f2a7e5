#include <errno.h>

#include "content/dirs.h"
#include "unit.h"

static size_t count(const struct dirs *d)
{
	size_t n = 0;

	for (const struct dir *dir = NULL; (dir = dirs_next(d, dir));)
		n++;
	return n;
}

START_TEST(found)
{
	struct dirs d = {0};
	struct dir *dir = dirs_get_path(&d, "dir");
	char name[32];

	ck_assert_ptr_null(dirs_find(&d, dir, "a"));
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		dirs_get(&d, dir, name)->foreign_group = i == 4711;
	}
	ck_assert_uint_eq(count(&d), 5002); /* the root, dir */
	ck_assert(dirs_find(&d, dir, "4711")->foreign_group);
	ck_assert_ptr_null(dirs_find(&d, d.root, "4711"));
	ck_assert_ptr_eq(dirs_get_path(&d, "dir/7"), dirs_find(&d, dir, "7"));
	ck_assert_uint_eq(count(&d), 5002);
	dirs_release(&d);
}
END_TEST

START_TEST(forgotten)
{
	struct dirs d = {0};
	struct dir *a = dirs_get_path(&d, "a");

	dirs_get_path(&d, "a/b/c");
	dirs_get_path(&d, "a/b/d/e");
	dirs_get_path(&d, "ab");
	dirs_set_acl(&d, dirs_get_path(&d, "a/b"), "xx", 2);
	ck_assert_uint_eq(count(&d), 7);
	dirs_forget(&d, a);
	ck_assert_uint_eq(count(&d), 2);
	ck_assert_uint_eq(d.acl_bytes, 0);
	ck_assert_ptr_nonnull(dirs_find(&d, d.root, "ab"));
	ck_assert_ptr_null(dirs_find(&d, d.root, "a"));
	dirs_release(&d);
}
END_TEST

/* A name stays hidden by its whiteout when the file of that name is replaced. */
START_TEST(hidden)
{
	struct dirs d = {0};
	struct dir *root = dirs_get_path(&d, "");
	struct dir *dir;

	ck_assert_int_eq(dirs_hide(&d, root, "x"), 0);
	ck_assert_ptr_null(dirs_find(&d, root, "x"));
	ck_assert_ptr_null(dirs_next(&d, root));
	dir = dirs_get(&d, root, "x");
	ck_assert_uint_eq(dir->flags, DIR_REPLACED);
	dirs_get(&d, dir, "y");
	dirs_forget(&d, dir);
	ck_assert_ptr_null(dirs_find(&d, root, "x"));
	ck_assert_uint_eq(dirs_get(&d, root, "x")->flags, DIR_REPLACED);
	ck_assert_ptr_null(dirs_find(&d, dir, "y"));
	dirs_release(&d);
}
END_TEST

START_TEST(hidden_are_bounded)
{
	struct dirs d = {0};
	struct dir *root = dirs_get_path(&d, "");
	char name[32];
	int rc = 0;
	int i;

	for (i = 0; i < 200000 && rc == 0; i++) {
		snprintf(name, sizeof(name), "%d", i);
		rc = dirs_hide(&d, root, name);
	}
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_int_eq(i, 100001);
	ck_assert_int_eq(dirs_hide(&d, root, "17"), 0);
	ck_assert_ptr_null(dirs_next(&d, root));
	dirs_release(&d);
}
END_TEST

START_TEST(in_order)
{
	static const char *const paths[] = {"b", "a/b/c", "a.b", "a", "a/b", ""};
	struct dirs d = {0};
	struct buf path = {0};
	char seen[64] = " ";
	struct dir *dir = NULL;
	int n = 0;

	for (int i = 0; i < 6; i++)
		dirs_get_path(&d, paths[i]);
	while ((dir = dirs_next(&d, dir))) {
		struct buf up = {0};
		char in[32];

		dirs_path(dir, &path);
		ck_assert_ptr_eq(dirs_get_path(&d, path.data), dir);
		if (dir->up) {
			dirs_path(dir->up, &up);
			snprintf(in, sizeof(in), " /%s ", up.data);
			ck_assert_ptr_nonnull(strstr(seen, in));
			buf_release(&up);
		}
		snprintf(in, sizeof(in), "/%s ", path.data);
		strcat(seen, in);
		n++;
	}
	ck_assert_int_eq(n, 6);
	buf_release(&path);
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
		rc = dirs_set_acl(&d, dirs_get_path(&d, path), value, 65536);
	}
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_int_eq(i, 129);
	ck_assert_int_eq(dirs_set_acl(&d, dirs_get_path(&d, "0"), NULL, 0), 0);
	ck_assert_int_eq(dirs_set_acl(&d, dirs_get_path(&d, "999"), value, 65536), 0);
	free(value);
	dirs_release(&d);
}
END_TEST

UNIT("dirs", found, forgotten, hidden, hidden_are_bounded, in_order, acls_are_bounded)
