/* SPDX-License-Identifier: ISC */
/* Unpacks the entries of a tar into a staged tree. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "content/unpack.h"
#include "union/whiteout.h"

/* ---- whiteouts -------------------------------------------------------------------- */

/* Hides name in the layers below. The files of this layer stay. */
static int hide(struct unpack *u, const struct unpack_place *at, const char *name,
	struct ovl_err *err)
{
	struct stat st;

	if (strlen(name) > PATH_MAX_NAME)
		return err_say(err, ENAMETOOLONG, "refused name %s: over 255 bytes",
			Q(at->path));
	if (wh_make(at->p->fd, name) == 0) {
		at->p->dir->flags |= DIR_HAS_WH;
		return 0;
	}
	if (errno == EPERM && fs_is_overlay(at->p->fd))
		return err_say(err, EPERM,
			"cannot make the whiteout %s: the store lies on an overlay mount, "
			"which cannot hold whiteouts",
			Q(at->path));
	if (errno != EEXIST || fstatat(at->p->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "cannot make the whiteout %s", Q(at->path));
	if (wh_is_device(&st))
		return 0;
	return unpack_hidden(u, at, name, err);
}

/* ---- links and nodes -------------------------------------------------------------- */

static int make_symlink(
	struct unpack *u, const struct unpack_place *at, const void *target)
{
	(void)u;
	return symlinkat(target, at->p->fd, at->name);
}

static int put_symlink(
	struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	const char *target = archive_entry_symlink(u->e);
	int rc;

	if (!target || !*target)
		return err_say(
			err, EINVAL, "%s: a symbolic link without a target", Q(at->path));
	rc = unpack_make(u, at, make_symlink, target, err);
	return rc < 0 ? rc : unpack_meta(u, at, -1, err);
}

static int make_node(struct unpack *u, const struct unpack_place *at, const void *ctx)
{
	mode_t type = archive_entry_filetype(u->e);

	(void)ctx;
	return mknodat(at->p->fd, at->name, type | unpack_first_mode(u),
		type == AE_IFIFO ? 0 : archive_entry_rdev(u->e));
}

/* Leaves out the entry, but hides what it would have hidden. */
static int leave_out(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	int rc = unpack_clear(u, at, err);

	u->left[LEFT_DEVICES]++;
	return rc < 0 ? rc : hide(u, at, at->name, err);
}

/* Linux has 12 bits for the major and 20 for the minor number. */
static int check_device(
	struct archive_entry *e, const struct unpack_place *at, struct ovl_err *err)
{
	uint64_t major = archive_entry_rdevmajor(e);
	uint64_t minor = archive_entry_rdevminor(e);

	if (major < 1u << 12 && minor < 1u << 20)
		return 0;
	return err_say(err, EINVAL, "%s: impossible device number %lld:%lld", Q(at->path),
		(long long)major, (long long)minor);
}

static int put_node(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	mode_t type = archive_entry_filetype(u->e);
	bool device = type != AE_IFIFO;
	int rc = device ? check_device(u->e, at, err) : 0;

	if (rc < 0)
		return rc;
	if (type == AE_IFCHR && archive_entry_rdev(u->e) == makedev(0, 0))
		return err_say(err, EINVAL,
			"refused %s: a 0/0 character device would be a whiteout",
			Q(at->path));
	/* The kernel does not allow devices there, but a layer that has /dev/console must
	 * not be refused. */
	if (device && unpack_in_userns(u))
		return leave_out(u, at, err);
	rc = unpack_make(u, at, make_node, NULL, err);
	return rc < 0 ? rc : unpack_meta(u, at, -1, err);
}

struct link {
	int dirfd;
	const char *name;
};

static int make_link(struct unpack *u, const struct unpack_place *at, const void *ctx)
{
	const struct link *l = ctx;

	(void)u;
	return linkat(l->dirfd, l->name, at->p->fd, at->name, 0);
}

/* A hard link to a file of this layer; the entry's data, if any, goes to that file. */
static int put_link(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	const char *raw = archive_entry_hardlink(u->e);
	auto_buf target = {0};
	auto_fd dir = -1;
	struct link l;
	struct stat st;
	int rc = path_clean(raw, u->max_depth, &target, err);

	if (rc < 0)
		return err_prefix(err, rc, "hard link %s", Q(at->path));
	l.name = path_base(target.data);
	if (l.name > target.data)
		target.data[l.name - target.data - 1] = '\0';
	dir = fs_open_inside(u->tree, l.name > target.data ? target.data : "", NULL);
	l.dirfd = dir;
	if (dir < 0 || fstatat(dir, l.name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (!fs_is_gone(errno) && errno != ENAMETOOLONG)
			return err_sys(err, errno,
				"cannot look up the target of hard link %s", Q(at->path));
		st.st_mode = 0;
	} else if (u->left[LEFT_DEVICES] && wh_is_device(&st))
		return leave_out(u, at, err);
	if (!st.st_mode || wh_is_device(&st))
		return err_say(err, EINVAL,
			"refused hard link %s: its target %s is not in this layer",
			Q(at->path), Q(raw));
	if (S_ISDIR(st.st_mode))
		return err_say(err, EINVAL,
			"refused hard link %s: its target %s is a directory", Q(at->path),
			Q(raw));
	if (fs_is_same(l.dirfd, l.name, at->p->fd, at->name))
		return 0;
	rc = unpack_make(u, at, make_link, &l, err);
	if (rc == -EMLINK)
		return err_say(err, EMLINK,
			"cannot create %s: Too many links: %s has %lu names; a store on XFS takes "
			"more",
			Q(at->path), Q(raw), (unsigned long)st.st_nlink);
	return rc < 0 ? rc : 0;
}

/* ---- directories ------------------------------------------------------------------ */

/* 1: created; 0: it existed. */
static int make_dir(struct unpack *u, const struct unpack_place *at, const void *ctx)
{
	mode_t mode = (archive_entry_mode(u->e) & 0777) | S_IRWXU;
	struct stat st;

	(void)ctx;
	if (mkdirat(at->p->fd, at->name, mode) == 0)
		return 1;
	if (errno != EEXIST || fstatat(at->p->fd, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return S_ISDIR(st.st_mode) ? 0 : fs_fail(EEXIST);
}

static int put_dir(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	int fresh = unpack_make(u, at, make_dir, NULL, err);
	struct dir *dir;

	if (fresh < 0)
		return fresh;
	dir = dirs_get(&u->dirs, at->p->dir, at->name);
	if (!dir)
		return err_nomem(err);
	return unpack_dir_meta(u, at, dir, fresh, err);
}

/* The entry for the layer's root itself. */
static int put_root(struct unpack *u, struct ovl_err *err)
{
	struct parent self = {.fd = u->tree, .dir = u->dirs.root};
	const struct unpack_place at = {.path = "", .name = ".", .p = &self};

	if (archive_entry_filetype(u->e) != AE_IFDIR)
		return err_say(err, EINVAL, "refused %s: the root is not a directory",
			Q(path_shown(archive_entry_pathname(u->e))));
	return unpack_dir_meta(u, &at, self.dir, false, err);
}

/* ---- entries ---------------------------------------------------------------------- */

static int put_entry(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	int rc = 0;

	if (archive_entry_hardlink(u->e))
		return put_link(u, at, err);
	rc = unpack_check_owner(u, true, err);
	if (rc < 0)
		return rc;
	switch (archive_entry_filetype(u->e)) {
	case AE_IFREG: return unpack_file(u, at, err);
	case AE_IFDIR: return put_dir(u, at, err);
	case AE_IFLNK: return put_symlink(u, at, err);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO: return put_node(u, at, err);
	default:
		return err_say(
			err, EINVAL, "refused %s: a file of unknown type", Q(at->path));
	}
}

/*
 * Checks the directories of an entry: none may have the name of a whiteout, and entries
 * below AUFS's own names are ignored, unless hard links lead to them. 1: go on; 0: ignore
 * the entry.
 */
static int check_dirs(const char *path, struct ovl_err *err)
{
	const char *hidden;

	if (wh_is_plnk(path))
		return 1;

	for (const char *p = path, *slash; (slash = strchr(p, '/')); p = slash + 1) {
		char name[PATH_MAX_COMPONENT + 1];
		enum wh_name kind;

		memcpy(name, p, (size_t)(slash - p));
		name[slash - p] = '\0';
		kind = wh_parse(name, &hidden);
		if (kind == WH_IGNORED)
			return 0;
		if (kind != WH_NONE)
			return err_say(
				err, EINVAL, "refused %s: inside a whiteout", Q(path));
	}
	return 1;
}

/* The path is clean, not that of the root, and in a writable buffer. */
static int put_at(struct unpack *u, char *path, struct ovl_err *err)
{
	struct unpack_place at = {.path = path, .name = path_base(path)};
	const char *hidden = NULL;
	enum wh_name kind;
	int rc = check_dirs(path, err);

	if (rc <= 0)
		return rc;
	kind = wh_parse(at.name, &hidden);
	if (kind == WH_IGNORED)
		return 0;
	if (kind == WH_BAD)
		return err_say(err, EINVAL, "refused %s: a whiteout of nothing", Q(path));
	if (at.name > path) {
		char *slash = path + (at.name - path) - 1;

		*slash = '\0';
		rc = unpack_parent(u, path, &at.p, err);
		*slash = '/';
	} else {
		rc = unpack_parent(u, "", &at.p, err);
	}
	/* If this layer has no directory there, nothing below is visible. */
	if ((rc == -ENOTDIR || rc == -ELOOP) && kind != WH_NONE)
		return 0;
	if (rc < 0)
		return rc == -ENOTDIR ? err_prefix(err, rc, "%s", Q(path)) : rc;
	if (kind == WH_HIDES)
		return hide(u, &at, hidden, err);
	if (kind == WH_OPQ) {
		at.p->dir->flags |= DIR_OPAQUE;
		return 0;
	}
	return put_entry(u, &at, err);
}

int unpack_entry(
	struct unpack *u, struct tarin *t, struct archive_entry *e, struct ovl_err *err)
{
	const char *raw = archive_entry_pathname(e);
	int rc;

	if (++u->entries > u->max_entries)
		return err_say(err, E2BIG,
			"it holds more than %llu entries: see --max-entries",
			(unsigned long long)u->max_entries);
	if (!raw)
		return err_say(err, EINVAL, "an entry without a name");
	u->tar = t;
	u->e = e;
	u->head = tarin_head(t);
	u->left[LEFT_FLAGS] += archive_entry_fflags_text(e) != NULL;
	rc = path_clean(raw, u->max_depth, &u->path, err);
	if (rc == 0)
		rc = unpack_check_owner(u, !u->path.len, err);
	if (rc < 0)
		return rc;
	return u->path.len ? put_at(u, u->path.data, err) : put_root(u, err);
}
