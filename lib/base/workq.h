/*
 * Runs work items on a thread, in order. The caller copies items into blocks; full blocks
 * go to the thread, which empties them and gives them back.
 *
 *	workq_open	starts the thread
 *	workq_put	adds an item
 *	workq_wait	waits until all items are done
 *	workq_close
 *
 * An error in the thread is reported by the next call of workq_put or workq_wait, and by
 * all calls after that.
 */
#ifndef OVL_WORKQ_H
#define OVL_WORKQ_H

#include <stddef.h>

#include "base/err.h"

/* The size limit of an item. */
#define WORKQ_MAX (96 * 1024)

struct workq;

/*
 * Does one item; called in the thread. Returns 0, or a negative errno and a text. failed:
 * an earlier item failed or the caller has closed the queue, so just release what the
 * item holds; the result is ignored.
 */
typedef int (*workq_fn)(void *ctx, unsigned what, const void *p, size_t n, bool failed,
	struct ovl_err *err);

int workq_open(struct workq **out, workq_fn fn, void *ctx, struct ovl_err *err);

/* Adds an item of type what. Its bytes are those of head followed by those of p. */
int workq_put(struct workq *b, unsigned what, const void *head, size_t n_head,
	const void *p, size_t n, struct ovl_err *err);

/* Adds an item whose work closes fd; after a failure it is closed here. Limits the number
 * of files that are open at the same time. */
int workq_put_file(struct workq *b, unsigned what, const void *p, size_t n, int fd,
	struct ovl_err *err);

/* fn is called ten times a second while the caller waits. */
void workq_while_waiting(struct workq *b, void (*fn)(void *ctx), void *ctx);

int workq_wait(struct workq *b, struct ovl_err *err);
/* NULL is allowed. */
void workq_close(struct workq *b);

#endif
