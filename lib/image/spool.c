/* SPDX-License-Identifier: ISC */
/* Looks at an input that cannot be read twice, and keeps what it read. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "codec/decode.h"
#include "image/signs.h"
#include "image/spool.h"
#include "tar/tarin.h"

int spool_file(struct ovl_store *st, struct ovl_err *err)
{
	int dir = store_dir_make(st, DIR_STAGING, err);
	struct ovl_id id;
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT) &&
		id_random(&id) == 0) {
		fd = openat(dir, id.s, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
		if (fd >= 0 && unlinkat(dir, id.s, 0) < 0)
			close_fdp(&fd);
	}
	if (fd < 0)
		return err_sys(err, errno, "cannot make a temporary file");
	return fd;
}

/* Creates the file for the first block that must be kept. */
static int keep_block(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct spool *sp = ctx;

	if (sp->fd < 0)
		sp->fd = spool_file(sp->st, err);
	if (sp->fd < 0)
		return sp->fd;
	if (fs_write_all(sp->fd, p, n) < 0)
		return err_sys(err, errno, "cannot write a temporary file");
	return 0;
}

static void tell(void *ctx)
{
	struct spool *sp = ctx;
	struct ovl_progress p = {0};

	if (!sp->stream || !pace_due(&sp->pace, &sp->st->cfg))
		return;
	p.bytes = stream_taken(sp->stream);
	p.total = stream_total(sp->stream);
	sp->st->cfg.progress(sp->st->cfg.ctx, &p);
}

int spool_open(struct spool *sp, struct ovl_store *st, int fd, uint64_t max_size,
	struct ovl_err *err)
{
	const struct stream_config cfg = {
		.fd = fd,
		.max_size = max_size ? max_size : OVL_MAX_SIZE,
		.stop = st->cfg.stop,
		.tick = tell,
		.tick_ctx = sp,
		.keep = keep_block,
		.keep_ctx = sp,
	};

	sp->st = st;
	return stream_open(&sp->stream, &cfg, err);
}

void spool_release(struct spool *sp)
{
	stream_close(sp->stream);
	close_fdp(&sp->fd);
}

static bool fits(struct tarin *t, struct archive_entry *e)
{
	enum fit fit = signs_fit(e);
	uint64_t at;
	const void *p;
	size_t n;

	if (fit != FIT_MAYBE)
		return fit == FIT;
	return tarin_data(t, "", &p, &n, &at, NULL) > 0 && signs_fit_content(p, n);
}

/* 1: it can be an image. A damaged tar is a layer, whose import reports the damage. */
static int look_at_members(struct spool *sp, struct ovl_err *err)
{
	auto_signs signs = {0};
	struct archive_entry *e;
	struct tarin *t;
	struct stream *s = sp->stream;
	int rc;

	sp->stream = NULL;
	rc = tarin_open(&t, s, NULL, err);
	if (rc < 0)
		return rc;
	sp->stream = s;
	while ((rc = tarin_next(t, &e, err)) > 0 && fits(t, e))
		signs_note(&signs, e);
	tarin_detach(t);
	sp->fits = rc == 0;
	if (rc < 0)
		return rc == -EINTR || err_is_system(rc) ? rc : 0;
	return rc == 0 && signs_image(&signs);
}

/* Copies the whole stream to the file. */
static int keep_all(struct spool *sp, struct ovl_err *err)
{
	const void *p;
	ssize_t n;

	while (stream_held(sp->stream))
		stream_release(sp->stream);
	while ((n = stream_next(sp->stream, &p, err)) > 0)
		stream_release(sp->stream);
	return (int)n;
}

int spool_look(struct spool *sp, bool any, struct ovl_err *err)
{
	int is = any ? 1 : look_at_members(sp, err);
	int rc = is;

	if (is > 0)
		rc = keep_all(sp, err);
	if (rc >= 0)
		rc = stream_again(sp->stream, sp->fd, err);
	return rc < 0 ? rc : is;
}

int spool_compressed(int fd, struct ovl_err *err)
{
	unsigned char magic[DECODE_MAGIC_LEN];
	ssize_t n = fs_pread_upto(fd, magic, sizeof(magic), 0);

	if (n < 0)
		return err_sys(err, errno, "cannot read it");
	return strcmp(decode_detect(magic, (size_t)n)->name, "none") != 0;
}
