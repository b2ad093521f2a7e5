/*
 * Locks are flock(2) on open directories and files: the kernel drops them when their
 * holder ends, however it ends, so no lock is ever stale.
 *
 * In the order in which they are taken:
 *
 *   0  the root		shared: import, create, from opening to closing the store;
 *			exclusive, if it can be had at once: removal of a new store
 *   1  layer directory	shared: someone reads it, builds on it or mounts it
 *			exclusive: rm, commit, check --repair
 *			a layer first, then its parent. Layers of which neither is the
 *			other's parent, or all on top of one: together, see lock_all()
 *   2  <id>/<tree>	exclusive for the moment of a mount, so that two of one layer
 *			cannot pass each other between asking and mounting, and while
 *			what an unmount has left is cleared
 *   3  names/		exclusive while a name is given or taken away
 *   4  lock		shared between making l/<link> and renaming the layer in;
 *			exclusive for prune, which looks for links that lead nowhere
 *
 * Nobody waits for a lock while holding one that comes later, nor for several of the first
 * kind in an order that another might turn round: commit waits for a layer's parent while
 * it holds the layer, so rm -r, which takes a parent and its children, waits for none of
 * them while it holds another. 3 and 4 are held for moments, never over the reading of a
 * tree, 3 never over a sync, 4 only over that of one directory.
 *
 *   staging/X,		exclusive as long as the process that works on it lives; its own
 *   trash/X		from the moment it can be seen, so nobody waits for it. Of a layer
 *			in the trash the lock is that of the layer, which goes along with
 *			the rename, and is shared from then on
 *
 * Commands that only look (ls, check without --repair, dry runs) take no lock of a layer:
 * others would fail by it. They look again at what seems wrong.
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

/* The same of a lock that is never held for more than a moment: who may not wait waits
 * for it too, for a second. */
int lock_moment(const struct ovl_store *st, int fd, int op, const char *what,
	struct ovl_err *err);

/* The same for who can do without: waits a second at most. */
int lock_brief(const struct ovl_store *st, int fd, int op, const char *what,
	struct ovl_err *err);

/* The same without waiting, whatever the configuration says. */
int lock_now(int fd, int op, const char *what, struct ovl_err *err);

/*
 * For several that belong together: all() takes every one of them, or none and says
 * OVL_BUSY (-EBUSY). It is called again while an exclusive lock may be waited for, so
 * that nothing is held meanwhile. Other things may be asked in it that pass by
 * themselves, such as whether a layer is mounted.
 */
int lock_all(const struct ovl_store *st, int (*all)(void *ctx, struct ovl_err *err),
	void *ctx, struct ovl_err *err);

/* Takes it now or says no: 1 taken, 0 held by another, negative errno. */
int lock_try(int fd, int op);

#endif
