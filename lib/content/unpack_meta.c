/* SPDX-License-Identifier: ISC */
/* Sets owner, mode, xattrs, ACLs and times of unpacked files. */
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "content/unpack.h"
#include "tar/acl.h"

/* The name of the entry, for messages. */
static const char *name_of(const struct unpack *u)
{
	return path_shown(archive_entry_pathname(u->e));
}

static int check_id(const struct unpack *u, const char *what, int64_t id,
	const struct idmap *map, const char *file, struct ovl_err *err)
{
	if (id < 0 || id >= UINT32_MAX)
		return err_say(err, EINVAL, "%s: impossible %s id %lld", Q(name_of(u)),
			what, (long long)id);
	if (!map || idmap_has(map, id))
		return 0;
	return err_say(err, EINVAL,
		"%s: %s id %lld is not mapped in this user namespace: see %s "
		"and unshare --map-auto",
		Q(name_of(u)), what, (long long)id, file);
}

int unpack_check_owner(struct unpack *u, bool mapped, struct ovl_err *err)
{
	int rc = check_id(u, "user", archive_entry_uid(u->e),
		mapped ? &u->ids.uids : NULL, "subuid(5)", err);

	return rc < 0 ? rc :
			check_id(u, "group", archive_entry_gid(u->e),
				mapped ? &u->ids.gids : NULL, "subgid(5)", err);
}

int unpack_fail_owner(
	int errnum, const char *name, uid_t uid, gid_t gid, struct ovl_err *err)
{
	if (errnum != EPERM)
		return err_sys(err, errnum, "cannot set the owner of %s", Q(name));
	return err_say(err, EPERM,
		"cannot give %s to user %u, group %u: not permitted; run ovlctl as root "
		"or in a user namespace (unshare -rm --map-auto)",
		Q(name), uid, gid);
}

static int change_owner(struct unpack *u, int fd, struct ovl_err *err)
{
	uid_t uid = (uid_t)archive_entry_uid(u->e);
	gid_t gid = (gid_t)archive_entry_gid(u->e);

	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0)
		return 0;
	return unpack_fail_owner(errno, name_of(u), uid, gid, err);
}

/* The file that gets the metadata: opened normally, or with O_PATH if that is
 * impossible. */
struct meta_target {
	int fd;
	bool path; /* fd is O_PATH */
};

/*
 * Opens the file that was just created at name, because system calls by name could affect
 * another file if somebody replaces it meanwhile. A file of this type with no other name
 * is ours, or belongs to whoever replaced it.
 */
static int pin(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	auto_fd fd = openat(at->p->fd, at->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot open %s", Q(name_of(u)));
	if ((st.st_mode & S_IFMT) != archive_entry_filetype(u->e) || st.st_nlink != 1)
		return err_say(err, ESTALE,
			"%s was replaced by another process while it was being made",
			Q(name_of(u)));
	return steal_fd(&fd);
}

/* Of a new file. */
static int set_owner(struct unpack *u, const struct parent *p, struct meta_target to,
	struct ovl_err *err)
{
	if (archive_entry_uid(u->e) == u->uid && archive_entry_gid(u->e) == u->gid &&
		!p->dir->foreign_group)
		return 0;
	return change_owner(u, to.fd, err);
}

/* One xattr of an entry. */
struct xattr_in {
	char name[XATTR_MAX_NAME * 3 + 1];
	const void *value;
	size_t n;
};

/* ---- xattrs ----------------------------------------------------------------------- */

static int set_one(struct unpack *u, struct meta_target to, const char *attr,
	const void *value, size_t n, struct ovl_err *err)
{
	int rc = to.path ? fs_setxattr_path(to.fd, attr, value, n) :
			   fs_setxattr(to.fd, NULL, attr, value, n);

	if (rc == 0)
		return 0;
	/* In a user namespace, some xattrs can only be set by root outside. */
	if (errno == EPERM && unpack_in_userns(u) && xattr_wants_root(attr)) {
		u->left[LEFT_XATTRS]++;
		return 0;
	}
	return err_sys(
		err, errno, "cannot set the xattr %s of %s", Q(attr), Q(name_of(u)));
}

/*
 * Gets the next xattr with its real name: the reader decodes the names of
 * LIBARCHIVE.xattr records, but not those of SCHILY.xattr. If both are present they mean
 * the same. 1, 0 at the end, negative errno.
 */
static int next_xattr(struct unpack *u, struct xattr_in *out, struct ovl_err *err)
{
	const char *attr;

	while (archive_entry_xattr_next(u->e, &attr, &out->value, &out->n) ==
		ARCHIVE_OK) {
		bool schily = rawhead_has_xattr(u->head, attr);

		if (out->n > XATTR_MAX_VALUE || strlen(attr) >= sizeof(out->name))
			return err_say(err, E2BIG, "%s: xattr %s is over 64 KiB",
				Q(name_of(u)), Q(attr));
		if (!schily && rawhead_means_xattr(u->head, attr))
			continue;
		strcpy(out->name, attr);
		if (schily)
			xattr_decode_keyword(out->name);
		return 1;
	}
	return 0;
}

/* Linux lists at most 64 KiB of names. Some are left for those of the file system and of
 * overlayfs. */
#define MAX_NAMES (63 * 1024)

/* Except ACLs, which are set last and may also be given as text. */
static int set_xattrs(struct unpack *u, struct meta_target to, struct ovl_err *err)
{
	struct xattr_in x;
	size_t names = 0;
	int r;

	if (archive_entry_xattr_reset(u->e) == 0)
		return 0;
	while ((r = next_xattr(u, &x, err)) > 0) {
		char disk[XATTR_MAX_NAME + 16];

		if (!xattr_in(u->xattrs, x.name, disk) ||
			!xattr_fits(disk, archive_entry_filetype(u->e))) {
			u->left[LEFT_XATTRS]++;
			continue;
		}
		names += strlen(disk) + 1;
		if (names > MAX_NAMES)
			return err_say(err, E2BIG,
				"%s: the names of its xattrs take over 63 KiB",
				Q(name_of(u)));
		if (xattr_is_acl(disk))
			continue;
		r = set_one(u, to, disk, x.value, x.n, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int from_text(struct unpack *u, bool dflt, struct ovl_err *err)
{
	const struct rawhead *h = u->head;
	int r = 0;

	if (h->acl_nfs4)
		return err_say(err, EINVAL, "an ACL of a kind that Linux does not have");
	if (dflt && h->acl_default.len)
		r = acl_value(&u->accounts, h->acl_default.data, h->acl_default.len, true,
			dflt, &u->value, err);
	if (r == 0 && h->acl.len)
		r = acl_value(&u->accounts, h->acl.data, h->acl.len, false, dflt,
			&u->value, err);
	return r;
}

/* Gets the value of an ACL: from the xattr if there is one, otherwise from the text. */
static int get_acl(struct unpack *u, bool dflt, struct ovl_err *err)
{
	const char *attr = dflt ? XATTR_ACL_DEFAULT : XATTR_ACL_ACCESS;
	struct xattr_in x;
	int r;

	archive_entry_xattr_reset(u->e);
	while ((r = next_xattr(u, &x, err)) > 0) {
		if (strcmp(x.name, attr) != 0)
			continue;
		buf_clear(&u->value);
		buf_add(&u->value, x.value, x.n);
		return u->value.failed ? err_nomem(err) : 1;
	}
	if (r == 0)
		r = from_text(u, dflt, err);
	return r < 0 ? err_prefix(err, r, "%s", Q(name_of(u))) : r;
}

static int set_access_acl(struct unpack *u, struct meta_target to, struct ovl_err *err)
{
	int r = get_acl(u, false, err);

	if (r <= 0)
		return r;
	return set_one(u, to, XATTR_ACL_ACCESS, u->value.data, u->value.len, err);
}

/*
 * A pax header says -1.5 for one and a half seconds before 1970. The reader turns that
 * into -1 and 500000000, but struct timespec needs -2 and 500000000. The reader also
 * drops the sign of -0.5.
 */
struct timespec unpack_mtime(const struct unpack *u)
{
	struct timespec t = {archive_entry_mtime(u->e), archive_entry_mtime_nsec(u->e)};

	if (t.tv_nsec > 0 && t.tv_sec > INT64_MIN &&
		(t.tv_sec < 0 || (t.tv_sec == 0 && u->head->early))) {
		t.tv_sec--;
		t.tv_nsec = 1000000000 - t.tv_nsec;
	}
	return t;
}

/* ---- files, directories ----------------------------------------------------------- */

mode_t unpack_first_mode(const struct unpack *u)
{
	mode_t mode = archive_entry_mode(u->e) & 0777;

	return unpack_has_xattrs(u) ? mode | S_IWUSR : mode;
}

/* A new inode has the mode it was created with, except for bits that open(2) and mknod(2)
 * do not set; a change of owner clears no others. */
static int set_mode(struct unpack *u, struct meta_target to, struct ovl_err *err)
{
	mode_t mode = archive_entry_mode(u->e) & 07777;
	int rc;

	if (S_ISLNK(archive_entry_mode(u->e)) || mode == unpack_first_mode(u))
		return 0;
	rc = to.path ? fs_chmod_path(to.fd, mode) : fchmod(to.fd, mode);
	if (rc < 0)
		return err_sys(err, errno, "cannot set the mode of %s", Q(name_of(u)));
	return 0;
}

static int set_times(const struct unpack *u, struct meta_target to, struct ovl_err *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, unpack_mtime(u)};

	if (utimensat(to.fd, "", times, AT_EMPTY_PATH) < 0)
		return err_sys(err, errno, "cannot set the times of %s", Q(name_of(u)));
	return 0;
}

int unpack_meta(
	struct unpack *u, const struct unpack_place *at, int fd, struct ovl_err *err)
{
	auto_fd held = fd < 0 ? pin(u, at, err) : -1;
	struct meta_target to = {.fd = fd < 0 ? held : fd, .path = fd < 0};
	int rc;

	if (to.fd < 0)
		return to.fd;
	rc = set_owner(u, at->p, to, err);
	if (rc == 0)
		rc = set_xattrs(u, to, err);
	if (rc == 0)
		rc = set_mode(u, to, err);
	if (rc == 0 && !S_ISLNK(archive_entry_mode(u->e)))
		rc = set_access_acl(u, to, err);
	return rc < 0 ? rc : set_times(u, to, err);
}

static int keep_default_acl(struct unpack *u, struct dir *dir, struct ovl_err *err)
{
	int r = get_acl(u, true, err);

	if (r < 0)
		return r;
	if (dirs_set_acl(&u->dirs, dir, u->value.data, r ? u->value.len : 0) < 0)
		return err_sys(
			err, errno, "cannot record the default ACL of %s", Q(name_of(u)));
	return 0;
}

bool unpack_has_xattrs(const struct unpack *u)
{
	return archive_entry_xattr_count(u->e) || u->head->acl.len ||
		u->head->acl_default.len || u->head->acl_nfs4;
}

bool unpack_is_plain(const struct unpack *u, const struct parent *p)
{
	return archive_entry_uid(u->e) == u->uid && archive_entry_gid(u->e) == u->gid &&
		!p->dir->foreign_group && !(archive_entry_mode(u->e) & 07000) &&
		!unpack_has_xattrs(u);
}

/* Removes what an earlier entry has set. */
static int reset_dir(struct unpack *u, struct meta_target to, struct ovl_err *err)
{
	if (fs_drop_xattrs(to.fd) < 0)
		return err_sys(
			err, errno, "cannot remove the xattrs of %s", Q(name_of(u)));
	return change_owner(u, to.fd, err);
}

/* Only root may change a directory whose mode keeps its owner out. */
static int open_up(struct unpack *u, struct dir *dir, int fd, struct ovl_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || fchmod(fd, (st.st_mode & 07777) | S_IRWXU) < 0)
		return err_sys(err, errno, "cannot set the mode of %s", Q(name_of(u)));
	dir->mode = (st.st_mode & S_IRWXU) | (dir->mode & S_ISGID);
	return 0;
}

int unpack_dir_meta(struct unpack *u, const struct unpack_place *at, struct dir *dir,
	bool fresh, struct ovl_err *err)
{
	mode_t mode = archive_entry_mode(u->e) & 07777;
	bool shut = (mode & S_IRWXU) != S_IRWXU;
	struct meta_target to = {.fd = -1};
	auto_fd fd = -1;
	int rc;

	dir->flags &= ~(unsigned)(DIR_IMPLIED | DIR_MODE);
	dir->flags |= mode & S_ISGID || shut ? DIR_MODE : 0;
	dir->mode = mode;
	dir->foreign_group = archive_entry_gid(u->e) != u->gid;
	dir->mtime = unpack_mtime(u);
	if (fresh && unpack_is_plain(u, at->p))
		return 0;
	to.fd = fd = fs_open_dir(at->p->fd, at->name);
	if (fd < 0)
		return err_sys(err, errno, "cannot open directory %s", Q(name_of(u)));
	rc = fresh ? set_owner(u, at->p, to, err) : reset_dir(u, to, err);
	if (rc == 0)
		rc = set_xattrs(u, to, err);
	if (rc == 0 && fchmod(fd, mode & (mode_t)~S_ISGID) < 0)
		rc = err_sys(err, errno, "cannot set the mode of %s", Q(name_of(u)));
	if (rc == 0)
		rc = set_access_acl(u, to, err);
	if (rc == 0 && shut)
		rc = open_up(u, dir, fd, err);
	return rc == 0 ? keep_default_acl(u, dir, err) : rc;
}
