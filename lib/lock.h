/*
 * Locks are flock(2) on open directories and files: the kernel drops them when their
 * holder ends, however it ends, so no lock is ever stale.
 *
 *   layer directory   shared: someone reads it, builds on it or mounts it
 *                     exclusive: rm, commit
 *   <id>/work         exclusive for the moment of a mount, so that two mounts of one
 *                     upper cannot pass each other between asking and mounting
 *   names/            exclusive while a name is moved or taken away
 *   lock              shared between making l/<link> and renaming the layer in;
 *                     exclusive for who looks for links that lead nowhere
 *   staging/X,
 *   trash/X           exclusive as long as the process that works on it lives
 */
#ifndef OVL_LOCK_H
#define OVL_LOCK_H

#include "ovl.h"

struct ovl_store;

/*
 * op: LOCK_SH or LOCK_EX. Waits as the store's configuration says; a wait is told once
 * through the store's note. what names the thing in messages. OVL_BUSY when it may not
 * wait, or no longer, EINTR when the store's stop flag is set.
 */
int lock_take(const struct ovl_store *st, int fd, int op, const char *what,
	struct ovl_err *err);

/* The same for a layer that is to change or go: without a time to wait, does not. */
int lock_take_whole(
	const struct ovl_store *st, int fd, const char *what, struct ovl_err *err);

/* Takes it now or says no: 1 taken, 0 held by another, negative errno. */
int lock_try(int fd, int op);

#endif
