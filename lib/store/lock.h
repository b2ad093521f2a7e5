/*
 * Locks are flock(2) on open directories and files: the kernel drops them when the holder
 * ends, however it ends, so no lock is ever stale.
 *
 * In the order in which they are taken:
 *
 *  0  the root		shared: import, create, from opening to closing the store;
 *			exclusive, without waiting: removal of a new store
 *  1  layer directory	shared: a process reads it, builds on it or mounts it
 *			exclusive: rm, commit, check --repair
 *			a layer before its parent. Several layers of which none is
 *			another's parent, or all on top of one: see lock_all()
 *  2  <id>/<tree>	exclusive from the check whether a layer is mounted to the mount,
 *			so that two mounts of one layer cannot pass each other; while
 *			the traces of an unmount are cleared; and while rm, commit,
 *			apply, prune and umount ask the kernel about a writable layer
 *			and look for its mounts in other namespaces
 *  3  names/		exclusive while a name is given or taken away
 *  4  lock		shared between creating l/<link> and renaming the layer in;
 *			exclusive for prune and check, which look for links that lead
 *			nowhere and for directories in staging/ and trash/ that nobody
 *			has locked
 *
 * No process waits for a lock while it holds a later one, nor for several of the first
 * kind in an order that another process might reverse: commit waits for a layer's parent
 * while it holds the layer, so rm -r, which needs a parent and its children, waits for
 * none of them while it holds another. 3 and 4 are held for moments only, never while a
 * tree is read; see names.h for syncs.
 *
 *  staging/X,		exclusive while the process that works on it lives; taken before
 *  trash/X		others can see it, so nobody waits for it. In the trash it is
 *			the lock of the layer, which the rename does not change; it is
 *			shared from then on
 *
 * Commands that only look (ls, check without --repair, dry runs) take no lock of a layer,
 * since others would fail because of it. They look again at what seems wrong. An
 * exception is prune --layers --dry-run, which takes 2 to ask about a writable layer.
 */
#ifndef OVL_LOCK_H
#define OVL_LOCK_H

#include "ovl.h"

struct ovl_store;

/*
 * op: LOCK_SH or LOCK_EX; with LOCK_NB it never waits. Else waits as configured, and
 * reports a wait once through the store's note. what names the locked thing in messages.
 * OVL_BUSY if it may not wait, or no longer; EINTR when the store's stop flag is set.
 */
int lock_take(const struct ovl_store *st, int fd, int op, const char *what,
	struct ovl_err *err);

/* The same for a lock that is only ever held for a moment: waits a second even if
 * waiting is off. */
int lock_moment(const struct ovl_store *st, int fd, int op, const char *what,
	struct ovl_err *err);

/* The same for an optional lock: waits a second at most. Without a message for EBUSY. */
int lock_brief(const struct ovl_store *st, int fd, int op, const char *what,
	struct ovl_err *err);

/*
 * Takes several locks together: all() takes all of them, or none and returns OVL_BUSY
 * (-EBUSY). It is called repeatedly as long as an exclusive lock may be waited for, so
 * that no lock is held meanwhile. It may also test other conditions that pass by
 * themselves, such as whether a layer is mounted.
 */
int lock_all(const struct ovl_store *st, int (*all)(void *ctx, struct ovl_err *err),
	void *ctx, struct ovl_err *err);

/* Takes it without waiting: 1 taken, 0 held by another process, negative errno. */
int lock_try(int fd, int op);

#endif
