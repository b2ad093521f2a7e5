/*
 * Threads of the library. They block all signals: those are for the caller's threads, and
 * SIGPIPE for none.
 */
#ifndef OVL_THREAD_H
#define OVL_THREAD_H

#include <pthread.h>

/* 0 or an errno. */
int thread_start(pthread_t *thread, void *(*fn)(void *ctx), void *ctx);

#endif
