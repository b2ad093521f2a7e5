/*
 * Threads of the library. They block all signals: those are for the caller's threads, and
 * SIGPIPE for none.
 */
#ifndef OVL_THREAD_H
#define OVL_THREAD_H

#include <pthread.h>

/*
 * Enough for a walk of FS_MAX_DEPTH levels, whatever the limit of the process is. With
 * AddressSanitizer each level needs several times as much.
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
