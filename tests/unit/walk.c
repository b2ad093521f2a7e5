#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/namelist.h"
#include "base/walk.h"
#include "unit.h"

/* An assertion for loops. Those of Check record each call, which takes longer than the
 * work under test. */
static void must(bool ok)
{
	if (!ok)
		ck_abort_msg("%s", strerror(errno));
}

/* In memory, if a tmpfs can be mounted, because there are many files. */
static void scratch_in_memory(void)
{
	scratch();
	if (unshare(CLONE_NEWNS) == 0 &&
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("tmpfs", scratch_dir, "tmpfs", 0, NULL) == 0)
		ck_assert_int_eq(chdir(scratch_dir), 0);
}

static void scratch_in_memory_end(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	umount2(scratch_dir, MNT_DETACH);
	scratch_end();
}

static void put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* The names of a walk that enters all directories; a name that is left follows a '<'. */
static const char *told(struct walk *w)
{
	static char all[512];
	struct stat st;
	int r;

	all[0] = '\0';
	while ((r = walk_next(w)) > 0) {
		strcat(all, r == WALK_LEFT ? "<" : "");
		strcat(all, w->path.data);
		strcat(all, " ");
		ck_assert_int_eq(fstatat(w->fd[0], w->name, &st, AT_SYMLINK_NOFOLLOW), 0);
		if (r == WALK_NAME && S_ISDIR(st.st_mode))
			ck_assert_int_eq(walk_enter(w), 0);
	}
	ck_assert_int_eq(r, 0);
	return all;
}

START_TEST(order)
{
	scratch();
	ck_assert_int_eq(mkdir("t", 0755), 0);
	ck_assert_int_eq(mkdir("t/b", 0755), 0);
	put("t/b/x");
	put("t/a");
	put("t/b.c");
	ck_assert_int_eq(symlink("b", "t/link"), 0);
	ck_assert_int_eq(mkdir("u", 0755), 0);
	put("u/a");
	put("u/only");
	ck_assert_int_eq(mkdir("u/b", 0755), 0);
	put("u/b/y");
	{
		auto_fd t = fs_open_dir(AT_FDCWD, "t");
		auto_fd u = fs_open_dir(AT_FDCWD, "u");
		auto_walk one = {.trees = 1, .top = {AT_FDCWD}, .first = "t/b"};
		auto_walk file = {.trees = 1, .top = {AT_FDCWD}, .first = "t/a"};
		auto_walk two = {
			.trees = 3, .top = {t, u, -1}, .first = ".", .both = true};
		int r;

		ck_assert_str_eq(told(&one), " x < ");
		ck_assert_str_eq(told(&file), " ");
		ck_assert_int_eq(walk_next(&two), WALK_NAME);
		ck_assert_str_eq(two.name, ".");
		ck_assert_int_eq(walk_enter(&two), 0);
		ck_assert_int_eq(walk_next(&two), WALK_NAME);
		ck_assert_str_eq(two.name, "a");
		ck_assert_int_eq(walk_next(&two), WALK_NAME);
		ck_assert_str_eq(two.name, "b");
		ck_assert_int_eq(walk_enter(&two), 0);
		ck_assert_int_eq(two.fd[2], -1);
		ck_assert_int_eq(walk_next(&two), WALK_NAME);
		ck_assert_str_eq(two.path.data, "b/x");
		ck_assert_int_eq(walk_next(&two), WALK_NAME);
		ck_assert_str_eq(two.path.data, "b/y");
		ck_assert_int_eq(walk_next(&two), WALK_LEFT);
		ck_assert_str_eq(two.path.data, "b");
		ck_assert_int_eq(walk_next(&two), WALK_NAME);
		ck_assert_str_eq(two.name, "b.c");
		/* Only an existing directory can be entered. The walk continues
		 * after an error. */
		ck_assert_int_lt(walk_enter(&two), 0);
		ck_assert_int_eq(errno, ENOTDIR);
		ck_assert_int_eq(walk_next(&two), WALK_NAME);
		ck_assert_str_eq(two.name, "link");
		ck_assert_int_lt(walk_enter(&two), 0);
		while ((r = walk_next(&two)) > 0)
			;
		ck_assert_int_eq(r, 0);
		/* The descriptors of the caller stay open. */
		ck_assert_int_ge(fcntl(t, F_GETFD), 0);
	}
	scratch_end();
}
END_TEST

/* ---- deep ------------------------------------------------------------------------- */

#define DEEP 20000

static unsigned long opens;

static int count_open(int dirfd, const char *name)
{
	opens++;
	return fs_open_dir(dirfd, name);
}

/* Each directory also has a file, so reading it goes on after the directory in it. */
static void make_deep(void)
{
	int at = open(".", O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < DEEP; i++) {
		int next;

		must(mkdirat(at, "d", 0755) == 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY);
		must(next >= 0);
		close(at);
		at = next;
		close(openat(at, "e", O_WRONLY | O_CREAT, 0644));
		close(openat(at, "c", O_WRONLY | O_CREAT, 0644));
	}
	close(at);
}

static void set_nofile(rlim_t n)
{
	struct rlimit rl;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = n;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

static unsigned long walk_deep(bool both)
{
	auto_walk w = {.trees = both ? 3 : 1,
		.top = {AT_FDCWD, AT_FDCWD, -1},
		.first = "d",
		.both = both,
		.open = count_open};
	unsigned long files = 0;
	int r;

	opens = 0;
	while ((r = walk_next(&w)) > 0) {
		if (r == WALK_NAME && *w.name == 'd')
			must(walk_enter(&w) == 0);
		if (r == WALK_NAME && *w.name != 'd') {
			must(faccessat(w.fd[0], w.name, F_OK, 0) == 0);
			files++;
		}
	}
	ck_assert_int_eq(r, 0);
	return files;
}

/* The number of descriptors and of calls hardly grows with the depth. */
START_TEST(deep)
{
	scratch_in_memory();
	make_deep();
	ck_assert_uint_eq(walk_deep(false), 2 * DEEP);
	ck_assert_uint_lt(opens, 6 * DEEP);
	set_nofile(512);
	ck_assert_uint_eq(walk_deep(true), 2 * DEEP);
	ck_assert_uint_lt(opens, 12 * DEEP);
	set_nofile(40);
	ck_assert_int_eq(fs_rmtree(AT_FDCWD, "d", NULL), 0);
	ck_assert_int_lt(access("d", F_OK), 0);
	set_nofile(512);
	scratch_in_memory_end();
}
END_TEST

/* ---- wide ------------------------------------------------------------------------- */

#define WIDE 50000

/* Unsorted names are not all kept in memory. */
START_TEST(wide)
{
	unsigned long n = 0;
	size_t most = 0;
	char name[32];
	int r;

	scratch_in_memory();
	ck_assert_int_eq(mkdir("t", 0755), 0);
	for (int i = 0; i < WIDE; i++) {
		snprintf(name, sizeof(name), "t/%d", i);
		must(mknod(name, S_IFREG | 0644, 0) == 0);
	}
	{
		auto_fd t = fs_open_dir(AT_FDCWD, "t");
		auto_walk w = {.trees = 1, .top = {t}, .first = "."};
		auto_walk two = {.trees = 2, .top = {t, t}, .first = ".", .both = true};

		while ((r = walk_next(&w)) > 0) {
			if (r == WALK_NAME && !w.path.len)
				ck_assert_int_eq(walk_enter(&w), 0);
			n += r == WALK_NAME && w.path.len;
			most = w.levels.n > most ? w.levels.n : most;
		}
		ck_assert_uint_eq(n, WIDE);
		ck_assert_uint_eq(most, 2);
		n = 0;
		while ((r = walk_next(&two)) > 0) {
			if (r == WALK_NAME && !two.path.len)
				ck_assert_int_eq(walk_enter(&two), 0);
			n += r == WALK_NAME && two.path.len;
		}
		ck_assert_uint_eq(n, WIDE);
	}
	ck_assert_int_eq(fs_rmtree(AT_FDCWD, "t", NULL), 0);
	scratch_in_memory_end();
}
END_TEST

/* ---- lists of names --------------------------------------------------------------- */

START_TEST(names)
{
	auto_namelist l = {0};

	ck_assert_uint_eq(namelist_find(&l, "x"), 0);
	namelist_sort(&l);
	ck_assert_int_eq(namelist_add(&l, 1, "b"), 0);
	ck_assert_int_eq(namelist_add(&l, 2, "a/"), 0);
	ck_assert_int_eq(namelist_add(&l, 3, "a.b"), 0);
	ck_assert_int_eq(namelist_add(&l, 4, "a"), 0);
	ck_assert_int_eq(namelist_add(&l, 5, "b"), 0);
	namelist_sort(&l);
	ck_assert_str_eq(namelist_name(&l, 0), "a");
	ck_assert_str_eq(namelist_name(&l, 1), "a.b");
	ck_assert_str_eq(namelist_name(&l, 2), "a/");
	ck_assert_uint_eq(namelist_find(&l, "b"), 3);
	ck_assert_uint_eq(namelist_type(&l, 3), 1); /* that of the first one added */
	ck_assert_uint_eq(namelist_type(&l, 4), 5);
	ck_assert_uint_eq(namelist_find(&l, "ab"), l.n);
	ck_assert_uint_eq(namelist_find(&l, "c"), l.n);
	namelist_clear(&l);
	ck_assert_uint_eq(l.n, 0);
	ck_assert_int_eq(namelist_add(&l, 6, "z"), 0);
	ck_assert_uint_eq(namelist_find(&l, "z"), 0);
}
END_TEST

UNIT("walk", order, deep, wide, names)
