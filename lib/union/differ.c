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
	struct differ_at it;
};

static int find_file(const struct merged *s, const char *name, struct file *out)
{
	int r = view_stat(&s->dir, name, &out->it.st, &out->at);

	if (r <= 0) {
		errno = r ? errno : ENOENT;
		return -1;
	}
	out->in = s;
	out->it.dirfd = s->dir.fd[out->at];
	out->it.name = name;
	return 0;
}

/* What stat(2) shows, as bits of enum ovl_deed. */
static int stat_differs(const struct stat *a, const struct stat *b)
{
	int bits = 0;

	if ((a->st_mode ^ b->st_mode) & S_IFMT)
		return OVL_TYPE;
	if (a->st_mode != b->st_mode)
		bits |= OVL_MODE;
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		bits |= OVL_OWNER;
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
		a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
		bits |= OVL_TIME;
	if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode) ?
			a->st_rdev != b->st_rdev :
			!S_ISDIR(a->st_mode) && a->st_size != b->st_size)
		bits |= OVL_DATA;
	return bits;
}

static int link_differs(const struct differ_at *a, const struct differ_at *b)
{
	auto_buf x = {0};
	auto_buf y = {0};

	if (fs_readlink(a->dirfd, a->name, 1 << 16, &x) < 0 ||
		fs_readlink(b->dirfd, b->name, 1 << 16, &y) < 0)
		return errno == EINVAL ? 1 : -1; /* not a symlink any more */
	return x.len != y.len || memcmp(x.data, y.data, x.len) != 0;
}

/* Names and values of the xattrs that a layer keeps of a file, in one buffer. */
static int xattrs_of(
	const struct differ_at *f, const struct xattr_policy *xp, struct buf *out)
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

static int xattrs_differ(const struct differ_at *a, const struct differ_at *b,
	const struct xattr_policy *xp)
{
	auto_buf x = {0};
	auto_buf y = {0};

	if (xattrs_of(a, xp, &x) < 0 || xattrs_of(b, xp, &y) < 0)
		return -1;
	return x.len != y.len || (x.len && memcmp(x.data, y.data, x.len) != 0);
}

/* The sizes are the same. Metacopy files on top of the same lower file have its data. */
static int data_differs(int a, int b, off_t size, const atomic_int *stop)
{
	struct stat x;
	struct stat y;

	if (fstat(a, &x) < 0 || fstat(b, &y) < 0)
		return -1;
	if (x.st_dev == y.st_dev && x.st_ino == y.st_ino)
		return 0;
	return fs_data_differs(a, b, size, stop);
}

static int content_differs(
	const struct file *a, const struct file *b, const atomic_int *stop)
{
	auto_fd fa = merged_open_file(a->in, a->at, a->it.name);
	auto_fd fb = fa < 0 ? -1 : merged_open_file(b->in, b->at, b->it.name);

	return fb < 0 ? -1 : data_differs(fa, fb, a->it.st.st_size, stop);
}

int differ_file(const struct merged *a, const struct merged *b, const char *name,
	const struct xattr_policy *xp, const atomic_int *stop)
{
	struct file x;
	struct file y;
	const struct stat *st = &x.it.st;
	int r;

	if (find_file(a, name, &x) < 0 || find_file(b, name, &y) < 0)
		return -1;
	if (st->st_dev == y.it.st.st_dev && st->st_ino == y.it.st.st_ino)
		return 0;
	if (stat_differs(st, &y.it.st))
		return 1;
	r = xattrs_differ(&x.it, &y.it, xp);
	if (r)
		return r;
	if (S_ISLNK(st->st_mode))
		return link_differs(&x.it, &y.it);
	if (!S_ISREG(st->st_mode) || st->st_size == 0)
		return 0;
	return content_differs(&x, &y, stop);
}

int differ_dir(int a, int b, const struct xattr_policy *xp)
{
	struct differ_at x = {.dirfd = a};
	struct differ_at y = {.dirfd = b};

	if (fstat(a, &x.st) < 0 || fstat(b, &y.st) < 0)
		return -1;
	return stat_differs(&x.st, &y.st) & (OVL_TYPE | OVL_MODE | OVL_OWNER) ?
		1 :
		xattrs_differ(&x, &y, xp);
}

static int open_at(const struct differ_at *f)
{
	return openat(f->dirfd, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* 1 if the data differ, which have the same size; 0, -1. */
static int data_of(
	const struct differ_at *a, const struct differ_at *b, const atomic_int *stop)
{
	auto_fd fa = -1;
	auto_fd fb = -1;

	if (S_ISLNK(a->st.st_mode))
		return link_differs(a, b);
	if (!S_ISREG(a->st.st_mode) || a->st.st_size == 0)
		return 0;
	fa = open_at(a);
	fb = fa < 0 ? -1 : open_at(b);
	return fb < 0 ? -1 : data_differs(fa, fb, a->st.st_size, stop);
}

int differ_what(const struct differ_at *a, const struct differ_at *b, bool data,
	const struct xattr_policy *xp, const atomic_int *stop)
{
	int bits = stat_differs(&a->st, &b->st);
	int r;

	if (bits & OVL_TYPE)
		return bits;
	r = xattrs_differ(a, b, xp);
	if (r > 0)
		bits |= OVL_XATTR;
	if (r >= 0 && data && !(bits & OVL_DATA)) {
		r = data_of(a, b, stop);
		if (r > 0)
			bits |= OVL_DATA;
	}
	return r < 0 ? -1 : bits;
}
