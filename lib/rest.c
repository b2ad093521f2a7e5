#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "fs.h"
#include "lock.h"
#include "rest.h"

/* In the layer's work directory. */
static const char kernels[] = "work";

static int stat_work(const struct layer *l, struct stat *st)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", l->drv->work, kernels);
	return fstatat(l->fd, path, st, AT_SYMLINK_NOFOLLOW);
}

bool rest_known(const struct layer *l)
{
	struct stat st;

	return stat_work(l, &st) < 0 && errno == ENOENT;
}

/*
 * Has the kernel a superblock with that number? ustat(2) looks at all of them, those too
 * that are detached or in another mount namespace; new architectures do not have it.
 */
static bool is_live(dev_t dev)
{
#ifdef SYS_ustat
	char room[64]; /* struct ustat has 32 bytes at most */

	return syscall(SYS_ustat, (unsigned)dev, room) == 0 || errno != EINVAL;
#else
	(void)dev;
	return true;
#endif
}

void rest_before(const struct layer *l, struct rest_mark *out)
{
	struct stat st;

	out->there = stat_work(l, &st) == 0;
	if (out->there) {
		out->ino = st.st_ino;
		out->ctime = st.st_ctim;
	}
}

void rest_after(int work, const struct rest_mark *before, dev_t dev)
{
	struct stat st;

	if (!before->there || is_live(dev))
		return;
	if (fstatat(work, kernels, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_ino == before->ino && st.st_ctim.tv_sec == before->ctime.tv_sec &&
		st.st_ctim.tv_nsec == before->ctime.tv_nsec)
		unlinkat(work, kernels, AT_REMOVEDIR);
}
