/* SPDX-License-Identifier: ISC */
/* Extended attributes of names in open directories, through /proc/self/fd; project
 * ids. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/xattr.h"

/*
 * setxattrat(2) is too new (6.13), and f*xattr need a descriptor opened for reading,
 * which must not be done to a symlink or device. The l* calls on /proc/self/fd/N/NAME
 * resolve NAME in that directory and do not follow it.
 */
#define IN(dirfd, name) P("/proc/self/fd/%d/%s", dirfd, name)

ssize_t fs_getxattr(int dirfd, const char *name, const char *attr, void *p, size_t n)
{
	if (!name)
		return fgetxattr(dirfd, attr, p, n);
	return lgetxattr(IN(dirfd, name), attr, p, n);
}

int fs_setxattr(int dirfd, const char *name, const char *attr, const void *p, size_t n)
{
	if (!name)
		return fsetxattr(dirfd, attr, p, n, 0);
	return lsetxattr(IN(dirfd, name), attr, p, n, 0);
}

int fs_setxattr_path(int fd, const char *attr, const void *p, size_t n)
{
	return setxattr(P("/proc/self/fd/%d", fd), attr, p, n, 0);
}

int fs_removexattr(int dirfd, const char *name, const char *attr)
{
	if (!name)
		return fremovexattr(dirfd, attr);
	return lremovexattr(IN(dirfd, name), attr);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_names(struct buf *list)
{
	auto_buf copy = {0};
	auto_free const char **names = NULL;
	size_t n = 0;
	size_t i = 0;

	for (size_t at = 0; at < list->len; at += strlen(list->data + at) + 1)
		n++;
	if (n < 2)
		return 0;
	buf_add(&copy, list->data, list->len);
	names = calloc(n, sizeof(*names));
	if (copy.failed || !names)
		return fs_fail(ENOMEM);
	for (size_t at = 0; at < copy.len; at += strlen(copy.data + at) + 1)
		names[i++] = copy.data + at;
	qsort(names, n, sizeof(*names), by_bytes);
	buf_clear(list);
	for (i = 0; i < n; i++)
		buf_add(list, names[i], strlen(names[i]) + 1);
	return 0;
}

void fs_keep_xattrs(struct buf *list, bool (*keep)(const void *ctx, const char *attr),
	const void *ctx)
{
	size_t kept = 0;

	for (size_t at = 0, next; at < list->len; at = next) {
		const char *attr = list->data + at;
		size_t n = strlen(attr) + 1;

		next = at + n;
		if (!keep(ctx, attr))
			continue;
		memmove(list->data + kept, attr, n);
		kept += n;
	}
	list->len = kept;
}

static bool is_of_layer(const void *ctx, const char *attr)
{
	(void)ctx;
	return xattr_is_of_layer(attr);
}

static ssize_t get_list(const struct fs_asked *what, char *p, size_t n)
{
	if (!what->name)
		return flistxattr(what->dirfd, p, n);
	return llistxattr(IN(what->dirfd, what->name), p, n);
}

int fs_listxattr(int dirfd, const char *name, struct buf *out)
{
	const struct fs_asked what = {.dirfd = dirfd, .name = name};

	if (fs_fill(out, 1 << 20, &what, get_list) < 0)
		return errno == EOPNOTSUPP ? 0 : -1;
	fs_keep_xattrs(out, is_of_layer, NULL);
	return sort_names(out);
}

static ssize_t get_value(const struct fs_asked *what, char *p, size_t n)
{
	return fs_getxattr(what->dirfd, what->name, what->attr, p, n);
}

int fs_getxattr_buf(int dirfd, const char *name, const char *attr, struct buf *out)
{
	const struct fs_asked what = {.dirfd = dirfd, .name = name, .attr = attr};

	return fs_fill(out, 1 << 20, &what, get_value);
}

int fs_same_xattrs(int a, const char *name_a, const struct buf *list_a, int b,
	const char *name_b, const struct buf *list_b)
{
	bool same = list_a->len == list_b->len &&
		(!list_a->len || memcmp(list_a->data, list_b->data, list_a->len) == 0);
	auto_buf x = {0};
	auto_buf y = {0};

	for (size_t at = 0; same && at < list_a->len;
		at += strlen(list_a->data + at) + 1) {
		const char *attr = list_a->data + at;

		if (fs_getxattr_buf(a, name_a, attr, &x) < 0 ||
			fs_getxattr_buf(b, name_b, attr, &y) < 0)
			return errno == ENODATA ? 0 : -1; /* it was removed just now */
		same = x.len == y.len && (!x.len || memcmp(x.data, y.data, x.len) == 0);
	}
	return same;
}

static int drop_xattr(int dirfd, const char *name, const char *attr)
{
	return fs_removexattr(dirfd, name, attr) < 0 && errno != ENODATA &&
			errno != EOPNOTSUPP ?
		-1 :
		0;
}

int fs_drop_acls(int dirfd, const char *name)
{
	auto_buf names = {0};
	int rc = fs_listxattr(dirfd, name, &names);

	/* To remove what is not there would start two transactions. */
	if (rc == 0 && !names.len)
		return 0;
	rc = drop_xattr(dirfd, name, XATTR_ACL_DEFAULT);
	return rc < 0 ? rc : drop_xattr(dirfd, name, XATTR_ACL_ACCESS);
}

int fs_drop_xattrs(int fd)
{
	auto_buf names = {0};
	int rc = fs_listxattr(fd, NULL, &names);

	for (size_t at = 0; rc == 0 && at < names.len; at += strlen(names.data + at) + 1)
		rc = drop_xattr(fd, NULL, names.data + at);
	return rc;
}

int fs_copy_xattrs(
	int from, const char *name, int to, const char *as, const struct xattr_policy *xp)
{
	auto_buf names = {0};
	auto_buf value = {0};

	if (fs_listxattr(from, name, &names) < 0)
		return -1;
	for (size_t at = 0; at < names.len; at += strlen(names.data + at) + 1) {
		const char *attr = names.data + at;

		if (xp && !xattr_inherits(xp, attr))
			continue;
		if (fs_getxattr_buf(from, name, attr, &value) < 0 ||
			fs_setxattr(to, as, attr, value.data, value.len) < 0)
			return -1;
	}
	return 0;
}

int fs_copy_meta(int from, int to, const struct xattr_policy *xp)
{
	struct timespec times[2];
	struct stat src;
	struct stat dst;
	mode_t mode;

	if (fstat(from, &src) < 0 || fstat(to, &dst) < 0)
		return -1;
	mode = src.st_mode & 07777;
	if ((src.st_uid != dst.st_uid || src.st_gid != dst.st_gid) &&
		fchown(to, src.st_uid, src.st_gid) < 0)
		return -1;
	/* Only root may set xattrs of a file that its owner may not write to. */
	if (mode != (dst.st_mode & 07777) && fchmod(to, mode | S_IWUSR) < 0)
		return -1;
	if (fs_copy_xattrs(from, NULL, to, NULL, xp) < 0)
		return -1;
	if (mode != (dst.st_mode & 07777) && !(mode & S_IWUSR) && fchmod(to, mode) < 0)
		return -1;
	times[0] = src.st_atim;
	times[1] = src.st_mtim;
	return futimens(to, times);
}

/* Copies the ACLs, the default one first, as it does not open the directory to anybody: 1;
 * 0 if that fails: it has none then, and the group bits of its mode, which were the mask,
 * mean something else; -1. */
static int keep_acls(int fd, int dirfd, const char *name, bool group)
{
	static const char *const attr[] = {XATTR_ACL_DEFAULT, XATTR_ACL_ACCESS};
	auto_buf value = {0};

	for (int i = 0; i < 2; i++) {
		if (fs_getxattr_buf(dirfd, name, attr[i], &value) < 0) {
			if (errno != ENODATA && errno != EOPNOTSUPP)
				return -1;
		} else if (!group ||
			fs_setxattr(fd, NULL, attr[i], value.data, value.len) < 0) {
			return fs_drop_acls(fd, NULL);
		}
	}
	return 1;
}

/* EINVAL: the owner or group is not mapped in this user namespace. */
int fs_be_like(int fd, int dirfd, const char *name, const struct stat *old)
{
	mode_t mode = old->st_mode & 07777;
	bool owner = fchown(fd, old->st_uid, old->st_gid) == 0;
	bool group = owner || fchown(fd, (uid_t)-1, old->st_gid) == 0;
	int acls;

	if ((!group && errno != EPERM && errno != EINVAL) || fs_drop_acls(fd, NULL) < 0)
		return -1;
	acls = keep_acls(fd, dirfd, name, group);
	if (acls < 0)
		return -1;
	if (!acls) {
		mode &= (mode_t) ~(S_IRWXG | S_IRWXO);
	} else if (!group) {
		/* What both the old group and all others could do, because members of
		 * either group may now be in the other class. */
		mode_t both = mode >> 3 & mode & S_IRWXO;

		mode = (mode & (mode_t) ~(S_IRWXG | S_IRWXO)) | both << 3 | both;
	}
	return fchmod(fd, owner ? mode : mode & 01777) < 0 ? -1 : !owner || !acls;
}

/* ---- project ids ------------------------------------------------------------------ */

static int get_project(int fd, struct fsxattr *x)
{
	return ioctl(fd, FS_IOC_FSGETXATTR, x);
}

/* Gives name in dirfd the project id of the directory dest. 1: it was changed, *was is
 * the old one and fd is open; 0: it is the same, or there are no project ids. */
static int take_project(int dirfd, const char *name, int dest, int *fd, uint32_t *was)
{
	auto_fd dir = fs_open_dir(dest, ".");
	auto_fd file = openat(
		dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct fsxattr want;
	struct fsxattr have;

	if (dir < 0 || file < 0 || get_project(dir, &want) < 0 ||
		get_project(file, &have) < 0 || want.fsx_projid == have.fsx_projid)
		return 0;
	*was = have.fsx_projid;
	have.fsx_projid = want.fsx_projid;
	if (ioctl(file, FS_IOC_FSSETXATTR, &have) < 0)
		return 0;
	*fd = steal_fd(&file);
	return 1;
}

static void restore_project(int fd, uint32_t project)
{
	struct fsxattr x;

	if (fd >= 0 && get_project(fd, &x) == 0) {
		x.fsx_projid = project;
		ioctl(fd, FS_IOC_FSSETXATTR, &x);
	}
}

int fs_rename(int fromdir, const char *from, int todir, const char *to, unsigned flags)
{
	auto_fd a = -1;
	auto_fd b = -1;
	uint32_t had_a = 0;
	uint32_t had_b = 0;
	int changed;

	if (renameat2(fromdir, from, todir, to, flags) == 0)
		return 0;
	if (errno != EXDEV)
		return -1;
	changed = take_project(fromdir, from, todir, &a, &had_a);
	if (flags & RENAME_EXCHANGE)
		changed |= take_project(todir, to, fromdir, &b, &had_b);
	if (changed && renameat2(fromdir, from, todir, to, flags) == 0)
		return 0;
	changed = changed ? errno : EXDEV;
	restore_project(a, had_a);
	restore_project(b, had_b);
	return fs_fail(changed);
}
