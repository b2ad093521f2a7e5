/*
 * A command in mount, pid and ipc namespaces of its own.
 *
 *	this process	waits, forwards signals, stops and continues with the command
 *	   |
 *	   | child	pid 1 of the namespace: makes the file system, reaps; it is killed
 *	   |		when its parent dies, and everything in the namespace with it
 *	   v
 *	the command	in the process group and session of this process
 *
 * It stays in that process group because the others of a pipeline are in it too: what the
 * terminal sends goes to all of them, and who may read from it does not change. A signal
 * that another process sends to this one alone is passed on.
 */
#ifndef OVL_SPAWN_H
#define OVL_SPAWN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { SPAWN_FAILED = 125, SPAWN_CANNOT_RUN = 126, SPAWN_NOT_FOUND = 127 };

struct spawn {
	/* Called in pid 1: makes the command's root directory the current root. 0 or an
	 * error. */
	int (*enter)(void *ctx, struct ovl_err *err);
	void *ctx;
	char *const *argv; /* looked up in $PATH inside */
	const char *dir; /* working directory; NULL: the one set by enter() */
	mode_t umask;
	uint64_t nofile; /* soft limit of open files */
};

/*
 * Returns when the command and all its descendants have ended, and with them all mounts
 * of the namespace. *status: as in the shell, 128 plus the signal if one ended it. On
 * failure *status is one of SPAWN_*. -EINTR: a signal came before the command was
 * started; it has been raised.
 */
int spawn_run(const struct spawn *s, int *status, struct ovl_err *err);

#endif
