/* SPDX-License-Identifier: ISC */
/* Takes files from a tree in which another program has unpacked the same tar. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "content/replay.h"
#include "content/unpack.h"

#define CHUNK (256 * 1024)

/* For damage in the donor's tree; the tar itself is valid. */
static int damaged(const char *path, const char *how, struct ovl_err *err)
{
	return err_say(err, EUCLEAN, "%s %s", Q(path), how);
}

static int find_file(
	const struct donor *d, const char *path, struct donated *out, struct ovl_err *err)
{
	for (unsigned i = 0; i < d->trees->n && out->fd < 0; i++) {
		out->fd = fs_open_unread(d->trees->fd[i], path, O_RDONLY | O_NONBLOCK);
		if (out->fd < 0 && !fs_is_gone(errno))
			return err_sys(err, errno, "cannot open %s", Q(path));
	}
	return 0;
}

int unpack_donated(
	struct unpack *u, const char *path, struct donated *out, struct ovl_err *err)
{
	int rc = 0;

	if (!u->donor || u->no_data || archive_entry_size(u->e) == 0 ||
		archive_entry_sparse_count(u->e) > 0)
		return 0;
	if (u->donor->read)
		out->fd = handover_take(u->donor->read, tarin_data_at(u->tar));
	out->read = out->fd >= 0;
	if (out->fd < 0)
		rc = find_file(u->donor, path, out, err);
	if (rc < 0)
		return rc;
	if (out->fd < 0)
		return damaged(path, "is missing", err);
	if (fstat(out->fd, &out->st) < 0)
		return err_sys(err, errno, "cannot stat %s", Q(path));
	if (!S_ISREG(out->st.st_mode) || out->st.st_size != archive_entry_size(u->e))
		return damaged(path, "is not the file of the tar", err);
	return 0;
}

/* ---- may it be the same file? ----------------------------------------------------- */

static bool same_stat(const struct unpack *u, const struct stat *st)
{
	const struct timespec mtime = unpack_mtime(u);

	/* Engines write whole seconds as times of files that they build. */
	return st->st_uid == archive_entry_uid(u->e) &&
		st->st_gid == archive_entry_gid(u->e) &&
		(st->st_mode & 07777) == (archive_entry_mode(u->e) & 07777) &&
		st->st_mtim.tv_sec == mtime.tv_sec &&
		(!mtime.tv_nsec || st->st_mtim.tv_nsec == mtime.tv_nsec);
}

/* Applies the entry's metadata to a file without a name, and compares that. 1, 0,
 * negative errno and a text. */
static int same_as_made(struct unpack *u, const struct unpack_place *at,
	const struct donated *from, const struct buf *names, struct ovl_err *err)
{
	auto_fd made = openat(at->p->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
		archive_entry_mode(u->e) & 0777);
	uint64_t left = u->left[LEFT_XATTRS];
	auto_buf others = {0};
	int r;

	if (made < 0)
		return 0;
	r = unpack_meta(u, at, made, err);
	if (r < 0)
		return r;
	r = fs_listxattr(made, NULL, &others) < 0 ?
		-1 :
		fs_same_xattrs(from->fd, NULL, names, made, NULL, &others);
	/* Otherwise the file will be written, and they are counted then. */
	if (r <= 0)
		u->left[LEFT_XATTRS] = left;
	return r < 0 ? err_sys(err, errno, "cannot read the xattrs of %s", Q(at->name)) :
		       r;
}

/* ---- taking it -------------------------------------------------------------------- */

static int make_linked(struct unpack *u, const struct unpack_place *at, const void *ctx)
{
	const struct donated *from = ctx;

	(void)u;
	return fs_link(from->fd, at->p->fd, at->name);
}

int unpack_link(struct unpack *u, const struct unpack_place *at, struct donated *from,
	struct ovl_err *err)
{
	auto_buf names = {0};
	int r = same_stat(u, &from->st);

	if (!r)
		return 0;
	if (fs_listxattr(from->fd, NULL, &names) < 0)
		return err_sys(err, errno, "cannot list the xattrs of %s", Q(at->path));
	if (names.len || unpack_has_xattrs(u))
		r = same_as_made(u, at, from, &names, err);
	if (r <= 0)
		return r;
	/* Whatever the reason, it can still be copied. */
	r = unpack_make(u, at, make_linked, from, err);
	from->why = r < 0 ? -r : 0;
	return r >= 0;
}

bool unpack_clone(struct unpack *u, int fd, const struct donated *from)
{
	if (ioctl(fd, FICLONE, from->fd) == 0)
		return true;
	/* Of stores that no mount has together the caller has warned. */
	if (from->why != EXDEV)
		u->left[from->why ? LEFT_LINKS : LEFT_UNLIKE]++;
	return false;
}

int unpack_same_data(struct unpack *u, const char *path, const struct donated *from,
	const void *p, size_t n, uint64_t offset, struct ovl_err *err)
{
	const char *at = p;

	if (from->read)
		return 0;
	if (!u->chunk)
		u->chunk = fs_buffer(CHUNK);
	if (!u->chunk)
		return err_nomem(err);
	while (n) {
		size_t now = n < CHUNK ? n : CHUNK;
		ssize_t got = fs_pread_upto(from->fd, u->chunk, now, offset);

		if (got < 0)
			return err_sys(err, errno, "cannot read %s", Q(path));
		if ((size_t)got != now || memcmp(at, u->chunk, now) != 0)
			return damaged(path, "differs from the tar", err);
		at += now;
		offset += now;
		n -= now;
	}
	return 0;
}
