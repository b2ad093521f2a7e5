/*
 * Threads of the library. Signals are for the caller's threads, SIGPIPE for nobody: all
 * are blocked in ours.
 */
#ifndef OVL_THREAD_H
#define OVL_THREAD_H

#include <pthread.h>

/* 0 or an errno. */
int thread_start(pthread_t *thread, void *(*fn)(void *ctx), void *ctx);

#endif
