/* SPDX-License-Identifier: ISC */
/* System calls on names in open directories; the only file that uses openat2(2). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"

/* A path for the kernel must be shorter than PATH_MAX; longer ones are opened in hops. */
#define HOP 4000

/* To open for reading what may be something other than a file. */
#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

static int openat2_(int dirfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = resolve,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return (int)fd;
}

const char *fs_path(char out[FS_PATH], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(out, FS_PATH, fmt, ap) >= FS_PATH)
		out[0] = '\0';
	va_end(ap);
	return out;
}

/* False with errno if dirfd is a negative errno. */
static bool is_open(int dirfd)
{
	if (dirfd >= -1 || dirfd == AT_FDCWD)
		return true;
	errno = -dirfd;
	return false;
}

int fs_open_file(int dirfd, const char *name, int flags)
{
	int fd;

	if (!is_open(dirfd))
		return -1;
	flags |= O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
	fd = openat(dirfd, name, flags | O_NOATIME);
	return fd < 0 && errno == EPERM ? openat(dirfd, name, flags) : fd;
}

int fs_open_dir(int dirfd, const char *name)
{
	return fs_open_file(dirfd, name, O_DIRECTORY);
}

int fs_new_dir(int dirfd, const char *name, mode_t mode)
{
	return mkdirat(dirfd, name, mode) < 0 ? -1 : fs_open_dir(dirfd, name);
}

int fs_open_unmounted(int dirfd, const char *name, int flags)
{
	const uint64_t how = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
	int quiet = flags & O_PATH ? 0 : O_NOATIME;
	int fd;

	flags |= O_DIRECTORY | O_NOFOLLOW;
	fd = openat2_(dirfd, name, flags | quiet, how);
	return fd < 0 && errno == EPERM && quiet ? openat2_(dirfd, name, flags, how) : fd;
}

int fs_open_beneath(int root, const char *path, int flags)
{
	const uint64_t how = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	auto_fd at = -1;

	while (strlen(path) > HOP) {
		char hop[HOP + 1];
		size_t n = HOP;
		int next;

		while (n && path[n] != '/')
			n--;
		if (!n)
			return fs_fail(ENAMETOOLONG);
		memcpy(hop, path, n);
		hop[n] = '\0';
		next = openat2_(at < 0 ? root : at, hop, O_PATH | O_DIRECTORY, how);
		if (next < 0)
			return -1;
		close_fdp(&at);
		at = next;
		path += n + 1;
	}
	return openat2_(at < 0 ? root : at, *path ? path : ".", flags | O_NOFOLLOW, how);
}

int fs_open_unread(int root, const char *path, int flags)
{
	int fd = fs_open_beneath(root, path, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? fs_open_beneath(root, path, flags) : fd;
}

/* Linking the descriptor itself needs CAP_DAC_READ_SEARCH, or Linux 6.10. */
int fs_link(int fd, int dirfd, const char *name)
{
	if (linkat(fd, "", dirfd, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	return linkat(
		AT_FDCWD, P("/proc/self/fd/%d", fd), dirfd, name, AT_SYMLINK_FOLLOW);
}

int fs_open_inside(int root, const char *path, bool *followed)
{
	int fd = fs_open_beneath(root, path, O_PATH | O_DIRECTORY);

	if (followed)
		*followed = false;
	if (fd >= 0 || (errno != ELOOP && errno != ENOTDIR) || strlen(path) > HOP)
		return fd;
	if (followed)
		*followed = true;
	return openat2_(root, path, O_PATH | O_DIRECTORY,
		RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int fs_open_within(int root, const char *path)
{
	return openat2_(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int fs_reopen(int fd, int dirfd, const char *path)
{
	auto_fd again = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat is;
	struct stat was;

	if (again < 0 || fstat(again, &is) < 0 || fstat(fd, &was) < 0)
		return -1;
	if (!fs_same(&is, &was))
		return fs_fail(ESTALE);
	return dup3(again, fd, O_CLOEXEC) < 0 ? -1 : 0;
}

int fs_open_link(int root, const char *path, int flags)
{
	return openat2_(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

int fs_path_of(int fd, struct buf *out)
{
	return fs_readlink(AT_FDCWD, P("/proc/self/fd/%d", fd), 1 << 20, out);
}

int fs_path_below(int root, int fd, struct buf *out)
{
	auto_buf base = {0};
	auto_buf full = {0};
	size_t n;

	if (fs_path_of(root, &base) < 0 || fs_path_of(fd, &full) < 0)
		return -1;
	n = base.len == 1 ? 0 : base.len;
	if (full.len < n || memcmp(full.data, base.data, n) != 0 ||
		(full.len > n && full.data[n] != '/'))
		return fs_fail(EXDEV);
	buf_clear(out);
	if (full.len > n)
		buf_add(out, full.data + n + 1, full.len - n - 1);
	else
		buf_add(out, "", 0);
	return 0;
}

int fs_read_fd(int fd, size_t max, struct buf *out)
{
	for (;;) {
		ssize_t n;

		if (!buf_reserve(out, max < 4096 ? max + 1 : 4096))
			return fs_fail(ENOMEM);
		n = read(fd, out->data + out->len, out->size - out->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		out->data[out->len + (size_t)n] = '\0';
		if (!n)
			return 0;
		out->len += (size_t)n;
		if (out->len > max)
			return fs_fail(EFBIG);
	}
}

int fs_read_file(int dirfd, const char *name, size_t max, struct buf *out)
{
	auto_fd fd = is_open(dirfd) ? openat(dirfd, name, FILE_FLAGS) : -1;

	buf_clear(out);
	if (fd < 0)
		return -1;
	return fs_read_fd(fd, max, out) == 0 ? 0 :
					       fs_fail(errno == EISDIR ? EINVAL : errno);
}

int fs_write_new(int dirfd, const char *name, const void *data, size_t len)
{
	auto_fd fd = openat(
		dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	return fs_write_all(fd, data, len);
}

static int sync_file(int dirfd, const char *name)
{
	auto_fd fd = openat(dirfd, name, FILE_FLAGS);

	return fd < 0 ? -1 : fsync(fd);
}

int fs_replace(int dirfd, const char *name, const void *data, size_t len)
{
	const char *temp = P("%s%s.new", *name == '.' ? "" : ".", name);
	int why;

	if (unlinkat(dirfd, temp, 0) < 0 && errno != ENOENT)
		return -1;
	/* A power cut must not leave the new name on a file without its data. */
	if (fs_write_new(dirfd, temp, data, len) == 0 && sync_file(dirfd, temp) == 0 &&
		renameat(dirfd, temp, dirfd, name) == 0)
		return 0;
	why = errno;
	unlinkat(dirfd, temp, 0);
	return fs_fail(why);
}

int fs_temp(int dirfd)
{
	struct ovl_id id;
	int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) ||
		id_random(&id) < 0)
		return fd;
	fd = openat(
		dirfd, id.s, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && unlinkat(dirfd, id.s, 0) < 0)
		close_fdp(&fd);
	return fd;
}

int fs_fill(struct buf *out, size_t max, const struct fs_asked *what,
	ssize_t (*get)(const struct fs_asked *what, char *p, size_t n))
{
	size_t want = 256;
	ssize_t n;

	buf_clear(out);
	for (;; want *= 4) {
		if (!buf_reserve(out, want))
			return fs_fail(ENOMEM);
		n = get(what, out->data, want);
		if (n < 0 ? errno != ERANGE : (size_t)n < want)
			break;
		if (want > max)
			return fs_fail(EFBIG);
	}
	if (n < 0)
		return -1;
	out->len = (size_t)n;
	out->data[n] = '\0';
	return 0;
}

static ssize_t get_target(const struct fs_asked *what, char *p, size_t n)
{
	return readlinkat(what->dirfd, what->name, p, n);
}

int fs_readlink(int dirfd, const char *name, size_t max, struct buf *out)
{
	const struct fs_asked what = {.dirfd = dirfd, .name = name};

	return is_open(dirfd) ? fs_fill(out, max, &what, get_target) : -1;
}

/* Reads at an offset (NULL: at the file position). */
static ssize_t upto(int fd, void *p, size_t n, const uint64_t *offset)
{
	size_t have = 0;

	while (have < n) {
		char *at = (char *)p + have;
		ssize_t got = offset ? pread(fd, at, n - have, (off_t)(*offset + have)) :
				       read(fd, at, n - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

ssize_t fs_read_upto(int fd, void *p, size_t n)
{
	return upto(fd, p, n, NULL);
}

ssize_t fs_pread_upto(int fd, void *p, size_t n, uint64_t offset)
{
	return upto(fd, p, n, &offset);
}

/* Writes at an offset (NULL: at the file position). */
static int write_out(
	int fd, const void *p, size_t n, const uint64_t *offset, const atomic_int *stop)
{
	size_t done = 0;

	while (done < n) {
		const char *at = (const char *)p + done;
		ssize_t got = offset ? pwrite(fd, at, n - done, (off_t)(*offset + done)) :
				       write(fd, at, n - done);

		if (fs_stopped(stop))
			return fs_fail(EINTR);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		done += (size_t)got;
	}
	return 0;
}

int fs_write_until(int fd, const void *p, size_t n, const atomic_int *stop)
{
	return write_out(fd, p, n, NULL, stop);
}

int fs_write_all(int fd, const void *p, size_t n)
{
	return write_out(fd, p, n, NULL, NULL);
}

int fs_pwrite_all(int fd, const void *p, size_t n, uint64_t offset)
{
	return write_out(fd, p, n, &offset, NULL);
}

int fs_chmod_path(int fd, mode_t mode)
{
	return chmod(P("/proc/self/fd/%d", fd), mode);
}

int fs_mkdir(int dirfd, const char *name, mode_t mode)
{
	struct stat st;

	if (mkdirat(dirfd, name, mode) == 0)
		return 0;
	if (errno != EEXIST || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return fs_fail(ENOTDIR);
	return 0;
}

int fs_is_within(int fd, const struct stat *dir)
{
	auto_fd at = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat before = {0};
	struct stat st;

	while (at >= 0 && fstat(at, &st) == 0) {
		int up;

		if (fs_same(&st, dir))
			return 1;
		if (fs_same(&st, &before))
			return 0;
		before = st;
		up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close_fdp(&at);
		at = up;
	}
	return errno == EACCES ? 0 : -1;
}

int fs_exists(int dirfd, const char *name)
{
	struct stat st;

	if (is_open(dirfd) && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

int fs_is(int dirfd, const char *name, int fd)
{
	struct stat named;
	struct stat open;

	if (fstat(fd, &open) < 0)
		return -1;
	if (fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	return fs_same(&named, &open);
}

bool fs_is_same(int a, const char *name_a, int b, const char *name_b)
{
	struct stat x;
	struct stat y;

	return fstatat(a, name_a, &x, AT_SYMLINK_NOFOLLOW) == 0 &&
		fstatat(b, name_b, &y, AT_SYMLINK_NOFOLLOW) == 0 && fs_same(&x, &y);
}

bool fs_is_gone(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP;
}

bool fs_is_overlay(int fd)
{
	struct statfs sf;

	return fstatfs(fd, &sf) == 0 && sf.f_type == OVERLAYFS_SUPER_MAGIC;
}

bool fs_logs_in_order(int fd)
{
	struct statfs sf;

	if (fstatfs(fd, &sf) < 0)
		return false;
	switch (sf.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC: return true;
	default: return false;
	}
}

int fs_cwd_enter(struct fs_cwd *c, int dirfd)
{
	c->old = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fchdir(dirfd) < 0 ? -errno : 0;
}

void fs_cwd_leave(struct fs_cwd *c)
{
	int saved = errno;

	if (c->old < 0 || fchdir(c->old) < 0)
		errno = saved;
	close_fdp(&c->old);
	errno = saved;
}
