/* SPDX-License-Identifier: ISC */
/* A tar written by one thread and read by another. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/thread.h"
#include "content/tarpipe.h"

/* The thread that writes, and its end of the pipe. */
struct tar_writer {
	tarpipe_fn make;
	void *ctx;
	int fd;
	bool broken; /* the reader has closed the pipe and will report why */
	int rc;
	struct ovl_err err;
};

static int to_pipe(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct tar_writer *w = ctx;

	if (fs_write_all(w->fd, p, n) == 0)
		return 0;
	w->broken = errno == EPIPE;
	return err_sys(err, errno, "cannot write to a pipe");
}

static void *write_tar(void *ctx)
{
	struct tar_writer *w = ctx;

	w->rc = w->make(w->ctx, to_pipe, w, &w->err);
	close_fdp(&w->fd);
	return NULL;
}

/* If the writer failed first, its error is the reason why the reader failed. */
static int join(pthread_t thread, struct tar_writer *w, int rc, struct ovl_err *err)
{
	pthread_join(thread, NULL);
	if (w->rc == 0 || (rc < 0 && w->broken))
		return rc;
	if (err)
		*err = w->err;
	return w->rc;
}

int tarpipe_ingest(struct ingest *in, struct ovl_store *st, struct ingest_config *cfg,
	tarpipe_fn make, void *ctx, struct ovl_err *err)
{
	struct tar_writer w = {.make = make, .ctx = ctx, .fd = -1};
	pthread_t thread;
	int ends[2];
	auto_fd read_end = -1;
	int rc;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "cannot make a pipe");
	read_end = ends[0];
	w.fd = ends[1];
	fcntl(w.fd, F_SETPIPE_SZ, 1 << 20);
	cfg->input.fd = read_end;
	/* ingest_begin already reads. */
	rc = -thread_start(&thread, write_tar, &w);
	if (rc < 0) {
		close_fdp(&w.fd);
		return err_sys(err, -rc, "cannot start a thread");
	}
	rc = ingest_begin(in, st, cfg, err);
	if (rc == 0)
		rc = ingest_run(in, err);
	if (rc < 0) {
		/* Closes the reading end, which the writer will notice. */
		ingest_end(in);
		*in = (struct ingest)INGEST_INIT;
		close_fdp(&read_end);
	}
	return join(thread, &w, rc, err);
}
