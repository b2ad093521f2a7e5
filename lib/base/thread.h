/*
 * Threads of the library. They block all signals, which are left to the caller's threads;
 * with SIGPIPE blocked, write(2) fails with EPIPE.
 */
#ifndef OVL_THREAD_H
#define OVL_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/err.h"

/* 0 or an errno. */
int thread_start(pthread_t *thread, void *(*fn)(void *ctx), void *ctx);

/* Waits for the condition, but at most that long: pthread_cond_timedwait(3). */
int thread_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, unsigned milliseconds);

/* The processors this process may run on, at most THREAD_MAX. */
#define THREAD_MAX 16
unsigned thread_cores(void);

/* The same work for items 0 to n - 1, begun in this order on several threads. */
struct thread_work {
	size_t n;
	unsigned most; /* threads, however many processors there are */
	int (*fn)(void *ctx, size_t i, struct ovl_err *err);
	void (*tick)(void *ctx); /* called ten times a second by the thread that waits */
	void *ctx;
	atomic_bool *failed; /* set by the first failure, after which no item is begun */
};

/* Does all of it; the first failure. */
int thread_all(const struct thread_work *work, struct ovl_err *err);

#endif
