#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "content/writer.h"
#include "unit.h"

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* The data of file i, more than one piece if i is even. */
static size_t data_of(unsigned i, char *out)
{
	size_t n = i % 2 ? i : 70000 + i;

	memset(out, (int)('a' + i % 26), n);
	return n;
}

static void check_file(unsigned i, const char *name)
{
	static char want[80000];
	static char got[80000];
	size_t n = data_of(i, want);
	int fd = open(name, O_RDONLY);
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_mtim.tv_sec, 1000 + (int)i);
	ck_assert_int_eq(st.st_mtim.tv_nsec, (int)i);
	ck_assert_uint_eq((size_t)read(fd, got, sizeof(got)), n);
	ck_assert_int_eq(memcmp(got, want, n), 0);
	close(fd);
}

static void write_many(unsigned most)
{
	static char data[80000];
	struct ovl_err err = {0};
	unsigned before = open_files();
	struct writer *b;

	scratch();
	ck_assert_int_eq(writer_open(&b, &err), 0);
	for (unsigned i = 0; i < 1000; i++) {
		const struct timespec mtime = {1000 + (int)i, (int)i};
		size_t n = data_of(i, data);
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "%u", i);
		fd = open(name, O_WRONLY | O_CREAT, 0644);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(writer_begin(b, name, &err), 0);
		ck_assert_int_eq(writer_write(b, fd, data, n / 2, 0, &err), 0);
		ck_assert_int_eq(
			writer_write(b, fd, data + n / 2, n - n / 2, n / 2, &err), 0);
		ck_assert_int_eq(writer_end(b, fd, &mtime, &err), 0);
		/* The number of files in progress is limited. */
		ck_assert_uint_le(open_files(), before + most);
	}
	ck_assert_int_eq(writer_wait(b, &err), 0);
	ck_assert_uint_eq(open_files(), before);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i);
		check_file(i, name);
	}
	writer_close(b);
	scratch_end();
}

START_TEST(written)
{
	struct rlimit rl;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = rl.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	write_many(150);
}
END_TEST

/* An eighth of the limit of the process. */
START_TEST(few_files)
{
	const struct rlimit rl = {100, 100};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	write_many(100 / 8);
}
END_TEST

/* The first failure is returned, and all later files are dropped. */
START_TEST(failed)
{
	const struct timespec mtime = {0, 0};
	struct ovl_err err = {0};
	unsigned before = open_files();
	struct writer *b;
	int rc = 0;

	scratch();
	ck_assert_int_eq(writer_open(&b, &err), 0);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];
		int fd = open("sink", (i == 3 ? O_RDONLY : O_WRONLY) | O_CREAT, 0600);

		snprintf(name, sizeof(name), "file%u", i);
		if (rc == 0)
			rc = writer_begin(b, name, &err);
		if (rc == 0)
			rc = writer_write(b, fd, "x", 1, 0, &err);
		if (rc == 0)
			rc = writer_end(b, fd, &mtime, &err);
		else
			close(fd);
	}
	ck_assert_int_lt(rc, 0);
	err.text[0] = '\0';
	ck_assert_int_lt(writer_wait(b, &err), 0);
	ck_assert_str_eq(err.text, "cannot write 'file3': Bad file descriptor");
	writer_close(b);
	ck_assert_uint_eq(open_files(), before);
	scratch_end();
}
END_TEST

/* Closed while files are in progress: no descriptor stays open. */
START_TEST(closed)
{
	const struct timespec mtime = {0, 0};
	struct ovl_err err = {0};
	unsigned before = open_files();
	struct writer *b;

	scratch();
	writer_close(NULL);
	ck_assert_int_eq(writer_wait(NULL, &err), 0);
	ck_assert_int_eq(writer_open(&b, &err), 0);
	for (unsigned i = 0; i < 40; i++) {
		int fd = open("sink", O_WRONLY | O_CREAT, 0600);

		ck_assert_int_eq(writer_begin(b, "x", &err), 0);
		ck_assert_int_eq(writer_write(b, fd, "x", 1, 0, &err), 0);
		ck_assert_int_eq(writer_end(b, fd, &mtime, &err), 0);
	}
	writer_close(b);
	ck_assert_uint_eq(open_files(), before);
	scratch_end();
}
END_TEST

UNIT("writer", written, few_files, failed, closed)
