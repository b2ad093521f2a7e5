/* SPDX-License-Identifier: ISC */
/* Compares two files in everything that a layer stores. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "union/differ.h"

static int find_file(const struct merged *s, const char *name, struct differ_at *out)
{
	int r = view_stat(&s->dir, name, &out->st, &out->at);

	if (r <= 0)
		return r ? -1 : fs_fail(ENOENT);
	out->in = s;
	out->dirfd = s->dir.fd[out->at];
	out->name = name;
	return 0;
}

/* Compares the results of stat(2), as bits of enum ovl_effect. */
static int stat_differs(const struct stat *a, const struct stat *b)
{
	int bits = 0;

	if ((a->st_mode ^ b->st_mode) & S_IFMT)
		return OVL_TYPE;
	if (a->st_mode != b->st_mode)
		bits |= OVL_MODE;
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		bits |= OVL_OWNER;
	if (fs_time_order(&a->st_mtim, &b->st_mtim) != 0)
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
		return errno == EINVAL ? 1 : -1; /* no longer a symlink */
	return x.len != y.len || memcmp(x.data, y.data, x.len) != 0;
}

/* Compares the xattrs that belong to a layer. */
static int xattrs_differ(const struct differ_at *a, const struct differ_at *b,
	const struct xattr_policy *xp)
{
	auto_buf x = {0};
	auto_buf y = {0};
	int r;

	if (fs_listxattr(a->dirfd, a->name, &x) < 0 ||
		fs_listxattr(b->dirfd, b->name, &y) < 0)
		return -1;
	fs_keep_xattrs(&x, xattr_inherits, xp);
	fs_keep_xattrs(&y, xattr_inherits, xp);
	r = fs_same_xattrs(a->dirfd, a->name, &x, b->dirfd, b->name, &y);
	return r < 0 ? r : !r;
}

static int open_file(const struct differ_at *f)
{
	if (f->in)
		return merged_open_file(f->in, f->at, f->name);
	return fs_open_file(f->dirfd, f->name, O_NONBLOCK);
}

/* For two files of the same type and size. Metacopy files on the same lower file have its
 * data. */
static int data_differs(
	const struct differ_at *a, const struct differ_at *b, const atomic_int *stop)
{
	auto_fd fa = -1;
	auto_fd fb = -1;
	struct stat x;
	struct stat y;

	if (S_ISLNK(a->st.st_mode))
		return link_differs(a, b);
	if (!S_ISREG(a->st.st_mode) || a->st.st_size == 0)
		return 0;
	fa = open_file(a);
	fb = fa < 0 ? -1 : open_file(b);
	if (fb < 0 || fstat(fa, &x) < 0 || fstat(fb, &y) < 0)
		return -1;
	if (fs_same(&x, &y))
		return 0;
	return fs_data_differs(fa, 0, fb, 0, a->st.st_size, stop);
}

int differ_what(const struct differ_at *a, const struct differ_at *b, enum differ_how how,
	const struct xattr_policy *xp, const atomic_int *stop)
{
	int bits = stat_differs(&a->st, &b->st);
	int r;

	if (bits & OVL_TYPE || (bits && how == DIFFER_ANY))
		return bits;
	r = xattrs_differ(a, b, xp);
	if (r > 0)
		bits |= OVL_XATTR;
	if (r < 0 || bits & OVL_DATA || (bits && how == DIFFER_ANY) || how == DIFFER_META)
		return r < 0 ? r : bits;
	r = data_differs(a, b, stop);
	return r > 0 ? bits | OVL_DATA : r < 0 ? r : bits;
}

int differ_file(const struct merged *a, const struct merged *b, const char *name,
	const struct xattr_policy *xp, const atomic_int *stop)
{
	struct differ_at x = {0};
	struct differ_at y = {0};
	int r;

	if (find_file(a, name, &x) < 0 || find_file(b, name, &y) < 0)
		return -1;
	if (fs_same(&x.st, &y.st))
		return 0;
	r = differ_what(&x, &y, DIFFER_ANY, xp, stop);
	return r > 0 ? 1 : r;
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
