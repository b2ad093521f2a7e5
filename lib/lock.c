#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>

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

static int busy(const char *what, struct ovl_err *err)
{
	return err_status(err, OVL_BUSY, "%s is in use by another process", what);
}

/* flock(2) knows no time to wait, and a library sets no alarms: asks again and again. */
static int wait_for(const struct ovl_store *st, int fd, int op)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	struct timespec now;
	struct timespec end;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += st->cfg.wait;
	do {
		nanosleep(&pause, NULL);
		rc = lock_try(fd, op);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (rc == 0 && !store_stopped(st) &&
		(now.tv_sec < end.tv_sec ||
			(now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec)));
	return rc;
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
		return busy(what, err);
	store_waiting(st, what);
	if (st->cfg.wait) {
		rc = wait_for(st, fd, op);
		if (rc < 0)
			return err_sys(err, -rc, "cannot lock %s", what);
		return rc ? 0 : store_stopped(st) ? err_stopped(err) : busy(what, err);
	}
	while (flock(fd, op) < 0) {
		if (errno != EINTR)
			return err_sys(err, errno, "cannot lock %s", what);
		if (store_stopped(st))
			return err_stopped(err);
	}
	return 0;
}

int lock_take_whole(
	const struct ovl_store *st, int fd, const char *what, struct ovl_err *err)
{
	int rc;

	if (st->cfg.wait)
		return lock_take(st, fd, LOCK_EX, what, err);
	rc = lock_try(fd, LOCK_EX);
	if (rc < 0)
		return err_sys(err, -rc, "cannot lock %s", what);
	return rc ? 0 : busy(what, err);
}
