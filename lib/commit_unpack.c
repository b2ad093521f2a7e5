/*
 * A tree that cannot become an image layer's as it is: its tar goes through a pipe into
 * an import of it, so that nothing is stored twice on the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "commit.h"
#include "fs.h"
#include "ingest.h"
#include "pack.h"

/* The end of the pipe that is written to, and who writes. */
struct writer {
	const struct layer *l;
	int fd;
	bool broken; /* the reader is gone: what went wrong is its to say */
	uint64_t *sockets;
	int rc;
	struct ovl_err err;
};

static int to_pipe(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct writer *w = ctx;

	if (fs_write_all(w->fd, p, n) == 0)
		return 0;
	w->broken = errno == EPIPE;
	return err_sys(err, errno, "cannot write to a pipe");
}

static void *write_tar(void *ctx)
{
	struct writer *w = ctx;
	const struct pack_watch watch = {.sockets = w->sockets};
	struct tarout *t;

	w->rc = tarout_open(&t, to_pipe, w, &w->err);
	if (w->rc == 0) {
		w->rc = pack_layer(w->l, t, &watch, &w->err);
		if (w->rc == 0)
			w->rc = tarout_finish(t, &w->err);
		tarout_close(t);
	}
	close_fdp(&w->fd);
	return NULL;
}

/* Signals are for the caller's thread; SIGPIPE for nobody. */
static int start(pthread_t *thread, struct writer *w)
{
	sigset_t all;
	sigset_t old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(thread, NULL, write_tar, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* What the tar's writer saw is why its reader failed, if it saw anything first. */
static int join(pthread_t thread, struct writer *w, int rc, struct ovl_err *err)
{
	pthread_join(thread, NULL);
	if (w->rc == 0 || (rc < 0 && w->broken))
		return rc;
	if (err)
		*err = w->err;
	return w->rc;
}

int commit_unpack(const struct layer *l, const struct driver *drv, struct ingest *in,
	uint64_t *sockets, struct ovl_err *err)
{
	/* Nothing that is in the store is refused for its size. */
	struct ingest_config cfg = {
		.drv = drv,
		.max_size = INT64_MAX,
		.max_entries = UINT64_MAX,
		.max_depth = UINT32_MAX,
		.tell = true,
	};
	struct writer w = {.l = l, .fd = -1, .sockets = sockets};
	pthread_t thread;
	int ends[2];
	auto_fd read_end = -1;
	int rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "cannot make a pipe");
	read_end = ends[0];
	w.fd = ends[1];
	fcntl(w.fd, F_SETPIPE_SZ, 1 << 20);
	cfg.input.fd = read_end;
	/* Beginning an ingest reads already. */
	rc = -start(&thread, &w);
	if (rc < 0) {
		close_fdp(&w.fd);
		return err_sys(err, -rc, "cannot start a thread");
	}
	rc = ingest_begin(in, l->st, &cfg, err);
	if (rc == 0)
		rc = ingest_run(in, err);
	if (rc < 0) {
		/* Nobody reads any more: the writer will see that. */
		ingest_end(in);
		*in = (struct ingest)INGEST_INIT;
		close_fdp(&read_end);
	}
	return join(thread, &w, rc, err);
}
