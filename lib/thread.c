#include <signal.h>

#include "thread.h"

int thread_start(pthread_t *thread, void *(*fn)(void *ctx), void *ctx)
{
	sigset_t all;
	sigset_t old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(thread, NULL, fn, ctx);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}
