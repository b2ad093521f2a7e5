/* SPDX-License-Identifier: ISC */
/* Starting a thread, with signals blocked and a stack of known size. */
#include <signal.h>

#include "base/thread.h"
#include "ovl.h"

const size_t ovl_stack_size = THREAD_STACK;

int thread_start(pthread_t *t, void *(*fn)(void *ctx), void *ctx)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;
	int rc = pthread_attr_init(&attr);

	if (rc)
		return rc;
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(t, &attr, fn, ctx);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}
