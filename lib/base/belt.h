/*
 * Runs work items on a thread, in order. The caller copies items into blocks; full blocks
 * go to the thread, which empties them and gives them back.
 *
 *	belt_open	starts the thread
 *	belt_put	adds an item
 *	belt_wait	waits until all items are done
 *	belt_close
 *
 * An error in the thread is reported by the next call of belt_put or belt_wait, and by
 * all calls after that.
 */
#ifndef OVL_BELT_H
#define OVL_BELT_H

#include <stddef.h>

#include "base/err.h"

/* The size limit of an item. */
#define BELT_MAX (96 * 1024)

struct belt;

/*
 * Does one item; called in the thread. Returns 0, or a negative errno and a text. failed:
 * an earlier item failed or the caller has closed the belt, so just release what the item
 * holds; the result is ignored.
 */
typedef int (*belt_fn)(void *ctx, unsigned what, const void *p, size_t n, bool failed,
	struct ovl_err *err);

int belt_open(struct belt **out, belt_fn fn, void *ctx, struct ovl_err *err);

/* Adds an item of type what. Its bytes are those of head followed by those of p. */
int belt_put(struct belt *b, unsigned what, const void *head, size_t n_head,
	const void *p, size_t n, struct ovl_err *err);

/* Call it after adding an item that closes a file. It bounds the number of files that
 * are open at one time. */
int belt_put_file(struct belt *b, struct ovl_err *err);

/* fn is called ten times a second while the caller waits. */
void belt_while_waiting(struct belt *b, void (*fn)(void *ctx), void *ctx);

int belt_wait(struct belt *b, struct ovl_err *err);
/* NULL is allowed. */
void belt_close(struct belt *b);

#endif
