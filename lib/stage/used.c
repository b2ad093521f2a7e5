/* SPDX-License-Identifier: ISC */
/* The time of a layer's last use. See used.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "stage/used.h"

/* Not UTIME_NOW: that would be the kernel's clock. */
void used_now(const struct layer *l)
{
	struct timespec times[2];
	int saved = errno;

	if (l->foreign)
		return;
	clock_gettime(CLOCK_REALTIME, &times[1]);
	times[0] = times[1];
	utimensat(l->fd, META_NAME, times, AT_SYMLINK_NOFOLLOW);
	errno = saved;
}

struct timespec used_last(int dir, const struct ovl_id *id, struct timespec created)
{
	struct stat sb;

	if (fstatat(dir, P("%s/" META_NAME, id->s), &sb, AT_SYMLINK_NOFOLLOW) < 0 ||
		fs_time_order(&sb.st_mtim, &created) < 0)
		return created;
	return sb.st_mtim;
}
