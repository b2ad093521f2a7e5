/* SPDX-License-Identifier: ISC */
/* Keeps an input that cannot be read twice in a file without a name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "codec/decode.h"
#include "codec/stream.h"
#include "image/spool.h"
#include "tar/tarin.h"

/* A file without a name in the staging directory. */
static int make_file(struct ovl_store *st, struct ovl_err *err)
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

static int open_stream(struct stream **s, struct ovl_store *st, int fd, uint64_t max,
	struct ovl_err *err)
{
	const struct stream_config cfg = {
		.fd = fd,
		.max_size = max ? max : OVL_MAX_SIZE,
		.stop = st->cfg.stop,
	};

	return stream_open(s, &cfg, err);
}

/* NULL if it is no tar: whoever unpacks it will say so. */
static int first_name(struct ovl_store *st, int fd, char **out, struct ovl_err *err)
{
	struct archive_entry *e;
	struct stream *s;
	struct tarin *t;
	int rc = open_stream(&s, st, fd, 0, err);

	if (rc == 0)
		rc = tarin_open(&t, s, NULL, err);
	if (rc < 0)
		return rc;
	rc = tarin_next(t, &e, err);
	if (rc > 0 && archive_entry_pathname(e)) {
		*out = strdup(archive_entry_pathname(e));
		rc = *out ? 0 : err_nomem(err);
	}
	tarin_close(t);
	return err_is_system(rc) ? rc : 0;
}

int spool_look(struct ovl_store *st, int fd, char **first, struct ovl_err *err)
{
	unsigned char magic[DECODE_MAGIC_LEN];
	ssize_t n = fs_read_upto(fd, magic, sizeof(magic));
	bool plain;
	int rc = 0;

	*first = NULL;
	if (n < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "cannot read it");
	plain = strcmp(decode_detect(magic, (size_t)n)->name, "none") == 0;
	if (!plain)
		rc = first_name(st, fd, first, err);
	if (rc < 0)
		return rc;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "cannot read it");
	return !plain;
}

int spool(struct ovl_store *st, int fd, uint64_t max_size, struct ovl_err *err)
{
	auto_fd out = make_file(st, err);
	struct stream *s;
	const void *p;
	ssize_t n;
	int rc;

	if (out < 0)
		return out;
	rc = open_stream(&s, st, fd, max_size, err);
	if (rc < 0)
		return rc;
	while ((n = stream_next(s, &p, err)) > 0) {
		if (fs_write_all(out, p, (size_t)n) < 0) {
			n = err_sys(err, errno, "cannot write a temporary file");
			break;
		}
		stream_release(s);
	}
	stream_close(s);
	return n < 0 ? (int)n : steal_fd(&out);
}
