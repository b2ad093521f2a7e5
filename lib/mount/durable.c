/* SPDX-License-Identifier: ISC */
/* Brings a writable layer to disk before it is mounted, see durable.h. */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "mount/durable.h"
#include "store/store.h"

/* exists in a layer that has been synced */
static const char synced[] = ".synced";

int durable_for_mount(const struct layer *l, bool again, struct ovl_err *err)
{
	auto_fd fd = -1;
	int rc;

	if (!store_durable(l->st) || fs_logs_in_order(l->fd) ||
		(!again && fs_exists(l->fd, synced) > 0))
		return 0;
	rc = store_sync(l->st, l->fd, err);
	/* Without the file, the layer is synced again next time. */
	if (rc == 0)
		fd = openat(l->fd, synced,
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return rc;
}
