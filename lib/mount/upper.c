/* SPDX-License-Identifier: ISC */
/* Asks the kernel whether a writable layer is the upper of a live mount. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "mount/mountspec.h"
#include "mount/namespaces.h"
#include "mount/superblock.h"
#include "mount/upper.h"
#include "store/driver.h"
#include "store/store.h"

/* ---- unmounted layers ------------------------------------------------------------- */

/* the directory that the kernel creates in the layer's work directory */
static const char kernels[] = "work";
static const char unmounted[] = "unmounted";

#define IN_WORK(l, name) P("%s/%s", (l)->drv->work, name)

static int stat_work(const struct layer *l, struct stat *st)
{
	return fstatat(l->fd, IN_WORK(l, kernels), st, AT_SYMLINK_NOFOLLOW);
}

bool upper_is_idle(const struct layer *l)
{
	struct stat st;

	return stat_work(l, &st) < 0 && errno == ENOENT;
}

struct upper_work upper_before(
	int drv_fd, const struct driver *drv, const struct ovl_id *id)
{
	const char *path = P("%s/%s/%s", id->s, drv->work, kernels);
	struct stat st = {0};
	bool there = fstatat(drv_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

	return (struct upper_work){there, st.st_ino, st.st_ctim};
}

static bool is_same(const struct layer *l, const struct upper_work *before)
{
	struct stat st;

	return stat_work(l, &st) == 0 && before->there && st.st_ino == before->ino &&
		fs_time_order(&st.st_ctim, &before->ctime) == 0;
}

static bool rename_work(const struct layer *l, const char *from, const char *to)
{
	return renameat(l->fd, IN_WORK(l, from), l->fd, IN_WORK(l, to)) == 0;
}

/* What the kernel has left in it, such as its index, must not be kept for a later
 * mount. */
void upper_set_idle(const struct layer *l, const struct upper_work *before)
{
	if (!before || is_same(l, before))
		rename_work(l, kernels, unmounted);
}

bool upper_clear_idle(const struct layer *l)
{
	return rename_work(l, unmounted, kernels);
}

/* ---- asking ----------------------------------------------------------------------- */

/*
 * Makes a work directory on a file system that no upper is on. It must be writable,
 * because otherwise the kernel returns EINVAL before it examines the upper.
 */
static int foreign_work(char path[48], int *fd)
{
	struct statvfs sv;

	if (statvfs("/proc", &sv) == 0 && !(sv.f_flag & ST_RDONLY)) {
		snprintf(path, 48, "/proc");
		return 0;
	}
	*fd = superblock_private(0);
	if (*fd < 0)
		return -1;
	snprintf(path, 48, "/proc/self/fd/%d", *fd);
	return 0;
}

/*
 * Runs in the driver's directory: 0 or the errno of mount(2). The kernel claims an upper
 * before it looks at the work directory, and with index=on returns EBUSY if another mount
 * has it. A work directory on another file system ensures that the mount never succeeds:
 * EINVAL means that the upper is free.
 */
static int try_mount(const struct layer *l, bool userxattr)
{
	auto_fd tmpfs = -1;
	char data[320];
	char work[48];

	if (foreign_work(work, &tmpfs) < 0)
		return errno;
	snprintf(data, sizeof(data), "lowerdir=%s,upperdir=%s%s/%s,workdir=%s,index=on%s",
		MOUNT_EMPTY, l->staged ? MOUNT_STAGED : "", l->id.s, layer_tree_name(l),
		work, userxattr ? ",userxattr" : "");
	if (mount("overlay", MOUNT_EMPTY, "overlay", 0, data) < 0)
		return errno;
	umount2(MOUNT_EMPTY, MNT_DETACH);
	return 0;
}

/* In the new namespace, the process may not have access to it. */
static int try_again(void *ctx)
{
	int rc = try_mount(ctx, true);

	return rc == EACCES ? EPERM : rc;
}

static int answer_of_errno(const struct layer *l, int errnum, struct ovl_err *err)
{
	switch (errnum) {
	case EBUSY: return 1;
	case EINVAL: return 0;
	case EPERM: return -EPERM;
	case 0:
		return err_say(err, EIO,
			"cannot find out whether layer %.12s is mounted: a mount that "
			"should fail did not",
			l->id.s);
	default:
		return err_sys(err, errnum,
			"cannot find out whether layer %.12s is mounted", l->id.s);
	}
}

int upper_ask(const struct layer *l, struct ovl_err *err)
{
	auto_cwd cwd = {-1};
	struct stat sb;
	int rc;

	if (fstatat(l->fd, layer_tree_name(l), &sb, AT_SYMLINK_NOFOLLOW) < 0 &&
		errno == ENOENT)
		return 0;
	rc = store_dir_make(l->st, DIR_EMPTY, err);
	if (rc < 0)
		return rc;
	rc = fs_cwd_enter(&cwd, l->drv_fd);
	if (rc < 0)
		return answer_of_errno(l, rc == -EPERM ? EACCES : -rc, err);
	rc = try_mount(l, l->st->xattrs.user);
	if (rc == EPERM) {
		struct layer copy = *l;

		rc = namespaces_own(try_again, &copy);
		rc = rc < 0 ? EPERM : rc;
	}
	return answer_of_errno(l, rc, err);
}

int upper_ask_long(const struct layer *l, struct ovl_err *err)
{
	int rc = upper_ask(l, err);

	for (unsigned ms = 1; rc > 0 && ms < 500; ms *= 4) {
		nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
		rc = upper_ask(l, err);
	}
	return rc;
}
