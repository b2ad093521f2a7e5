#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "union/view.h"
#include "unit.h"

static const struct xattr_policy policy = {.user = true};

static void put(const char *path)
{
	close(open(path, O_WRONLY | O_CREAT, 0644));
}

static void make_dirs(const char *const *paths)
{
	for (; *paths; paths++)
		ck_assert_int_eq(mkdir(*paths, 0755), 0);
}

/* Three layers, nearest first. */
static struct view stack(void)
{
	static const char *const dirs[] = {
		"3", "2", "1", "3/d", "2/d", "1/d", "1/e", "2/e", "1/f", NULL};
	struct view v = {.xp = &policy};

	scratch();
	make_dirs(dirs);
	put("1/d/one");
	put("2/d/two");
	put("3/d/three");
	put("1/d/same");
	put("3/d/same");
	put("2/f");
	put("1/e/below");
	ck_assert_int_eq(view_push(&v, fs_open_dir(AT_FDCWD, "3")), 0);
	ck_assert_int_eq(view_push(&v, fs_open_dir(AT_FDCWD, "2")), 0);
	ck_assert_int_eq(view_push(&v, fs_open_dir(AT_FDCWD, "1")), 0);
	return v;
}

static const char *names_of(const struct view *v)
{
	static char all[256];
	auto_namelist names = {0};

	all[0] = '\0';
	ck_assert_int_eq(view_names(v, &names), 0);
	namelist_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		strcat(all, namelist_name(&names, i));
		strcat(all, " ");
	}
	return all;
}

START_TEST(merged)
{
	struct view v = stack();
	struct view d;
	struct stat st;
	unsigned at;

	ck_assert_str_eq(names_of(&v), "d e f ");
	ck_assert_int_eq(view_child(&v, "d", &d), 0);
	ck_assert_uint_eq(d.n, 3);
	ck_assert_str_eq(names_of(&d), "one same three two ");
	ck_assert_int_eq(view_stat(&d, "same", &st, &at), 1);
	ck_assert_uint_eq(at, 0);
	ck_assert_int_eq(view_stat(&d, "one", &st, &at), 1);
	ck_assert_uint_eq(at, 2);
	ck_assert_int_eq(view_stat(&d, "none", &st, &at), 0);
	view_close(&d);
	view_close(&v);
	scratch_end();
}
END_TEST

START_TEST(hidden_by_a_file)
{
	struct view v = stack();
	struct view f;
	struct stat st;

	ck_assert_int_eq(view_child(&v, "f", &f), 0);
	ck_assert_uint_eq(f.n, 0);
	ck_assert_int_eq(view_stat(&v, "f", &st, NULL), 1);
	ck_assert(S_ISREG(st.st_mode));
	view_close(&v);
	scratch_end();
}
END_TEST

START_TEST(opaque)
{
	struct view v = stack();
	struct namelist names = {0};
	struct view e;
	int fd = fs_open_dir(AT_FDCWD, "2/e");

	if (wh_set_opaque(&policy, fd) == 0) { /* not every file system has user xattrs */
		ck_assert_int_eq(view_child(&v, "e", &e), 0);
		ck_assert_uint_eq(e.n, 1);
		ck_assert_int_eq(view_names(&e, &names), 0);
		ck_assert_uint_eq(names.n, 0);
		view_close(&e);
	}
	view_close(&v);
	scratch_end();
}
END_TEST

START_TEST(walked)
{
	struct view v = stack();
	struct view d;

	ck_assert_int_eq(view_walk(&v, "", &d), 0);
	ck_assert_uint_eq(d.n, 3);
	view_close(&d);
	ck_assert_int_eq(mkdir("1/d/x", 0755), 0);
	ck_assert_int_eq(mkdir("1/d/x/y", 0755), 0);
	ck_assert_int_eq(view_walk(&v, "d/x/y", &d), 0);
	ck_assert_uint_eq(d.n, 1);
	view_close(&d);
	ck_assert_int_eq(view_walk(&v, "d/nowhere/y", &d), 0);
	ck_assert_uint_eq(d.n, 0);
	ck_assert_int_eq(symlink("d", "3/link"), 0);
	ck_assert_int_eq(view_walk(&v, "link", &d), 0);
	ck_assert_uint_eq(d.n, 0);
	view_close(&v);
	scratch_end();
}
END_TEST

/* An index gives the results of view_stat(), to which it leaves possible whiteouts. */
START_TEST(indexed)
{
	static const char *const names[] = {
		"one", "two", "three", "same", "gone", "none", "z", NULL};
	struct view v = stack();
	struct view d;
	struct view_index x = {0};
	struct stat st;
	bool whiteouts = mknod("3/d/gone", S_IFCHR, 0) == 0;

	put("1/d/gone");
	ck_assert_int_eq(view_child(&v, "d", &d), 0);
	ck_assert_int_eq(view_index_find(&x, "one"), -1);
	ck_assert_int_eq(view_index_make(&x, &d, 2), 0);
	for (const char *const *n = names; *n; n++) {
		int r = view_index_find(&x, *n);

		if (strcmp(*n, "gone") == 0 && whiteouts)
			ck_assert_int_eq(r, -1);
		else
			ck_assert_int_eq(r, view_stat(&d, *n, &st, NULL));
	}
	view_index_release(&x);
	/* Too many names for an index to pay. */
	ck_assert_int_eq(view_index_make(&x, &d, 1), 0);
	ck_assert_int_eq(view_index_find(&x, "one"), -1);
	view_index_release(&x);
	view_close(&d);
	view_close(&v);
	scratch_end();
}
END_TEST

UNIT("view", merged, hidden_by_a_file, opaque, walked, indexed)
