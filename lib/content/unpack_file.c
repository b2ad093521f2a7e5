/* SPDX-License-Identifier: ISC */
/* Unpacks regular files. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "content/unpack.h"

struct new_file {
	struct unpack *u;
	mode_t mode;
};

static int make_file(const struct unpack_place *at, void *ctx)
{
	const struct new_file *f = ctx;
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at->p->fd, at->name, flags, f->mode);

	/* Files that the thread is still writing are open; wait for them. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && f->u->writer) {
		writer_wait(f->u->writer, NULL);
		fd = openat(at->p->fd, at->name, flags, f->mode);
	}
	return fd;
}

/* A file whose data is being read. */
struct file {
	int fd;
	const char *path; /* in the tree, with symlinks resolved */
	const struct donated *from; /* a donor's file that has the data already; NULL: it
				     * is written */
	uint64_t size;
	bool deferred; /* the thread writes it */
};

static int write_piece(struct unpack *u, const struct file *f,
	const struct unpack_place *at, const void *p, size_t n, uint64_t offset,
	struct ovl_err *err)
{
	u->bytes += n;
	if (u->bytes > u->max_bytes)
		return err_say(err, EFBIG,
			"it holds more than %llu bytes of files: see --max-size",
			(unsigned long long)u->max_bytes);
	if (u->no_data)
		return 0;
	if (f->from)
		return unpack_same_data(u, at->path, f->from, p, n, offset, err);
	if (f->deferred)
		return writer_write(u->writer, f->fd, p, n, offset, err);
	if (fs_pwrite_all(f->fd, p, n, offset) < 0)
		return err_sys(err, errno, "cannot write %s", Q(at->path));
	return 0;
}

static int set_size(struct unpack *u, const struct file *f, const struct unpack_place *at,
	struct ovl_err *err)
{
	int rc = f->deferred ? writer_wait(u->writer, err) : 0;

	if (rc == 0 && ftruncate(f->fd, (off_t)f->size) < 0)
		rc = err_sys(err, errno, "cannot set the size of %s", Q(at->path));
	return rc;
}

static int write_data(struct unpack *u, struct tarin *t, const struct file *f,
	const struct unpack_place *at, struct ovl_err *err)
{
	uint64_t end = 0;
	uint64_t offset;
	const void *p;
	size_t n;
	int r;

	while ((r = tarin_data(t, f->path, &p, &n, &offset, err)) > 0) {
		r = n ? write_piece(u, f, at, p, n, offset, err) : 0;
		if (r < 0)
			return r;
		end = n && offset + n > end ? offset + n : end;
	}
	if (r < 0)
		return err_prefix(err, r, "%s", Q(at->path));
	/* A file cut off by its size could not be rebuilt, and readers disagree about
	 * it. */
	if (end > f->size)
		return err_say(err, EBADMSG,
			"damaged tar archive: %s has data beyond its end", Q(at->path));
	if (end != f->size && f->from)
		return err_say(err, EBADMSG, "%s: an unexpected hole", Q(at->path));
	return end != f->size || u->no_data ? set_size(u, f, at, err) : 0;
}

/* The thread owns fd after the first data, even if the rest fails. */
static int put_behind(struct unpack *u, struct tarin *t, struct archive_entry *e,
	const struct file *f, const struct unpack_place *at, struct ovl_err *err)
{
	const struct timespec mtime = unpack_mtime(u, e);
	int rc = writer_begin(u->writer, at->path, err);
	int rc2;

	if (rc == 0)
		rc = write_data(u, t, f, at, err);
	rc2 = writer_end(u->writer, f->fd, &mtime, rc < 0 ? NULL : err);
	return rc < 0 ? rc : rc2;
}

/* Creates the file, and writes its data unless the donor's file gives it. */
static int put_new(struct unpack *u, struct tarin *t, struct archive_entry *e,
	const struct unpack_place *at, struct file *f, const struct donated *from,
	struct ovl_err *err)
{
	struct new_file how = {.u = u, .mode = archive_entry_mode(e) & 0777};
	auto_fd fd = unpack_make(u, at, make_file, &how, err);
	int rc;

	if (fd < 0)
		return fd;
	f->fd = fd;
	if (from->fd >= 0 && unpack_clone(u, fd, from))
		f->from = from;
	f->deferred = !f->from && u->writer && f->size <= WRITER_MAX &&
		unpack_is_plain(u, at->p, e);
	if (f->deferred) {
		fd = -1;
		return put_behind(u, t, e, f, at, err);
	}
	rc = write_data(u, t, f, at, err);
	return rc < 0 ? rc : unpack_meta(u, at->p, at->name, fd, e, err);
}

int unpack_file(struct unpack *u, struct tarin *t, struct archive_entry *e,
	const struct unpack_place *at, struct ovl_err *err)
{
	int64_t size = archive_entry_size(e);
	struct file f = {.fd = -1, .size = (uint64_t)size};
	auto_donated from = {.fd = -1};
	auto_buf path = {0};
	int rc;

	if (size < 0)
		return err_say(err, EINVAL, "%s: impossible size %lld", Q(at->path),
			(long long)size);
	rc = unpack_path(at->p, at->name, &path, err);
	if (rc == 0)
		rc = unpack_donated(u, tarin_data_at(t), path.data, e, &from, err);
	f.path = path.data;
	if (rc == 0 && from.fd >= 0)
		rc = unpack_link(u, at, e, &from, err);
	if (rc == 0)
		return put_new(u, t, e, at, &f, &from, err);
	f.from = &from;
	return rc < 0 ? rc : write_data(u, t, &f, at, err);
}
