/* SPDX-License-Identifier: ISC */
/* Examines an input, and keeps what it has read of one that cannot be read twice. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "codec/decode.h"
#include "image/image.h"
#include "image/spool.h"

/* Keeps a block; the first one creates the file. */
static int keep_block(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct spool *sp = ctx;

	if (sp->temp < 0)
		sp->temp = source_temp(sp->st, err);
	if (sp->temp < 0)
		return sp->temp;
	if (fs_write_all(sp->temp, p, n) < 0)
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

/* Is the file at fd, read from its start, compressed? 1, 0, negative errno. */
static int is_compressed(int fd, struct ovl_err *err)
{
	unsigned char magic[DECODE_MAGIC_LEN];
	ssize_t n = fs_pread_upto(fd, magic, sizeof(magic), 0);

	if (n < 0)
		return err_sys(err, errno, "cannot read it");
	return strcmp(decode_detect(magic, (size_t)n)->name, "none") != 0;
}

int spool_open(struct spool *sp, struct ovl_store *st, const struct ovl_import *req,
	struct ovl_err *err)
{
	struct stream_config cfg = {
		.fd = req->fd,
		.digest_input = req->expect != NULL,
		.max_size = req->max_size ? req->max_size : OVL_MAX_SIZE,
		.stop = st->cfg.stop,
		.tick = tell,
		.tick_ctx = sp,
		.keep = keep_block,
		.keep_ctx = sp,
	};
	struct stat sb;
	int fd = req->fd;
	int rc;

	sp->st = st;
	if (fstat(fd, &sb) < 0)
		return err_sys(err, errno, "cannot stat it");
	if (S_ISDIR(sb.st_mode))
		return source_open_dir(&sp->src, st, fd, err);
	rc = S_ISREG(sb.st_mode) && lseek(fd, 0, SEEK_CUR) == 0 ? is_compressed(fd, err) :
								  1;
	if (rc < 0)
		return rc;
	cfg.direct = rc == 0;
	sp->file = cfg.direct ? fd : -1;
	return stream_open(&sp->stream, &cfg, err);
}

void spool_release(struct spool *sp)
{
	stream_close(sp->stream);
	source_close(sp->src);
	close_fdp(&sp->temp);
}

/* Copies the whole stream to the file: 1, negative errno. */
static int keep_all(struct spool *sp, struct ovl_err *err)
{
	const void *p;
	ssize_t n;

	while (stream_held(sp->stream))
		stream_release(sp->stream);
	while ((n = stream_next(sp->stream, &p, err)) > 0)
		stream_release(sp->stream);
	return n < 0 ? (int)n : 1;
}

/* Reads the members: 1 if it is an image, 0 if a layer. A damaged tar is taken for a
 * layer, as the import of one reports the damage. */
static int look_at_members(struct spool *sp, bool any, struct ovl_err *err)
{
	int rc = source_open(&sp->src, sp->st, &sp->stream, any, err);

	if (rc < 0 && sp->stream && !any && !err_is_system(rc))
		return 0;
	if (rc > 0 && sp->file < 0)
		rc = keep_all(sp, err);
	if (rc > 0)
		source_at(sp->src, sp->file < 0 ? sp->temp : sp->file);
	return rc;
}

int spool_look(struct spool *sp, bool any, struct ovl_err *err)
{
	int rc = sp->src ? 1 : look_at_members(sp, any, err);
	int is = rc > 0 ? image_is(sp->src, err) : rc;

	if (is != 0 || !sp->stream)
		return is;
	if (sp->file < 0)
		return stream_again(sp->stream, sp->temp, err);
	stream_close(steal(sp->stream));
	/* Puts the offset back: it is read from there later. */
	return lseek(sp->file, 0, SEEK_SET) < 0 ? err_sys(err, errno, "cannot read it") :
						  0;
}
