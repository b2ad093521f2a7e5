/* SPDX-License-Identifier: ISC */
/* Writes the data of unpacked files in a thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/workq.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/quote.h"
#include "content/writer.h"

#define PIECE (64 * 1024)

enum what { BEGIN, WRITE, END };

/* Precedes the data of a WRITE. */
struct run {
	int fd;
	uint64_t offset;
};

struct end {
	int fd;
	struct timespec mtime;
};

struct writer {
	struct workq *queue;
	struct buf path; /* used only by the thread */
};

/* ---- the thread ------------------------------------------------------------------- */

static int do_begin(struct writer *b, const char *path, struct ovl_err *err)
{
	buf_clear(&b->path);
	buf_adds(&b->path, path);
	return b->path.failed ? err_nomem(err) : 0;
}

static int do_write(struct writer *b, const void *p, size_t n, struct ovl_err *err)
{
	const char *data = (const char *)p + sizeof(struct run);
	struct run r;

	memcpy(&r, p, sizeof(r));
	if (fs_pwrite_all(r.fd, data, n - sizeof(r), r.offset) < 0)
		return err_sys(err, errno, "cannot write %s", Q(b->path.data));
	return 0;
}

static int do_end(struct writer *b, const void *p, bool failed, struct ovl_err *err)
{
	struct end end;
	int rc = 0;

	memcpy(&end, p, sizeof(end));
	if (!failed) {
		const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, end.mtime};

		if (futimens(end.fd, times) < 0)
			rc = err_sys(err, errno, "cannot set the times of %s",
				Q(b->path.data));
	}
	close(end.fd);
	return rc;
}

static int do_item(void *ctx, unsigned what, const void *p, size_t n, bool failed,
	struct ovl_err *err)
{
	if (what == END)
		return do_end(ctx, p, failed, err);
	if (failed)
		return 0;
	return what == BEGIN ? do_begin(ctx, p, err) : do_write(ctx, p, n, err);
}

/* ---- the caller's side ------------------------------------------------------------ */

int writer_begin(struct writer *b, const char *path, struct ovl_err *err)
{
	return workq_put(b->queue, BEGIN, NULL, 0, path, strlen(path) + 1, err);
}

int writer_write(struct writer *b, int fd, const void *p, size_t n, uint64_t offset,
	struct ovl_err *err)
{
	struct run r = {.fd = fd, .offset = offset};
	const char *at = p;
	int rc = 0;

	while (n && rc == 0) {
		size_t piece = n < PIECE ? n : PIECE;

		rc = workq_put(b->queue, WRITE, &r, sizeof(r), at, piece, err);
		at += piece;
		n -= piece;
		r.offset += piece;
	}
	return rc;
}

int writer_end(
	struct writer *b, int fd, const struct timespec *mtime, struct ovl_err *err)
{
	const struct end end = {.fd = fd, .mtime = *mtime};

	return workq_put_file(b->queue, END, &end, sizeof(end), fd, err);
}

int writer_wait(struct writer *b, struct ovl_err *err)
{
	return b ? workq_wait(b->queue, err) : 0;
}

int writer_open(struct writer **out, struct ovl_err *err)
{
	struct writer *b = calloc(1, sizeof(*b));
	int rc = b ? workq_open(&b->queue, do_item, b, err) : err_nomem(err);

	if (rc < 0)
		free(b);
	else
		*out = b;
	return rc;
}

void writer_close(struct writer *b)
{
	if (!b)
		return;
	workq_close(b->queue);
	buf_release(&b->path);
	free(b);
}
