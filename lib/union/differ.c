/* SPDX-License-Identifier: ISC */
/* Compares two files in all that a layer keeps of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "union/differ.h"

struct file {
	const struct merged *in;
	unsigned at; /* index of its directory in in */
	int dirfd;
	const char *name;
	struct stat st;
};

static int find_file(const struct merged *s, const char *name, struct file *out)
{
	int r = view_stat(&s->dir, name, &out->st, &out->at);

	if (r <= 0) {
		errno = r ? errno : ENOENT;
		return -1;
	}
	out->in = s;
	out->dirfd = s->dir.fd[out->at];
	out->name = name;
	return 0;
}

static bool owner_differs(const struct stat *a, const struct stat *b)
{
	return a->st_mode != b->st_mode || a->st_uid != b->st_uid ||
		a->st_gid != b->st_gid;
}

static bool stat_differs(const struct stat *a, const struct stat *b)
{
	if (owner_differs(a, b) || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
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
		return errno == EINVAL ? 1 : -1; /* not a symlink any more */
	return x.len != y.len || memcmp(x.data, y.data, x.len) != 0;
}

/* Names and values of the xattrs that a layer keeps of a file, in one buffer. */
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
		if (fs_getxattr_buf(f->dirfd, f->name, names.data + at, &value) < 0) {
			if (errno == ENODATA)
				continue;
			return -1;
		}
		buf_add(out, as, strlen(as) + 1);
		buf_add(out, &value.len, sizeof(value.len));
		buf_add(out, value.data, value.len);
	}
	if (out->failed)
		return fs_fail(ENOMEM);
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

/* The sizes are the same. Metacopy files on top of the same lower file have its data. */
static int content_differs(
	const struct file *a, const struct file *b, const atomic_int *stop)
{
	auto_fd fa = merged_open_file(a->in, a->at, a->name);
	auto_fd fb = -1;
	struct stat x;
	struct stat y;

	if (fa < 0)
		return -1;
	fb = merged_open_file(b->in, b->at, b->name);
	if (fb < 0 || fstat(fa, &x) < 0 || fstat(fb, &y) < 0)
		return -1;
	if (x.st_dev == y.st_dev && x.st_ino == y.st_ino)
		return 0;
	return fs_data_differs(fa, fb, a->st.st_size, stop);
}

int differ_file(const struct merged *a, const struct merged *b, const char *name,
	const struct xattr_policy *xp, const atomic_int *stop)
{
	struct file x;
	struct file y;
	int r;

	if (find_file(a, name, &x) < 0 || find_file(b, name, &y) < 0)
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
	if (!S_ISREG(x.st.st_mode) || x.st.st_size == 0)
		return 0;
	return content_differs(&x, &y, stop);
}

int differ_dir(int a, int b, const struct xattr_policy *xp)
{
	struct file x = {.dirfd = a};
	struct file y = {.dirfd = b};

	if (fstat(a, &x.st) < 0 || fstat(b, &y.st) < 0)
		return -1;
	return owner_differs(&x.st, &y.st) ? 1 : xattrs_differ(&x, &y, xp);
}
