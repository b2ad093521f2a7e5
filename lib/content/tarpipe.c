/* SPDX-License-Identifier: ISC */
/* A tar written by one thread and read by another. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
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
	char *held; /* small pieces, such as headers, that are written together */
	size_t n_held;
	bool broken; /* the reader has closed the pipe and will report why */
	int rc;
	struct ovl_err err;
};

#define HELD 65536

static int write_pipe(struct tar_writer *w, const void *p, size_t n, struct ovl_err *err)
{
	if (fs_write_all(w->fd, p, n) == 0)
		return 0;
	w->broken = errno == EPIPE;
	return err_sys(err, errno, "cannot write to a pipe");
}

static int write_held(struct tar_writer *w, struct ovl_err *err)
{
	size_t n = w->n_held;

	w->n_held = 0;
	return n ? write_pipe(w, w->held, n, err) : 0;
}

static int to_pipe(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct tar_writer *w = ctx;
	int rc = n > HELD - w->n_held ? write_held(w, err) : 0;

	if (rc < 0 || n > HELD)
		return rc < 0 ? rc : write_pipe(w, p, n, err);
	memcpy(w->held + w->n_held, p, n);
	w->n_held += n;
	return 0;
}

static void *write_tar(void *ctx)
{
	struct tar_writer *w = ctx;

	w->held = fs_buffer(HELD);
	w->rc = w->held ? w->make(w->ctx, to_pipe, w, &w->err) : err_nomem(&w->err);
	if (w->rc == 0)
		w->rc = write_held(w, &w->err);
	free(w->held);
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
