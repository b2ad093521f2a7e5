#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "differ.h"
#include "fs.h"

struct file {
	int dirfd;
	const char *name;
	struct stat st;
};

static int find(const struct view *v, const char *name, struct file *out)
{
	unsigned at;

	if (view_stat(v, name, &out->st, &at) <= 0)
		return -1;
	out->dirfd = v->fd[at];
	out->name = name;
	return 0;
}

static bool stat_differs(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid ||
		a->st_gid != b->st_gid || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
		a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		return true;
	if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode))
		return a->st_rdev != b->st_rdev;
	return !S_ISDIR(a->st_mode) && a->st_size != b->st_size;
}

static int link_differs(const struct file *a, const struct file *b)
{
	auto_buf x = {0};
	auto_buf y = {0};

	if (fs_readlink(a->dirfd, a->name, 1 << 16, &x) < 0 ||
		fs_readlink(b->dirfd, b->name, 1 << 16, &y) < 0)
		return -1;
	return x.len != y.len || memcmp(x.data, y.data, x.len) != 0;
}

/* Names and values of the xattrs that go along with a file, in one run of bytes. */
static int xattrs_of(const struct file *f, const struct xattr_policy *xp, struct buf *out)
{
	auto_buf names = {0};
	auto_buf value = {0};

	if (fs_listxattr(f->dirfd, f->name, &names) < 0)
		return -1;
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1) {
		char as[XATTR_MAX_NAME + 16];

		if (!xattr_out(xp, names.data + at, as))
			continue;
		if (fs_getxattr_buf(f->dirfd, f->name, names.data + at, &value) < 0)
			return -1;
		buf_add(out, as, strlen(as) + 1);
		buf_add(out, &value.len, sizeof(value.len));
		buf_add(out, value.data, value.len);
	}
	if (out->failed) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int xattrs_differ(
	const struct file *a, const struct file *b, const struct xattr_policy *xp)
{
	auto_buf x = {0};
	auto_buf y = {0};

	if (xattrs_of(a, xp, &x) < 0 || xattrs_of(b, xp, &y) < 0)
		return -1;
	return x.len != y.len || (x.len && memcmp(x.data, y.data, x.len) != 0);
}

#define CHUNK 65536

static ssize_t fill(int fd, char *p)
{
	size_t have = 0;

	while (have < CHUNK) {
		ssize_t n = read(fd, p + have, CHUNK - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static int content_differs(const struct file *a, const struct file *b)
{
	auto_fd fa = openat(a->dirfd, a->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd fb = openat(b->dirfd, b->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_free char *two = malloc(2 * CHUNK);

	if (fa < 0 || fb < 0 || !two)
		return -1;
	for (;;) {
		ssize_t n = fill(fa, two);
		ssize_t m = fill(fb, two + CHUNK);

		if (n < 0 || m < 0)
			return -1;
		if (n != m || memcmp(two, two + CHUNK, (size_t)n) != 0)
			return 1;
		if (n < CHUNK)
			return 0;
	}
}

int differ(const struct view *a, const struct view *b, const char *name,
	const struct xattr_policy *xp)
{
	struct file x;
	struct file y;
	int r;

	if (find(a, name, &x) < 0 || find(b, name, &y) < 0)
		return -1;
	if (x.st.st_dev == y.st.st_dev && x.st.st_ino == y.st.st_ino)
		return 0;
	if (stat_differs(&x.st, &y.st))
		return 1;
	r = xattrs_differ(&x, &y, xp);
	if (r)
		return r;
	if (S_ISLNK(x.st.st_mode))
		return link_differs(&x, &y);
	return S_ISREG(x.st.st_mode) ? content_differs(&x, &y) : 0;
}
