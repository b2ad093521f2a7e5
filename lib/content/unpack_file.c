/* SPDX-License-Identifier: ISC */
/* Unpacks regular files. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "content/unpack.h"

static int make_file(struct unpack *u, const struct unpack_place *at, const void *ctx)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	mode_t mode = unpack_first_mode(u);
	int fd = openat(at->p->fd, at->name, flags, mode);

	(void)ctx;
	/* Files that the thread is still writing are open; wait for them. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && u->writer) {
		writer_wait(u->writer, NULL);
		fd = openat(at->p->fd, at->name, flags, mode);
	}
	return fd;
}

/* A file whose data is being read. */
struct file {
	int fd;
	const struct unpack_place *at;
	const char *path; /* in the tree, with symlinks resolved */
	const struct donated *from; /* a donor's file that has the data already; NULL: it
				     * is written */
	uint64_t size;
	bool deferred; /* the thread writes it */
};

static int write_piece(struct unpack *u, const struct file *f, const void *p, size_t n,
	uint64_t offset, struct ovl_err *err)
{
	u->bytes += n;
	if (u->bytes > u->max_bytes)
		return err_say(err, EFBIG,
			"it holds more than %llu bytes of files: see --max-size",
			(unsigned long long)u->max_bytes);
	if (u->no_data)
		return 0;
	if (f->from)
		return unpack_same_data(u, f->at->path, f->from, p, n, offset, err);
	if (f->deferred)
		return writer_write(u->writer, f->fd, p, n, offset, err);
	if (fs_pwrite_all(f->fd, p, n, offset) < 0)
		return err_sys(err, errno, "cannot write %s", Q(f->at->path));
	return 0;
}

static int set_size(struct unpack *u, const struct file *f, struct ovl_err *err)
{
	int rc = f->deferred ? writer_wait(u->writer, err) : 0;

	if (rc == 0 && ftruncate(f->fd, (off_t)f->size) < 0)
		rc = err_sys(err, errno, "cannot set the size of %s", Q(f->at->path));
	return rc;
}

static int write_data(struct unpack *u, const struct file *f, struct ovl_err *err)
{
	uint64_t end = 0;
	uint64_t offset;
	const void *p;
	size_t n;
	int r;

	while ((r = tarin_data(u->tar, f->path, &p, &n, &offset, err)) > 0) {
		r = n ? write_piece(u, f, p, n, offset, err) : 0;
		if (r < 0)
			return r;
		end = n && offset + n > end ? offset + n : end;
	}
	if (r < 0)
		return err_prefix(err, r, "%s", Q(f->at->path));
	/* A file cut off by its size could not be rebuilt, and readers disagree about
	 * it. */
	if (end > f->size)
		return err_say(err, EBADMSG,
			"damaged tar archive: %s has data beyond its end",
			Q(f->at->path));
	if (end != f->size && f->from)
		return err_say(err, EBADMSG, "%s: an unexpected hole", Q(f->at->path));
	return end != f->size || u->no_data ? set_size(u, f, err) : 0;
}

/* The thread owns fd after the first data, even if the rest fails. */
static int put_behind(struct unpack *u, const struct file *f, struct ovl_err *err)
{
	const struct timespec mtime = unpack_mtime(u);
	int rc = writer_begin(u->writer, f->at->path, err);
	int rc2;

	if (rc == 0)
		rc = write_data(u, f, err);
	rc2 = writer_end(u->writer, f->fd, &mtime, rc < 0 ? NULL : err);
	return rc < 0 ? rc : rc2;
}

/* Creates the file, and writes its data unless the donor's file gives it. */
static int put_new(
	struct unpack *u, struct file *f, const struct donated *from, struct ovl_err *err)
{
	auto_fd fd = unpack_make(u, f->at, make_file, NULL, err);
	int rc;

	if (fd < 0)
		return fd;
	f->fd = fd;
	if (from->fd >= 0 && unpack_clone(u, fd, from))
		f->from = from;
	f->deferred = !f->from && u->writer && f->size <= WRITER_MAX &&
		unpack_is_plain(u, f->at->p);
	if (f->deferred) {
		fd = -1;
		return put_behind(u, f, err);
	}
	rc = write_data(u, f, err);
	return rc < 0 ? rc : unpack_meta(u, f->at, fd, err);
}

int unpack_file(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	int64_t size = archive_entry_size(u->e);
	struct file f = {.fd = -1, .at = at, .size = (uint64_t)size};
	auto_donated from = {.fd = -1};
	auto_buf path = {0};
	int rc;

	if (size < 0)
		return err_say(err, EINVAL, "%s: impossible size %lld", Q(at->path),
			(long long)size);
	rc = unpack_path(at, &path, err);
	if (rc == 0)
		rc = unpack_donated(u, path.data, &from, err);
	f.path = path.data;
	if (rc == 0 && from.fd >= 0)
		rc = unpack_link(u, at, &from, err);
	if (rc == 0)
		return put_new(u, &f, &from, err);
	f.from = &from;
	return rc < 0 ? rc : write_data(u, &f, err);
}
