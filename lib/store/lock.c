/* SPDX-License-Identifier: ISC */
/* flock(2) with a timeout, and the store's lock; lock.h has the order of locks. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/holder.h"
#include "base/quote.h"
#include "store/lock.h"
#include "store/stamp.h"
#include "store/store.h"

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

/* Reports a lock that is held, and by whom. The holder may have released it by then, so
 * this tries again first. 0: the lock was taken after all. */
static int busy(int fd, int op, const char *what, struct ovl_err *err)
{
	char who[HOLDER_SIZE];

	for (int i = 0; i < 3; i++) {
		if (holder_of(fd, false, true, who))
			return err_status(err, OVL_BUSY,
				"%s is in use by another process: %s", what, who);
		if (lock_try(fd, op) > 0)
			return 0;
	}
	return err_status(err, OVL_BUSY,
		"%s is in use by another process, which cannot be seen from here", what);
}

/* Waiting is done by polling: flock(2) has no timeout, and a library must not use
 * alarms. */
struct wait {
	const struct ovl_store *st;
	struct timespec end;
	long ms; /* of the next pause */
	clock_t used; /* processor time until the last pause */
};

static struct wait wait_begin(const struct ovl_store *st, unsigned seconds)
{
	struct wait w = {.st = st, .ms = 1, .used = clock()};

	clock_gettime(CLOCK_MONOTONIC, &w.end);
	w.end.tv_sec += seconds;
	return w;
}

/* Pauses, longer each time, and at least four times as long as asking has taken; false
 * if the time was over before, or the stop flag is set. */
static bool wait_more(struct wait *w)
{
	long asking = (clock() - w->used) / (CLOCKS_PER_SEC / 4000);
	long ms = asking > w->ms ? asking : w->ms;
	const struct timespec pause = {.tv_nsec = (ms < 900 ? ms : 900) * 1000 * 1000};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (fs_time_order(&now, &w->end) >= 0)
		return false;
	w->used = clock();
	nanosleep(&pause, NULL);
	w->ms = w->ms < 50 ? w->ms * 2 : 100;
	return !store_stopped(w->st);
}

/* Waits for a lock: 1 taken, 0 timed out, negative errno. */
static int wait_for(const struct ovl_store *st, unsigned seconds, int fd, int op)
{
	struct wait w = wait_begin(st, seconds);
	int rc;

	do
		rc = lock_try(fd, op);
	while (rc == 0 && wait_more(&w));
	return rc;
}

/* Takes a lock within that many seconds; 0: waits for ever; with LOCK_NB not at all. 1
 * taken, 0 timed out, negative errno. */
static int take_within(const struct ovl_store *st, unsigned seconds, int fd, int op,
	const char *what, struct ovl_err *err)
{
	bool waits = !(op & LOCK_NB);
	int rc = lock_try(fd, op);

	if (rc == 0 && waits) {
		store_waiting(st, "waiting for another process to finish with %s", what);
		rc = seconds ? wait_for(st, seconds, fd, op) : 0;
	}
	while (rc == 0 && waits && !seconds && !store_stopped(st))
		rc = flock(fd, op) == 0 ? 1 : errno == EINTR ? 0 : -errno;
	if (rc < 0)
		return err_sys(err, -rc, "cannot lock %s", what);
	return !rc && waits && store_stopped(st) ? err_stopped(err) : rc;
}

static int take_or_say(const struct ovl_store *st, unsigned seconds, int fd, int op,
	const char *what, struct ovl_err *err)
{
	int rc = take_within(st, seconds, fd, op, what, err);

	return rc == 0 ? busy(fd, op, what, err) : rc < 0 ? rc : 0;
}

int lock_take(
	const struct ovl_store *st, int fd, int op, const char *what, struct ovl_err *err)
{
	return take_or_say(
		st, st->cfg.wait, fd, st->cfg.nowait ? op | LOCK_NB : op, what, err);
}

int lock_moment(
	const struct ovl_store *st, int fd, int op, const char *what, struct ovl_err *err)
{
	return take_or_say(st, st->cfg.nowait ? 1 : st->cfg.wait, fd, op, what, err);
}

int lock_brief(
	const struct ovl_store *st, int fd, int op, const char *what, struct ovl_err *err)
{
	int rc = take_within(st, 1, fd, op, what, err);

	return rc == 0 ? -EBUSY : rc < 0 ? rc : 0;
}

int lock_all(const struct ovl_store *st, int (*all)(void *ctx, struct ovl_err *err),
	void *ctx, struct ovl_err *err)
{
	struct wait w = wait_begin(st, st->cfg.wait);
	int rc = all(ctx, err);

	if (rc != -EBUSY || err->status != OVL_BUSY || !st->cfg.wait || st->cfg.nowait)
		return rc;
	store_waiting(st, "waiting: %s", err->text);
	while (rc == -EBUSY && err->status == OVL_BUSY && wait_more(&w))
		rc = all(ctx, err);
	return rc < 0 && store_stopped(st) ? err_stopped(err) : rc;
}

/* ---- the store's lock ------------------------------------------------------------- */

static int open_lock(struct ovl_store *st)
{
	if (st->lock_fd < 0)
		st->lock_fd = openat(st->fd, STORE_LOCK,
			O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	/* On a read-only file system there are no writers to lock out. */
	if (st->lock_fd < 0 && errno == EROFS)
		st->lock_fd = fcntl(st->fd, F_DUPFD_CLOEXEC, 0);
	return st->lock_fd;
}

static int take(struct ovl_store *st, int op, struct ovl_err *err,
	int (*how)(const struct ovl_store *st, int fd, int op, const char *what,
		struct ovl_err *err))
{
	if (open_lock(st) < 0)
		return err_sys(err, errno, "cannot open the lock of %s", Q(st->root));
	return how(st, st->lock_fd, op, "the store", err);
}

int store_lock(struct ovl_store *st, int op, struct ovl_err *err)
{
	return take(st, op, err, lock_moment);
}

int store_lock_brief(struct ovl_store *st, struct ovl_err *err)
{
	int rc = take(st, st->lock_busy ? LOCK_EX | LOCK_NB : LOCK_EX, err, lock_brief);

	st->lock_busy = rc == -EBUSY;
	return rc;
}

void store_unlock(struct ovl_store *st)
{
	if (st->lock_fd >= 0)
		flock(st->lock_fd, LOCK_UN);
}
