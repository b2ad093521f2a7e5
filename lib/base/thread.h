/*
 * Threads of the library. Signals are for the caller's threads, SIGPIPE for nobody: all
 * are blocked in ours.
 */
#ifndef OVL_THREAD_H
#define OVL_THREAD_H

#include <pthread.h>

/*
 * What FS_MAX_DEPTH levels of a walk fit into, whatever the limit of the process is. With
 * AddressSanitizer each takes several times as much.
 */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define THREAD_STACK (64u << 20)
#else
#define THREAD_STACK (8u << 20)
#endif

/* 0 or an errno. */
int thread_start(pthread_t *thread, void *(*fn)(void *ctx), void *ctx);

#endif
