/* SPDX-License-Identifier: ISC */
/* Starting a thread, with signals blocked. */
#include <signal.h>

#include "base/thread.h"

int thread_start(pthread_t *t, void *(*fn)(void *ctx), void *ctx)
{
	sigset_t all;
	sigset_t old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(t, NULL, fn, ctx);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}
