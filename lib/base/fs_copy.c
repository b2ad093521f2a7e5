/* SPDX-License-Identifier: ISC */
/* Copies and compares files: the calls of fs.h that read file data. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/sparse.h"

/* ---- data ------------------------------------------------------------------------- */

struct copying {
	int from;
	int to;
	const atomic_int *stop; /* NULL: never */
};

/* The most that one call copies, so that a stop is noticed. */
#define STEP ((size_t)1 << 24)

static int copy_run(void *ctx, off_t at, off_t n)
{
	const struct copying *c = ctx;
	off_t from = at;

	if (lseek(c->to, at, SEEK_SET) < 0)
		return -1;
	while (n > 0) {
		size_t want = (uint64_t)n < STEP ? (size_t)n : STEP;
		ssize_t got = sendfile(c->to, c->from, &from, want);

		if (fs_stopped(c->stop))
			return fs_fail(EINTR);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fs_fail(got ? errno : EIO); /* the file became shorter */
		n -= got;
	}
	return 0;
}

static int copy_data(const struct copying *c, const struct stat *st)
{
	if (!st->st_size || ioctl(c->to, FICLONE, c->from) == 0)
		return 0;
	if (sparse_map(c->from, st->st_size, SPARSE_BLOCK, copy_run,
		    (void *)(uintptr_t)c) < 0)
		return -1;
	return ftruncate(c->to, st->st_size);
}

static int copy_file(const struct fs_copier *how, int from, const char *name, int to,
	const char *as, const struct stat *st)
{
	auto_fd in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd out = -1;
	struct copying c = {.from = in, .stop = how->stop};

	if (in < 0)
		return -1;
	out = openat(to, as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -1;
	c.to = out;
	if (fs_drop_acls(out, NULL) < 0 || copy_data(&c, st) < 0)
		return -1;
	return fs_copy_meta(in, out, how->xattrs);
}

/* ---- files without data ----------------------------------------------------------- */

static int copy_symlink(int from, const char *name, int to, const char *as)
{
	auto_buf target = {0};

	if (fs_readlink(from, name, 1 << 16, &target) < 0)
		return -1;
	return symlinkat(target.data, to, as);
}

static int chmod_node(int dirfd, const char *name, mode_t mode)
{
	auto_fd fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -1 : fs_chmod_path(fd, mode);
}

/* For a symlink, device or FIFO, which must not be opened. The owner is set first,
 * because that clears bits of the mode. */
static int copy_node(const struct fs_copier *how, int from, const char *name, int to,
	const char *as, const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	bool symlink = S_ISLNK(st->st_mode);
	int rc;

	rc = symlink ? copy_symlink(from, name, to, as) :
		       mknodat(to, as, st->st_mode & (S_IFMT | 0777), st->st_rdev);
	if (rc == 0 && !symlink)
		rc = fs_drop_acls(to, as);
	if (rc == 0)
		rc = fchownat(to, as, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
	if (rc == 0 && !symlink)
		rc = chmod_node(to, as, st->st_mode & 07777);
	if (rc == 0)
		rc = fs_copy_xattrs(from, name, to, as, how->xattrs);
	return rc < 0 ? -1 : utimensat(to, as, times, AT_SYMLINK_NOFOLLOW);
}

int fs_copy(
	const struct fs_copier *how, int from, const char *name, int to, const char *as)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISREG(st.st_mode))
		return copy_file(how, from, name, to, as, &st);
	if (S_ISDIR(st.st_mode))
		return fs_fail(EISDIR);
	return copy_node(how, from, name, to, as, &st);
}

/* ---- comparing --------------------------------------------------------------------- */

#define CHUNK 65536
#define PAGE  4096

void *fs_buffer(size_t n)
{
	return aligned_alloc(PAGE, (n + PAGE - 1) / PAGE * PAGE);
}

/* Where the next data are in a range of a file; size or more if there are none. */
static off_t next_data(int fd, off_t from, off_t at, off_t size)
{
	off_t data = lseek(fd, from + at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : at;
	return data - from;
}

/* Skips ranges that are holes in both. */
static off_t skip_holes(int a, off_t from_a, int b, off_t from_b, off_t at, off_t size)
{
	off_t in_a = next_data(a, from_a, at, size);
	off_t in_b = in_a > at ? next_data(b, from_b, at, size) : at;

	return in_a < in_b ? in_a : in_b;
}

int fs_data_differs(
	int a, off_t from_a, int b, off_t from_b, off_t size, const atomic_int *stop)
{
	auto_free char *two = fs_buffer(2 * CHUNK);
	off_t at = 0;

	while (two && (at = skip_holes(a, from_a, b, from_b, at, size)) < size) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		ssize_t n = fs_pread_upto(a, two, want, (uint64_t)(from_a + at));
		ssize_t m = fs_pread_upto(b, two + CHUNK, want, (uint64_t)(from_b + at));

		if (fs_stopped(stop))
			errno = EINTR;
		if (n < 0 || m < 0 || fs_stopped(stop))
			return -1;
		if (n != m || memcmp(two, two + CHUNK, (size_t)n) != 0)
			return 1;
		if (n == 0)
			return 0;
		at += n;
	}
	return two ? 0 : -1;
}
