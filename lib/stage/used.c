/* SPDX-License-Identifier: ISC */
/* The time of a layer's last use. See used.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/store.h"
#include "stage/used.h"

static const char used[] = ".used";

/* Not UTIME_NOW: that would be the kernel's clock. */
void used_now(const struct layer *l)
{
	struct timespec times[2];
	int saved = errno;

	clock_gettime(CLOCK_REALTIME, &times[1]);
	times[0] = times[1];
	if (utimensat(l->fd, used, times, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
		auto_fd fd = openat(l->fd, used,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd >= 0)
			futimens(fd, times);
	}
	errno = saved;
}

int64_t used_last(struct ovl_store *st, const struct layer_ref *ref, int64_t created)
{
	int drv_fd = store_driver_dir(st, ref->drv, NULL);
	struct stat sb;

	if (drv_fd < 0 ||
		fstatat(drv_fd, P("%s/%s", ref->id.s, used), &sb, AT_SYMLINK_NOFOLLOW) <
			0)
		return created;
	return sb.st_mtim.tv_sec > created ? sb.st_mtim.tv_sec : created;
}
