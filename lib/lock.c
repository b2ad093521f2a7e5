#include <errno.h>
#include <stdio.h>
#include <sys/file.h>

#include "err.h"
#include "lock.h"
#include "store.h"

int lock_try(int fd, int op)
{
	int rc;

	do
		rc = flock(fd, op | LOCK_NB);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 1;
	return errno == EWOULDBLOCK ? 0 : -errno;
}

int lock_take(
	const struct ovl_store *st, int fd, int op, const char *what, struct ovl_err *err)
{
	int rc = lock_try(fd, op);

	if (rc > 0)
		return 0;
	if (rc < 0)
		return err_sys(err, -rc, "cannot lock %s", what);
	if (st->cfg.nowait)
		return err_status(err, OVL_BUSY, "%s is in use by another process", what);
	store_waiting(st, what);
	while (flock(fd, op) < 0) {
		if (errno != EINTR)
			return err_sys(err, errno, "cannot lock %s", what);
		if (store_stopped(st))
			return err_stopped(err);
	}
	return 0;
}
