/* SPDX-License-Identifier: ISC */
/* Writes the changes of a layer as a tar. */
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/idmap.h"
#include "base/inodes.h"
#include "base/path.h"
#include "base/quote.h"
#include "base/sparse.h"
#include "content/changes.h"
#include "content/pack.h"
#include "store/stamp.h"
#include "store/store.h"
#include "tar/tarout.h"
#include "union/whiteout.h"

#define COPY_SIZE (256 * 1024)

struct packer {
	const struct layer *l;
	struct tarout *t;
	const struct pack_watch *watch;
	struct ovl_err *err;
	const struct change *c; /* the one that is being packed */
	struct stat st; /* of its file */
	bool metacopy; /* the file has no data of its own */
	struct archive_entry *e;
	struct inodes packed; /* files with hard links that were packed; further names
			       * become links */
	struct idmaps ids;
	char *copy;
	int64_t latest; /* later times are written as this one */
	bool live; /* the layer may be mounted, so files may disappear meanwhile */
	struct pack_lost lost;
	struct buf name; /* scratch */
	struct buf value;
};

/* ---- the entry -------------------------------------------------------------------- */

/* The path as in the tar. */
static const char *shown(const struct packer *p)
{
	return p->c->path_len ? p->c->path : "./";
}

/* What may have happened to a file of a layer that may be mounted. */
enum { GONE = 1, REPLACED = 2 };

static int fail_entry(struct packer *p, const char *what)
{
	if (p->live && fs_is_gone(errno))
		return GONE;
	return err_sys(p->err, errno, "cannot %s %s", what, Q(shown(p)));
}

static void set_stat(struct packer *p)
{
	const struct stat *st = &p->st;
	bool late = st->st_mtim.tv_sec >= p->latest;

	archive_entry_set_mode(p->e, st->st_mode);
	archive_entry_set_uid(p->e, st->st_uid);
	archive_entry_set_gid(p->e, st->st_gid);
	archive_entry_set_mtime(p->e, late ? p->latest : st->st_mtim.tv_sec,
		late ? 0 : st->st_mtim.tv_nsec);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		archive_entry_set_rdev(p->e, st->st_rdev);
	archive_entry_set_size(p->e, S_ISREG(st->st_mode) ? st->st_size : 0);
}

/* stat(2) shows an id that this user namespace does not map as another one. */
static int check_owner(const struct packer *p)
{
	if (idmap_has(&p->ids.uids, p->st.st_uid) &&
		idmap_has(&p->ids.gids, p->st.st_gid))
		return 0;
	return err_say(p->err, EINVAL,
		"%s: its owner is not mapped in this user namespace: see unshare "
		"--map-auto",
		Q(shown(p)));
}

void pack_note_lost(const struct xattr_policy *xp, int dirfd, const char *name,
	const char *mark, struct pack_lost *lost)
{
	char attr[XATTR_MAX_NAME + 1];
	char value[8] = "";

	if (strcmp(mark, "protattr") != 0 && strcmp(mark, "nlink") != 0)
		return;
	snprintf(attr, sizeof(attr), "%s%s", xattr_live_prefix(xp), mark);
	if (fs_getxattr(dirfd, name, attr, value, sizeof(value) - 1) < 0)
		return;
	if (*mark == 'p')
		lost->flags += value[0] == 'i' || value[0] == 'a';
	else /* "U+N": N + 1 of its names are not in the upper */
		lost->links += strncmp(value, "U+", 2) == 0;
}

/* Overlayfs's own xattrs may say that a tar cannot represent the file, or that the data is
 * elsewhere. */
static void note_own(struct packer *p, int at_fd, const char *name, const char *attr)
{
	const char *live = xattr_live_prefix(&p->l->st->xattrs);
	size_t n = strlen(live);

	if (strncmp(attr, live, n) != 0)
		return;
	if (strcmp(attr + n, "metacopy") == 0)
		p->metacopy = true;
	pack_note_lost(&p->l->st->xattrs, at_fd, name, attr + n, &p->lost);
}

/* fd: the file, if it is open; otherwise -1. */
static int set_xattrs(struct packer *p, int fd)
{
	const struct pack_watch *w = p->watch;
	const char *name = fd < 0 ? p->c->name : NULL;
	int at_fd = fd < 0 ? p->c->dirfd : fd;
	auto_buf names = {0};
	int rc = 0;

	p->metacopy = false;
	if (fs_listxattr(at_fd, name, &names) < 0)
		return fail_entry(p, "list the xattrs of");
	for (size_t at = 0; rc == 0 && at < names.len;
		at += strlen(names.data + at) + 1) {
		const char *attr = names.data + at;
		char as[XATTR_MAX_NAME + 16];

		if (!xattr_out(&p->l->st->xattrs, attr, as)) {
			note_own(p, at_fd, name, attr);
			if (w->left_xattr)
				rc = w->left_xattr(w->ctx, p->c, attr, p->err);
		} else if (fs_getxattr_buf(at_fd, name, attr, &p->value) == 0)
			archive_entry_xattr_add_entry(
				p->e, as, p->value.data, p->value.len);
		else if (errno != ENODATA)
			rc = fail_entry(p, "read an xattr of");
	}
	return rc;
}

static int set_symlink(struct packer *p)
{
	if (fs_readlink(p->c->dirfd, p->c->name, 1 << 16, &p->value) < 0)
		return p->live && errno == EINVAL ? REPLACED :
						    fail_entry(p, "read symlink");
	archive_entry_copy_symlink(p->e, p->value.data);
	return 0;
}

/* ---- data ------------------------------------------------------------------------- */

struct runs {
	struct packer *p;
	size_t map; /* bytes */
	off_t data;
};

static bool too_many(const struct runs *runs)
{
	return runs->map > TAROUT_MAX_MAP;
}

static int add_run(void *ctx, off_t at, off_t n)
{
	struct runs *runs = ctx;

	runs->map += tarout_map_size(at, n);
	runs->data += n;
	if (!too_many(runs))
		archive_entry_sparse_add_entry(runs->p->e, at, n);
	return store_stopped(runs->p->l->st);
}

/* Adds the file's sparse map to the entry, unless the whole file is data: the library
 * drops such a map. If the map would be too large, small holes are written as zeros, as
 * long as that does not make the tar much larger. */
static int set_sparse(struct packer *p, int fd, off_t size)
{
	off_t block = SPARSE_BLOCK;
	off_t data = 0;
	bool too_much;
	struct runs runs;
	int rc;

	do {
		runs = (struct runs){.p = p};
		archive_entry_sparse_clear(p->e);
		rc = sparse_map(fd, size, block, add_run, &runs);
		data = data ? data : runs.data;
		block *= 2;
		too_much = runs.data / 16 > data;
	} while (rc == 0 && too_many(&runs) && !too_much);
	if (rc > 0)
		return err_stopped(p->err);
	if (rc < 0)
		return fail_entry(p, "find the holes of");
	if (too_many(&runs) || too_much)
		return err_say(p->err, EFBIG,
			"%s has too many holes for a tar; see the option --sparse=never "
			"of cp(1)",
			Q(shown(p)));
	/* The file is one hole: its map is an empty piece at the end. */
	if (!runs.data)
		archive_entry_sparse_add_entry(p->e, size, 0);
	return 0;
}

/* Skipped bytes, usually a hole, still take some time, so this is done in steps, between
 * which a stop is noticed. */
static int pass_over(struct packer *p, off_t n)
{
	const off_t step = (off_t)1 << 40;
	int rc = 0;

	while (n > 0 && rc == 0) {
		rc = tarout_hole(p->t, (uint64_t)(n < step ? n : step), p->err);
		n -= step;
		if (rc == 0 && store_stopped(p->l->st))
			rc = err_stopped(p->err);
	}
	return rc;
}

static int copy_run(struct packer *p, int fd, off_t at, off_t n)
{
	const struct pack_watch *w = p->watch;
	int rc = 0;

	if (w->run && n) {
		rc = w->run(w->ctx, p->c, fd, (uint64_t)at, (uint64_t)n, p->err);
		return rc == 0 ? pass_over(p, n) : rc;
	}
	while (n > 0 && rc == 0) {
		size_t want = n < COPY_SIZE ? (size_t)n : COPY_SIZE;
		ssize_t got = fs_pread_upto(fd, p->copy, want, (uint64_t)at);

		if (got < 0)
			return fail_entry(p, "read");
		if (got == 0)
			return err_say(
				p->err, EIO, "%s shrank while it was read", Q(shown(p)));
		rc = tarout_data(p->t, p->copy, (size_t)got, p->err);
		at += got;
		n -= got;
		if (rc == 0 && store_stopped(p->l->st))
			rc = err_stopped(p->err);
	}
	return rc;
}

static int copy_runs(struct packer *p, int fd, off_t size)
{
	la_int64_t offset;
	la_int64_t length;
	la_int64_t at = 0;

	if (archive_entry_sparse_reset(p->e) == 0)
		return copy_run(p, fd, 0, size);
	while (archive_entry_sparse_next(p->e, &offset, &length) == ARCHIVE_OK) {
		/* The last hole may be omitted, but the map is written with the first
		 * byte. */
		int rc = pass_over(p, length ? offset - at : 1);

		if (rc == 0)
			rc = copy_run(p, fd, offset, length);
		if (rc < 0)
			return rc;
		at = offset + length;
	}
	return 0;
}

static int copy_data(struct packer *p, int *fd, off_t size)
{
	const struct pack_watch *w = p->watch;
	int rc = copy_runs(p, *fd, size);

	return rc == 0 && w->data_end ? w->data_end(w->ctx, steal_fd(fd), p->err) : rc;
}

/* Opens a regular file with data, and checks that it is the file whose stat is in the
 * header. */
static int open_data(struct packer *p, int *fd)
{
	struct stat now;

	*fd = fs_open_file(p->c->dirfd, p->c->name, O_NONBLOCK);
	if (*fd < 0)
		return fail_entry(p, "open");
	if (!p->live || fstat(*fd, &now) < 0 || fs_same(&now, &p->st))
		return 0;
	return REPLACED;
}

/* ---- kinds of entries ------------------------------------------------------------- */

/* Writes every header. */
static int header(struct packer *p, enum pack_kind kind)
{
	const struct pack_watch *w = p->watch;
	int rc = w->entry ? w->entry(w->ctx, p->c, kind, p->err) : 0;

	return rc ? rc : tarout_header(p->t, p->e, p->err);
}

static int pack_file(struct packer *p)
{
	off_t size = p->st.st_size;
	auto_fd fd = -1;
	int rc = size ? open_data(p, &fd) : 0;

	if (rc == 0)
		rc = set_xattrs(p, fd);
	if (rc == 0 && p->metacopy && size) {
		close_fdp(&fd);
		fd = changes_open_data(p->c);
		rc = fd < 0 ? fail_entry(p, "open") : 0;
	}
	if (rc == 0 && size)
		rc = set_sparse(p, fd, size);
	if (rc == 0)
		rc = header(p, PACK_FILE);
	return rc == 0 && size ? copy_data(p, &fd, size) : rc;
}

/* Writes the empty file that represents a whiteout or an opaque directory. */
static int pack_mark(struct packer *p, enum pack_kind kind)
{
	size_t dir = p->c->path_len - strlen(path_base(p->c->path));

	buf_clear(&p->name);
	if (kind == PACK_WHITEOUT)
		buf_addf(&p->name, "%.*s%s%s", (int)dir, p->c->path, WH_PREFIX,
			p->c->path + dir);
	else
		buf_addf(&p->name, "%s%s%s", p->c->path, p->c->path_len ? "/" : "",
			WH_OPAQUE);
	if (p->name.failed)
		return err_nomem(p->err);
	archive_entry_clear(p->e);
	archive_entry_copy_pathname(p->e, p->name.data);
	archive_entry_set_mode(p->e, S_IFREG);
	archive_entry_set_mtime(p->e, 0, 0);
	archive_entry_set_size(p->e, 0);
	return header(p, kind);
}

/* Refuses a file whose name would be read as a whiteout. */
static int check_no_whiteout(const struct packer *p)
{
	const char *hidden;

	if (wh_parse(path_base(p->c->path), &hidden) == WH_NONE)
		return 0;
	return err_say(p->err, EINVAL,
		"%s cannot be represented in a layer tar: its name means a whiteout "
		"there",
		Q(p->c->path));
}

/* Packs a file, unless another name of it was packed before. */
static int pack_first(struct packer *p)
{
	int rc;

	if (S_ISREG(p->st.st_mode))
		return pack_file(p);
	rc = set_xattrs(p, -1);
	if (rc == 0 && S_ISLNK(p->st.st_mode))
		rc = set_symlink(p);
	if (rc == 0)
		rc = header(p, PACK_FILE);
	return rc == 0 && p->c->opaque ? pack_mark(p, PACK_OPAQUE) : rc;
}

static int pack_present(struct packer *p)
{
	bool linked = !S_ISDIR(p->st.st_mode) && p->st.st_nlink > 1;
	const char *first = linked ? inodes_path(&p->packed, &p->st) : NULL;
	int rc = check_no_whiteout(p);

	if (rc == 0)
		rc = check_owner(p);
	if (rc < 0)
		return rc;
	archive_entry_clear(p->e);
	archive_entry_copy_pathname(p->e, shown(p));
	set_stat(p);
	if (first) {
		archive_entry_copy_hardlink(p->e, first);
		archive_entry_set_size(p->e, 0);
		return header(p, PACK_FILE);
	}
	rc = pack_first(p);
	if (rc == 0 && linked && inodes_add(&p->packed, &p->st, p->c->path) < 0)
		rc = err_nomem(p->err);
	return rc;
}

/* A tar cannot hold a socket, but what it hides must stay hidden. */
static int pack_socket(struct packer *p)
{
	p->lost.sockets++;
	return p->c->kind == 'C' && !p->c->by_opaque ? pack_mark(p, PACK_WHITEOUT) : 0;
}

static int pack_one(void *ctx, const struct change *c, struct ovl_err *err)
{
	struct packer *p = ctx;
	int rc = REPLACED;

	p->c = c;
	p->err = err;
	if (c->kind == 'D')
		return c->by_opaque ? 0 : pack_mark(p, PACK_WHITEOUT);
	for (int tries = 0; tries < 10 && rc == REPLACED; tries++) {
		if (fstatat(c->dirfd, c->name, &p->st, AT_SYMLINK_NOFOLLOW) < 0)
			rc = fail_entry(p, "stat");
		else
			rc = S_ISSOCK(p->st.st_mode) ? pack_socket(p) : pack_present(p);
	}
	return rc < 0 ? rc : 0;
}

static void warn(struct ovl_store *st, uint64_t n, const char *one, const char *many)
{
	if (n)
		store_warn(st, "%" PRIu64 " %s", n, n == 1 ? one : many);
}

void pack_warn(struct ovl_store *st, const struct pack_lost *lost)
{
	warn(st, lost->sockets, "socket left out", "sockets left out");
	warn(st, lost->flags, "file loses its flag 'immutable' or 'append-only'",
		"files lose their flag 'immutable' or 'append-only'");
	warn(st, lost->links,
		"file loses its hard links to unchanged names, which index=on "
		"had kept",
		"files lose their hard links to unchanged names, which index=on "
		"had kept");
}

static void release_packer(struct packer *p)
{
	tarout_close(p->t);
	inodes_release(&p->packed);
	archive_entry_free(p->e);
	idmaps_release(&p->ids);
	free(p->copy);
	buf_release(&p->name);
	buf_release(&p->value);
}

int pack_layer(const struct layer *l, sink_fn sink, void *ctx,
	const struct pack_watch *watch, struct ovl_err *err)
{
	static const struct pack_watch nobody;
	__attribute__((cleanup(release_packer))) struct packer p = {
		.l = l,
		.watch = watch ? watch : &nobody,
		.live = l->meta.kind == OVL_WRITABLE,
		.e = archive_entry_new(),
		.copy = fs_buffer(COPY_SIZE),
		.latest = INT64_MAX,
	};
	int rc = p.e && p.copy ? tarout_latest(&p.latest, err) : err_nomem(err);

	if (rc == 0)
		rc = owners_check(l->st, err);
	if (rc == 0)
		rc = idmaps_read(&p.ids, err);
	if (rc == 0)
		rc = tarout_open(&p.t, p.watch->run != NULL, sink, ctx, err);
	if (rc == 0)
		rc = changes_walk(l, NULL, pack_one, &p, err);
	if (rc == 0)
		rc = tarout_finish(p.t, err);
	if (p.watch->lost)
		*p.watch->lost = p.lost;
	else if (rc == 0)
		pack_warn(l->st, &p.lost);
	return rc;
}
