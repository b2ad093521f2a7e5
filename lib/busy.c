/* Is an upper in use? The question of mounts.h that only the kernel can answer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "mounts.h"
#include "mountspec.h"
#include "rest.h"
#include "store.h"

/* A file system that nobody else sees. */
static int private_tmpfs(void)
{
	auto_fd ctx = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (ctx < 0 || fsconfig(ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(ctx, FSMOUNT_CLOEXEC, 0);
}

/*
 * A directory that is on another file system than any upper. It must be writable: of
 * one that is not the kernel says EINVAL before it looks at the upper.
 */
static int foreign_work(char path[48], int *fd)
{
	struct statvfs sv;

	if (statvfs("/proc", &sv) == 0 && !(sv.f_flag & ST_RDONLY)) {
		snprintf(path, 48, "/proc");
		return 0;
	}
	*fd = private_tmpfs();
	if (*fd < 0)
		return -1;
	snprintf(path, 48, "/proc/self/fd/%d", *fd);
	return 0;
}

/* In the driver's directory: 0 or the errno that mount(2) answers with. */
static int ask(const struct layer *l, const char *work)
{
	char data[320];

	snprintf(data, sizeof(data), "lowerdir=%s,upperdir=%s/%s,workdir=%s,index=on%s",
		MOUNT_EMPTY, l->id.s, layer_tree_name(l), work,
		l->st->xattrs.user ? ",userxattr" : "");
	if (mount("overlay", MOUNT_EMPTY, "overlay", 0, data) < 0)
		return errno;
	umount2(MOUNT_EMPTY, MNT_DETACH);
	return 0;
}

static int answer(const struct layer *l, int errnum, struct ovl_err *err)
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

/*
 * The kernel takes an upper for itself before it looks at the work directory, and with
 * index=on says EBUSY when another mount has it. A work directory on another file system
 * makes sure that the mount never happens: EINVAL, and the upper is free.
 */
int mounts_upper_busy(const struct layer *l, struct ovl_err *err)
{
	auto_fd cwd = -1;
	auto_fd tmpfs = -1;
	char work[48];
	struct stat sb;
	int rc;

	if (rest_known(l) ||
		(fstatat(l->fd, layer_tree_name(l), &sb, AT_SYMLINK_NOFOLLOW) < 0 &&
			errno == ENOENT))
		return 0;
	rc = store_dir_make(l->st, DIR_EMPTY, err);
	if (rc < 0)
		return rc;
	if (foreign_work(work, &tmpfs) < 0)
		return answer(l, errno == EPERM ? EACCES : errno, err);
	cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fchdir(l->drv_fd) < 0)
		return answer(l, errno == EPERM ? EACCES : errno, err);
	rc = ask(l, work);
	if (cwd >= 0 && fchdir(cwd) < 0)
		return err_sys(err, errno, "cannot go back to the working directory");
	return answer(l, rc, err);
}
