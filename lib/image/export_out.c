/* SPDX-License-Identifier: ISC */
/* The output of an export: a tar in a file or pipe, or a directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/vec.h"
#include "codec/encode.h"
#include "image/export.h"
#include "store/store.h"
#include "tar/tarout.h"

#define COPY_SIZE (256 * 1024)

/* ---- members ---------------------------------------------------------------------- */

int export_add(struct export *x, const char *path, const struct blob *blob,
	const struct buf *text, struct ovl_err *err)
{
	struct member *m;

	for (size_t i = 0; i < x->n_members; i++) {
		if (strcmp(x->member[i].path, path) == 0)
			return 0;
	}
	if (!VEC_ROOM(x->member, x->n_members))
		return err_nomem(err);
	m = &x->member[x->n_members++];
	*m = (struct member){.path = strdup(path), .blob = blob};
	if (text)
		buf_add(&m->text, text->data, text->len);
	return !m->path || m->text.failed ? err_nomem(err) : 0;
}

int export_add_json(
	struct export *x, const char *path, const json_t *o, struct ovl_err *err)
{
	auto_buf text = {0};
	int rc = export_dump(o, &text, err);

	return rc < 0 ? rc : export_add(x, path, NULL, &text, err);
}

static int by_member_path(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->path, ((const struct member *)b)->path);
}

static bool is_dir(const struct member *m)
{
	return m->path[strlen(m->path) - 1] == '/';
}

/* ---- into a tar ------------------------------------------------------------------- */

struct taring {
	struct export *x;
	struct tarout *t;
	struct encode *e;
	struct archive_entry *entry;
	const struct blob *b; /* the blob that is rebuilt */
	uint64_t left; /* bytes of it not yet written */
};

static int to_fd(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	const struct export *x = ctx;

	if (fs_write_until(x->req->fd, p, n, x->st->cfg.stop) == 0)
		return 0;
	return store_stopped(x->st) ?
		err_stopped(err) :
		err_sys(err, errno, "cannot write %s", Q(x->req->target));
}

static int lengths_differ(const struct blob *b, struct ovl_err *err)
{
	return err_say(err, EUCLEAN,
		"layer %.12s is damaged: its tar does not have the recorded size",
		b->l.id.s);
}

static int take_tar(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct taring *t = ctx;

	if (n > t->left)
		return lengths_differ(t->b, err);
	t->left -= n;
	t->x->bytes += n;
	export_progress(t->x);
	return tarout_data(t->t, p, n, err);
}

static int put_replayed(struct taring *t, const struct blob *b, struct ovl_err *err)
{
	int rc;

	t->b = b;
	t->left = b->size;
	rc = replay_or_pack(&b->l, take_tar, t, err);
	if (rc == 0 && t->left)
		return lengths_differ(b, err);
	t->x->entries += b->l.meta.entries;
	return rc;
}

static int put_spooled(struct taring *t, const struct blob *b, struct ovl_err *err)
{
	auto_free char *copy = fs_buffer(COPY_SIZE);
	uint64_t at = 0;

	if (!copy)
		return err_nomem(err);
	while (at < b->size) {
		size_t want = b->size - at < COPY_SIZE ? (size_t)(b->size - at) :
							 COPY_SIZE;
		ssize_t n = fs_pread_upto(b->fd, copy, want, at);
		int rc;

		if (n <= 0)
			return err_sys(
				err, n ? errno : EIO, "cannot read a temporary file");
		rc = tarout_data(t->t, copy, (size_t)n, err);
		if (rc < 0)
			return rc;
		at += (uint64_t)n;
	}
	return 0;
}

/* Members are owned by root and dated 1970, so that equal images make equal archives. */
static int put_member(struct taring *t, const struct member *m, struct ovl_err *err)
{
	uint64_t size = m->blob ? m->blob->size : m->text.len;
	int rc;

	archive_entry_clear(t->entry);
	archive_entry_copy_pathname(t->entry, m->path);
	archive_entry_set_mode(t->entry, is_dir(m) ? S_IFDIR | 0755 : S_IFREG | 0644);
	archive_entry_set_mtime(t->entry, 0, 0);
	archive_entry_set_size(t->entry, is_dir(m) ? 0 : (la_int64_t)size);
	rc = tarout_header(t->t, t->entry, err);
	if (rc < 0 || is_dir(m))
		return rc;
	if (!m->blob)
		return tarout_data(t->t, m->text.data, m->text.len, err);
	return m->blob->fd < 0 ? put_replayed(t, m->blob, err) :
				 put_spooled(t, m->blob, err);
}

static int write_tar(struct export *x, struct ovl_err *err)
{
	const char *outer = x->req->compress_all ? x->req->compress_all : "none";
	struct taring t = {.x = x, .entry = archive_entry_new()};
	int rc = t.entry ? encode_open(&t.e, outer, x->st->cfg.stop, to_fd, x, err) :
			   err_nomem(err);

	if (rc == 0)
		rc = tarout_open(&t.t, false, encode_write, t.e, err);
	for (size_t i = 0; i < x->n_members && rc == 0; i++)
		rc = put_member(&t, &x->member[i], err);
	if (rc == 0)
		rc = tarout_finish(t.t, err);
	if (rc == 0)
		rc = encode_finish(t.e, err);
	tarout_close(t.t);
	encode_close(t.e);
	archive_entry_free(t.entry);
	return rc;
}

/* ---- into a directory ------------------------------------------------------------- */

static int dir_failed(const struct export *x, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot write to %s", Q(x->req->target));
}

static int not_empty(const struct export *x, struct ovl_err *err)
{
	return err_say(
		err, ENOTEMPTY, "%s already exists and is not empty", Q(x->req->target));
}

/* Checks that the target does not exist or is an empty directory, which is then replaced
 * by one with the same owner and mode. */
static int look_at_old(const struct export *x, struct stat *old, struct ovl_err *err)
{
	auto_fsdir d = fs_dir_at(x->req->dirfd, x->req->dir);
	const char *name;
	int r;

	old->st_mode = 0;
	if (d.fd < 0 && d.why == ENOENT)
		return 0;
	if (d.fd < 0 && (d.why == ENOTDIR || d.why == ELOOP))
		return err_say(err, EEXIST,
			"%s is not a directory; the name of a file must end in '.tar' or "
			"the like, and '-' is standard output",
			Q(x->req->target));
	if (d.fd < 0)
		return err_sys(
			err, d.why, "cannot make the directory %s", Q(x->req->target));
	r = fs_dir_next(&d, &name, NULL);
	if (r < 0 || fstat(d.fd, old) < 0)
		return err_sys(err, errno, "cannot read %s", Q(x->req->target));
	return r ? not_empty(x, err) : 0;
}

/* Until it is complete only we have access, whatever the umask and the future owner
 * are. */
static int make_out_dir(struct export *x)
{
	const mode_t mode = 0777 & ~x->req->umask;
	struct ovl_id id;

	if (id_random(&id) < 0)
		return -1;
	snprintf(x->out_temp, sizeof(x->out_temp), ".%.200s.%.16s", x->req->dir, id.s);
	if (mkdirat(x->req->dirfd, x->out_temp, 0700) < 0) {
		x->out_temp[0] = '\0';
		return -1;
	}
	x->out_dir = fs_open_dir(x->req->dirfd, x->out_temp);
	if (x->out_dir < 0)
		return -1;
	if (mkdirat(x->out_dir, "blobs", mode) < 0 ||
		mkdirat(x->out_dir, "blobs/sha256", mode) < 0)
		return -1;
	x->out_blobs = fs_open_beneath(
		x->out_dir, "blobs/sha256", O_RDONLY | O_DIRECTORY);
	return x->out_blobs < 0 ? -1 : 0;
}

int export_begin(struct export *x, struct ovl_err *err)
{
	int rc;

	if (x->req->fd >= 0)
		return 0;
	if (x->req->format != OVL_OCI)
		return err_status(
			err, OVL_USAGE, "a docker archive is a file, not a directory");
	rc = look_at_old(x, &x->old, err);
	if (rc < 0)
		return rc;
	return make_out_dir(x) < 0 ?
		err_sys(err, errno, "cannot make the directory %s", Q(x->req->target)) :
		0;
}

int ovl_be_like(struct ovl_store *st, int fd, int dirfd, const char *name,
	const struct stat *old, const char *shown)
{
	int r = fs_be_like(fd, dirfd, name, old);

	if (r > 0)
		store_warn(st, "%s does not keep its owner, group or ACL", Q(shown));
	return r < 0 ? r : 0;
}

/* mkdir(2) has given a new directory and the one in it the same group and ACLs, but only
 * the latter all permissions. An old one may have changed since it was looked at. */
static int set_access(struct export *x)
{
	struct stat *old = &x->old;
	const bool is_new = !old->st_mode;
	const int dirfd = is_new ? x->out_dir : x->req->dirfd;
	const char *name = is_new ? "blobs" : x->req->dir;

	if (fstatat(dirfd, name, old, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return is_new ? fchmod(x->out_dir, old->st_mode & 07777) :
			ovl_be_like(x->st, x->out_dir, dirfd, name, old, x->req->target);
}

/* Writes the remaining members: directories and blobs exist already. */
static int write_dir(struct export *x, struct ovl_err *err)
{
	for (size_t i = 0; i < x->n_members; i++) {
		const struct member *m = &x->member[i];
		auto_fd fd = -1;

		if (is_dir(m) || m->blob)
			continue;
		fd = openat(x->out_dir, m->path,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0666 & ~x->req->umask);
		if (fd < 0 || fs_write_all(fd, m->text.data, m->text.len) < 0 ||
			close(steal_fd(&fd)) < 0)
			return dir_failed(x, err);
	}
	if (store_stopped(x->st))
		return err_stopped(err);
	if (set_access(x) < 0)
		return dir_failed(x, err);
	if (renameat(x->req->dirfd, x->out_temp, x->req->dirfd, x->req->dir) < 0)
		return errno == ENOTEMPTY || errno == EEXIST ? not_empty(x, err) :
							       dir_failed(x, err);
	x->out_temp[0] = '\0';
	return 0;
}

/* ----------------------------------------------------------------------------------- */

int export_write(struct export *x, struct ovl_err *err)
{
	qsort(x->member, x->n_members, sizeof(*x->member), by_member_path);
	return x->out_dir >= 0 ? write_dir(x, err) : write_tar(x, err);
}

void export_end(struct export *x)
{
	/* Removing the tree needs descriptors, of which none may be left. */
	close_fdp(&x->out_blobs);
	close_fdp(&x->out_dir);
	if (x->out_temp[0])
		fs_rmtree(x->req->dirfd, x->out_temp, NULL);
	for (size_t i = 0; i < x->n_members; i++) {
		free(x->member[i].path);
		buf_release(&x->member[i].text);
	}
	free(x->member);
}
