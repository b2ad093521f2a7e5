/* SPDX-License-Identifier: ISC */
/* Whiteouts and opaque directories, in all their forms on disk and in a tar. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/fs.h"
#include "union/whiteout.h"

struct attr {
	char name[64];
};

static const char *live(struct attr *a, const struct xattr_policy *p, const char *mark)
{
	snprintf(a->name, sizeof(a->name), "%s%s", xattr_live_prefix(p), mark);
	return a->name;
}

enum wh_name wh_parse(const char *name, const char **hidden)
{
	const size_t n = sizeof(WH_PREFIX) - 1;
	const char *rest = name + n;

	if (strncmp(name, WH_PREFIX, n) != 0)
		return WH_NONE;
	if (strcmp(name, WH_OPAQUE) == 0)
		return WH_OPQ;
	if (strncmp(rest, WH_PREFIX, n) == 0)
		return WH_IGNORED;
	if (!*rest || strcmp(rest, ".") == 0 || strcmp(rest, "..") == 0)
		return WH_BAD;
	*hidden = rest;
	return WH_HIDES;
}

bool wh_is_plnk(const char *path)
{
	const size_t n = sizeof(WH_PLNK) - 1;

	return strncmp(path, WH_PLNK "/", n + 1) == 0 && !strchr(path + n + 1, '/');
}

/* True if errno, from reading an xattr, means that the xattr does not exist or has an
 * invalid value, rather than that it could not be read. */
static bool has_none(void)
{
	return errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE;
}

int wh_dir_marks(const struct xattr_policy *p, int dirfd, enum wh_dir *out)
{
	struct attr a;
	char value[2];
	ssize_t n = fs_getxattr(dirfd, NULL, live(&a, p, "opaque"), value, sizeof(value));

	*out = WH_MERGES;
	if (n < 0)
		return has_none() ? 0 : -1;
	if (n == 1 && value[0] == 'y')
		*out = WH_OPAQUE_Y;
	else if (n == 1 && value[0] == 'x')
		*out = WH_OPAQUE_X;
	return 0;
}

int wh_set_opaque(const struct xattr_policy *p, int dirfd)
{
	struct attr a;

	return fs_setxattr(dirfd, NULL, live(&a, p, "opaque"), "y", 1);
}

bool wh_is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* 1 if it has the value, 0 if not, -1 with errno. */
static int has_xattr(
	const struct xattr_policy *p, int dirfd, const char *name, const char *mark)
{
	struct attr a;

	if (fs_getxattr(dirfd, name, live(&a, p, mark), NULL, 0) >= 0)
		return 1;
	return has_none() ? 0 : -1;
}

int wh_is_whiteout(const struct xattr_policy *p, int dirfd, const char *name,
	const struct stat *st, enum wh_dir marks)
{
	if (wh_is_device(st))
		return 1;
	if (marks != WH_OPAQUE_X || !S_ISREG(st->st_mode) || st->st_size)
		return 0;
	return has_xattr(p, dirfd, name, "whiteout");
}

int wh_make(int dirfd, const char *name)
{
	return mknodat(dirfd, name, S_IFCHR, makedev(0, 0));
}

int wh_is_metacopy(const struct xattr_policy *p, int dirfd, const char *name)
{
	return has_xattr(p, dirfd, name, "metacopy");
}

int wh_redirect(
	const struct xattr_policy *p, int dirfd, const char *name, struct buf *out)
{
	struct attr a;

	if (fs_getxattr_buf(dirfd, name, live(&a, p, "redirect"), out) == 0)
		return out->len > 0;
	return has_none() ? 0 : -1;
}

/* The xattr is a file handle: VERSION MAGIC LENGTH FLAGS TYPE UUID[16] HANDLE. */
enum { FH_MAGIC = 1, FH_TYPE = 4, FH_HANDLE = 21 };

static bool is_handle_of(const unsigned char *mark, size_t n, int dirfd, bool *known)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = {.h = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount;

	*known = n > FH_HANDLE && mark[0] == 0 && mark[FH_MAGIC] == 0xfb &&
		name_to_handle_at(dirfd, "", &u.h, &mount, AT_EMPTY_PATH) == 0;
	return *known && u.h.handle_type == mark[FH_TYPE] &&
		u.h.handle_bytes == n - FH_HANDLE &&
		memcmp(u.h.f_handle, mark + FH_HANDLE, n - FH_HANDLE) == 0;
}

int wh_origin(const struct xattr_policy *p, int upper, int below, enum wh_origin *out)
{
	unsigned char mark[FH_HANDLE + MAX_HANDLE_SZ];
	struct attr a;
	ssize_t n = fs_getxattr(upper, NULL, live(&a, p, "origin"), mark, sizeof(mark));
	bool known = false;
	bool same;

	*out = WH_ORIGIN_NONE;
	if (n < 0)
		return has_none() ? 0 : -1;
	same = below >= 0 && is_handle_of(mark, (size_t)n, below, &known);
	*out = same ? WH_ORIGIN_SAME : known ? WH_ORIGIN_OTHER : WH_ORIGIN_UNKNOWN;
	return 0;
}

int wh_drop_redirect(const struct xattr_policy *p, int dirfd, const char *name)
{
	struct attr a;

	if (fs_removexattr(dirfd, name, live(&a, p, "redirect")) == 0)
		return 0;
	return has_none() ? 0 : -1;
}
