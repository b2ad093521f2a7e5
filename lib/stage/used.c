/* SPDX-License-Identifier: ISC */
/* The time of a layer's last use. See used.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "stage/used.h"

static const char used[] = ".used";

/* Not UTIME_NOW: that would be the kernel's clock. */
void used_now(const struct layer *l)
{
	struct timespec times[2];
	int saved = errno;

	if (l->foreign)
		return;
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

struct timespec used_last(int dir, const struct ovl_id *id, struct timespec created)
{
	struct stat sb;

	if (fstatat(dir, P("%s/%s", id->s, used), &sb, AT_SYMLINK_NOFOLLOW) < 0 ||
		fs_time_order(&sb.st_mtim, &created) < 0)
		return created;
	return sb.st_mtim;
}
