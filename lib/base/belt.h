/*
 * Work handed on to a thread: items, copied into blocks that go round between the caller,
 * who fills them, and the thread, which empties them in the same order.
 *
 *	belt_open	the thread runs
 *	belt_put	an item
 *	belt_wait	all of them are done
 *	belt_close
 *
 * What goes wrong in the thread is told by a later call of belt_put or belt_wait, and by
 * all after that one.
 */
#ifndef OVL_BELT_H
#define OVL_BELT_H

#include <stddef.h>

#include "base/err.h"

/* The longest item. */
#define BELT_MAX (96 * 1024)

struct belt;

/*
 * Does an item, in the thread. failed: an earlier one could not be done, or the caller has
 * closed the belt, so only what the item holds is to be let go; what it returns then does
 * not count. Else 0, or a negative errno and a text.
 */
typedef int (*belt_fn)(void *ctx, unsigned what, const void *p, size_t n, bool failed,
	struct ovl_err *err);

int belt_open(struct belt **out, belt_fn fn, void *ctx, struct ovl_err *err);

/* What it is, and its bytes: those of head, then those of p. */
int belt_put(struct belt *b, unsigned what, const void *head, size_t n_head,
	const void *p, size_t n, struct ovl_err *err);

/* An item that lets an open file go was put: few of them are on the way at one time. */
int belt_put_file(struct belt *b, struct ovl_err *err);

/* Who wants to do something while the caller waits: called ten times a second. */
void belt_while_waiting(struct belt *b, void (*fn)(void *ctx), void *ctx);

int belt_wait(struct belt *b, struct ovl_err *err);
/* NULL is no belt. */
void belt_close(struct belt *b);

#endif
