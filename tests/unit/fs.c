#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "unit.h"

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(small_files)
{
	struct buf b = {0};

	scratch();
	put("f", "hello");
	ck_assert_int_eq(fs_read_file(AT_FDCWD, "f", 5, &b), 0);
	ck_assert_str_eq(b.data, "hello");
	ck_assert_int_lt(fs_read_file(AT_FDCWD, "f", 4, &b), 0);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_lt(fs_read_file(AT_FDCWD, "none", 4, &b), 0);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(mkdir("d", 0755), 0);
	ck_assert_int_lt(fs_read_file(AT_FDCWD, "d", 4, &b), 0);
	ck_assert_int_eq(symlink("f", "l"), 0);
	ck_assert_int_lt(fs_read_file(AT_FDCWD, "l", 4, &b), 0);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(mkfifo("p", 0644), 0); /* must not wait */
	ck_assert_int_eq(fs_read_file(AT_FDCWD, "p", 4, &b), 0);
	ck_assert_int_eq(fs_write_new(AT_FDCWD, "new", "x", 1), 0);
	ck_assert_int_lt(fs_write_new(AT_FDCWD, "new", "x", 1), 0);
	ck_assert_int_lt(fs_write_new(AT_FDCWD, "l", "x", 1), 0);
	buf_release(&b);
	scratch_end();
}
END_TEST

START_TEST(beneath)
{
	int root;

	scratch();
	ck_assert_int_eq(mkdir("root", 0755), 0);
	ck_assert_int_eq(mkdir("root/a", 0755), 0);
	ck_assert_int_eq(mkdir("out", 0755), 0);
	ck_assert_int_eq(symlink("../out", "root/up"), 0);
	ck_assert_int_eq(symlink("a", "root/in"), 0);
	ck_assert_int_eq(symlink("/a", "root/abs"), 0);
	root = fs_open_dir(AT_FDCWD, "root");
	ck_assert_int_ge(fs_open_beneath(root, "a", O_PATH), 0);
	ck_assert_int_ge(fs_open_beneath(root, "", O_PATH), 0);
	ck_assert_int_lt(fs_open_beneath(root, "in", O_PATH | O_DIRECTORY), 0);
	ck_assert_int_lt(fs_open_beneath(root, "up", O_PATH | O_DIRECTORY), 0);
	ck_assert_int_lt(fs_open_beneath(root, "..", O_PATH), 0);
	ck_assert_int_lt(fs_open_beneath(root, "a/../..", O_PATH), 0);
	ck_assert_int_lt(fs_open_beneath(root, "/etc", O_PATH), 0);
	ck_assert_int_ge(fs_open_link(root, "in", O_PATH | O_DIRECTORY), 0);
	ck_assert_int_lt(fs_open_link(root, "up", O_PATH | O_DIRECTORY), 0);
	ck_assert_int_lt(fs_open_link(root, "abs", O_PATH | O_DIRECTORY), 0);
	scratch_end();
}
END_TEST

START_TEST(inside)
{
	struct buf b = {0};
	bool followed;
	int root;
	int fd;

	scratch();
	ck_assert_int_eq(mkdir("root", 0755), 0);
	ck_assert_int_eq(mkdir("root/out", 0755), 0);
	ck_assert_int_eq(symlink("../../../out", "root/up"), 0);
	ck_assert_int_eq(symlink("/out", "root/abs"), 0);
	ck_assert_int_eq(symlink("/etc", "root/etc"), 0);
	root = fs_open_dir(AT_FDCWD, "root");
	fd = fs_open_inside(root, "up", &followed);
	ck_assert_int_ge(fd, 0);
	ck_assert(followed);
	ck_assert_int_eq(fs_path_below(root, fd, &b), 0);
	ck_assert_str_eq(b.data, "out");
	ck_assert_int_ge(fs_open_inside(root, "abs", NULL), 0);
	ck_assert_int_ge(fs_open_inside(root, "out", &followed), 0);
	ck_assert(!followed);
	ck_assert_int_lt(fs_open_inside(root, "etc", NULL), 0);
	fd = open("/", O_PATH);
	ck_assert_int_lt(fs_path_below(root, fd, &b), 0);
	buf_release(&b);
	scratch_end();
}
END_TEST

START_TEST(long_paths)
{
	char path[12000] = "";
	int root;
	int at;

	scratch();
	root = fs_open_dir(AT_FDCWD, ".");
	at = root;
	for (int i = 0; i < 50; i++) {
		char name[201] = "";

		/* With its '/' the twentieth ends after 4001 bytes, see HOP. */
		memset(name, 'a' + i % 26, i == 19 ? 181 : 200);
		ck_assert_int_eq(mkdirat(at, name, 0755), 0);
		at = fs_open_dir(at, name);
		strcat(path, i ? "/" : "");
		strcat(path, name);
	}
	ck_assert_int_ge(fs_open_beneath(root, path, O_RDONLY | O_DIRECTORY), 0);
	strcat(path, "/x");
	ck_assert_int_lt(fs_open_beneath(root, path, O_RDONLY), 0);
	ck_assert_int_eq(errno, ENOENT);
	path[4001] = '\0';
	ck_assert_int_ge(fs_open_beneath(root, path, O_RDONLY | O_DIRECTORY), 0);
	ck_assert_int_eq(fs_rmtree(root, "aaaa", NULL), 0); /* not there */
	scratch_end();
}
END_TEST

START_TEST(removed)
{
	atomic_int stop = 1;

	scratch();
	ck_assert_int_eq(mkdir("keep", 0755), 0);
	put("keep/f", "x");
	ck_assert_int_eq(mkdir("t", 0755), 0);
	ck_assert_int_eq(mkdir("t/d", 0755), 0);
	ck_assert_int_eq(symlink("../keep", "t/link"), 0);
	ck_assert_int_eq(symlink("../../keep", "t/d/link"), 0);
	ck_assert_int_lt(fs_rmtree(AT_FDCWD, "t", &stop), 0);
	ck_assert_int_eq(errno, EINTR);
	stop = 0;
	ck_assert_int_eq(fs_rmtree(AT_FDCWD, "t", &stop), 0);
	ck_assert_int_lt(access("t", F_OK), 0);
	ck_assert_int_eq(access("keep/f", F_OK), 0);
	ck_assert_int_eq(symlink("keep", "l"), 0);
	ck_assert_int_eq(fs_rmtree(AT_FDCWD, "l", NULL), 0);
	ck_assert_int_eq(access("keep/f", F_OK), 0);
	ck_assert_int_eq(fs_rmtree(AT_FDCWD, "nothing", NULL), 0);
	scratch_end();
}
END_TEST

/* Many files, and deeper than descriptors are kept open. */
static void make_tree(void)
{
	char path[256] = "t";

	ck_assert_int_eq(mkdir(path, 0755), 0);
	for (int i = 0; i < 70; i++) {
		char file[300];

		snprintf(file, sizeof(file), "%s/f", path);
		put(file, "x");
		strcat(path, "/d");
		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
}

/* By two threads: neither fails because the other was faster. */
START_TEST(removed_by_two)
{
	scratch();
	for (int i = 0; i < 30; i++) {
		int status;
		pid_t pid;

		make_tree();
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			_exit(fs_rmtree(AT_FDCWD, "t", NULL) < 0 ? errno : 0);
		ck_assert_int_eq(fs_rmtree(AT_FDCWD, "t", NULL), 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		ck_assert_int_lt(access("t", F_OK), 0);
	}
	scratch_end();
}
END_TEST

/* A bind mount has the same device number as the tree, but is not removed. */
START_TEST(mounted)
{
	scratch();
	ck_assert_int_eq(mkdir("keep", 0755), 0);
	put("keep/f", "gold");
	ck_assert_int_eq(mkdir("t", 0755), 0);
	ck_assert_int_eq(mkdir("t/d", 0755), 0);
	put("t/d/file", "x");
	if (unshare(CLONE_NEWNS) == 0 &&
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("keep", "t/d", NULL, MS_BIND, NULL) == 0) {
		ck_assert_int_lt(fs_rmtree(AT_FDCWD, "t", NULL), 0);
		ck_assert_int_eq(errno, EXDEV);
		ck_assert_int_lt(fs_rmtree(AT_FDCWD, "t/d", NULL), 0);
		ck_assert_int_eq(access("keep/f", F_OK), 0);
		ck_assert_int_eq(umount("t/d"), 0);
		ck_assert_int_eq(mount("keep/f", "t/d/file", NULL, MS_BIND, NULL), 0);
		ck_assert_int_lt(fs_rmtree(AT_FDCWD, "t", NULL), 0);
		ck_assert_int_eq(errno, EBUSY);
		ck_assert_int_eq(access("keep/f", F_OK), 0);
		ck_assert_int_eq(umount("t/d/file"), 0);
	}
	ck_assert_int_eq(fs_rmtree(AT_FDCWD, "t", NULL), 0);
	scratch_end();
}
END_TEST

START_TEST(directories)
{
	struct fs_dir d;
	const char *name;
	int n = 0;

	scratch();
	for (int i = 0; i < 3000; i++) {
		char path[64];

		snprintf(path, sizeof(path), "a-rather-long-name-of-a-file-%d", i);
		put(path, "");
	}
	d = fs_dir_at(AT_FDCWD, ".");
	while (fs_dir_next(&d, &name, NULL) > 0)
		n++;
	ck_assert_int_eq(n, 3000);
	fs_dir_close(&d);
	put("file", "");
	ck_assert_int_eq(fs_mkdir(AT_FDCWD, "dir", 0700), 0);
	ck_assert_int_eq(fs_mkdir(AT_FDCWD, "dir", 0700), 0);
	ck_assert_int_lt(fs_mkdir(AT_FDCWD, "file", 0700), 0);
	ck_assert_int_eq(errno, ENOTDIR);
	scratch_end();
}
END_TEST

START_TEST(links)
{
	char target[1025];
	struct buf b = {0};

	scratch();
	memset(target, 'x', 1024);
	target[1024] = '\0';
	ck_assert_int_eq(symlink(target, "l"), 0);
	ck_assert_int_eq(fs_readlink(AT_FDCWD, "l", 65536, &b), 0);
	ck_assert_str_eq(b.data, target);
	ck_assert_int_lt(fs_readlink(AT_FDCWD, "l", 100, &b), 0);
	buf_release(&b);
	scratch_end();
}
END_TEST

UNIT("fs", small_files, beneath, inside, long_paths, removed, removed_by_two, mounted,
	directories, links)
