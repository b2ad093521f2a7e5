/* SPDX-License-Identifier: ISC */
/* Threads with signals blocked, one or several that share the work. */
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

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

int thread_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, unsigned milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)milliseconds * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return pthread_cond_timedwait(cond, mutex, &until);
}

unsigned thread_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > THREAD_MAX ? THREAD_MAX : (unsigned)n;
}

/* ---- several ---------------------------------------------------------------------- */

struct pool {
	const struct thread_work *work;
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	size_t next; /* the next item to begin */
	unsigned running; /* threads that are running */
	int rc; /* the first failure */
	struct ovl_err *err;
};

static void *pool_worker(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->mutex);
	while (p->next < p->work->n && p->rc == 0) {
		size_t i = p->next++;
		struct ovl_err err = {.status = OVL_FAILED};
		int rc;

		pthread_mutex_unlock(&p->mutex);
		rc = p->work->fn(p->work->ctx, i, &err);
		pthread_mutex_lock(&p->mutex);
		if (rc < 0 && p->rc == 0) {
			p->rc = rc;
			*p->err = err;
			atomic_store(p->work->failed, true);
		}
	}
	p->running--;
	pthread_cond_signal(&p->ended);
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

int thread_all(const struct thread_work *work, struct ovl_err *err)
{
	struct pool p = {.work = work,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.ended = PTHREAD_COND_INITIALIZER,
		.err = err};
	pthread_t thread[THREAD_MAX];
	unsigned cores = thread_cores();
	unsigned n = 0;
	int why = 0;

	pthread_mutex_lock(&p.mutex);
	while (n < work->most && n < cores && n < work->n && why == 0) {
		why = thread_start(&thread[n], pool_worker, &p);
		n += why == 0;
	}
	p.running = n;
	while (p.running) {
		thread_wait(&p.ended, &p.mutex, 100);
		pthread_mutex_unlock(&p.mutex);
		work->tick(work->ctx);
		pthread_mutex_lock(&p.mutex);
	}
	pthread_mutex_unlock(&p.mutex);
	for (unsigned i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return !n && why ? err_sys(err, why, "cannot start a thread") : p.rc;
}
