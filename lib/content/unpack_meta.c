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
#include "base/quote.h"
#include "content/unpack.h"
#include "tar/acl.h"

/* The name of an entry, for messages. */
static const char *name_of(struct archive_entry *e)
{
	const char *name = archive_entry_pathname(e);

	return name ? name : "";
}

static int check_id(const struct idmap *map, const char *what, int64_t id, bool mapped,
	const char *file, struct archive_entry *e, struct ovl_err *err)
{
	if (id < 0 || id >= UINT32_MAX)
		return err_say(err, EINVAL, "%s: impossible %s id %lld", Q(name_of(e)),
			what, (long long)id);
	if (!mapped || idmap_has(map, id))
		return 0;
	return err_say(err, EINVAL,
		"%s: %s id %lld is not mapped in this user namespace: see %s "
		"and unshare --map-auto",
		Q(name_of(e)), what, (long long)id, file);
}

int unpack_check_owner(
	struct unpack *u, struct archive_entry *e, bool mapped, struct ovl_err *err)
{
	int rc = check_id(
		&u->ids.uids, "user", archive_entry_uid(e), mapped, "subuid(5)", e, err);

	if (rc == 0)
		rc = check_id(&u->ids.gids, "group", archive_entry_gid(e), mapped,
			"subgid(5)", e, err);
	return rc;
}

static int owner_error(uid_t uid, gid_t gid, struct archive_entry *e, struct ovl_err *err)
{
	if (errno == EPERM)
		return err_say(err, EPERM,
			"cannot give %s to user %u, group %u: not permitted; run ovlctl as root "
			"or in a user namespace (unshare -rm --map-auto)",
			Q(name_of(e)), uid, gid);
	return err_sys(err, errno, "cannot set the owner of %s", Q(name_of(e)));
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
static int pin(
	struct parent *p, const char *name, struct archive_entry *e, struct ovl_err *err)
{
	auto_fd fd = openat(p->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot open %s", Q(name_of(e)));
	if ((st.st_mode & S_IFMT) != archive_entry_filetype(e) || st.st_nlink != 1)
		return err_say(err, ESTALE,
			"%s was replaced by another process while it was being made",
			Q(name_of(e)));
	return steal_fd(&fd);
}

static int set_owner(struct unpack *u, const struct parent *p, struct meta_target to,
	struct archive_entry *e, struct ovl_err *err)
{
	uid_t uid = (uid_t)archive_entry_uid(e);
	gid_t gid = (gid_t)archive_entry_gid(e);

	if (uid == u->uid && gid == u->gid && !p->dir->foreign_group)
		return 0;
	if (fchownat(to.fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return owner_error(uid, gid, e, err);
	return 0;
}

/* One xattr of an entry. */
struct xattr_in {
	char name[XATTR_MAX_NAME * 3 + 1];
	const void *value;
	size_t n;
};

/* ---- xattrs ----------------------------------------------------------------------- */

/* In a user namespace, some xattrs can only be set by root outside. */
static bool is_denied(const struct unpack *u, const char *attr, int why)
{
	return why == EPERM && unpack_in_userns(u) && xattr_wants_root(attr);
}

static int set_one(struct unpack *u, struct meta_target to, const char *attr,
	const void *value, size_t n, struct archive_entry *e, struct ovl_err *err)
{
	int rc = to.path ? fs_setxattr_path(to.fd, attr, value, n) :
			   fs_setxattr(to.fd, NULL, attr, value, n);

	if (rc == 0)
		return 0;
	if (is_denied(u, attr, errno)) {
		u->left[LEFT_XATTRS]++;
		return 0;
	}
	return err_sys(
		err, errno, "cannot set the xattr %s of %s", Q(attr), Q(name_of(e)));
}

/*
 * Gets the next xattr with its real name: the reader decodes the names of
 * LIBARCHIVE.xattr records, but not those of SCHILY.xattr. If both are present they mean
 * the same. 1, 0 at the end, negative errno.
 */
static int next_xattr(struct unpack *u, struct archive_entry *e, struct xattr_in *out,
	struct ovl_err *err)
{
	const char *attr;

	while (archive_entry_xattr_next(e, &attr, &out->value, &out->n) == ARCHIVE_OK) {
		bool schily = rawhead_has_xattr(u->head, attr);

		if (out->n > XATTR_MAX_VALUE || strlen(attr) >= sizeof(out->name))
			return err_say(err, E2BIG, "%s: xattr %s is over 64 KiB",
				Q(name_of(e)), Q(attr));
		if (!schily && rawhead_means_xattr(u->head, attr))
			continue;
		strcpy(out->name, attr);
		if (schily)
			xattr_decode_keyword(out->name);
		return 1;
	}
	return 0;
}

/* Except ACLs, which are set last and may also be given as text. */
static int set_xattrs(struct unpack *u, struct meta_target to, struct archive_entry *e,
	struct ovl_err *err)
{
	struct xattr_in x;
	int r;

	if (archive_entry_xattr_reset(e) == 0)
		return 0;
	while ((r = next_xattr(u, e, &x, err)) > 0) {
		char disk[XATTR_MAX_NAME + 16];

		if (!xattr_in(u->xattrs, x.name, disk) ||
			!xattr_fits(disk, archive_entry_filetype(e))) {
			u->left[LEFT_XATTRS]++;
			continue;
		}
		if (xattr_is_acl(disk))
			continue;
		r = set_one(u, to, disk, x.value, x.n, e, err);
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
static int get_acl(
	struct unpack *u, struct archive_entry *e, bool dflt, struct ovl_err *err)
{
	const char *attr = dflt ? XATTR_ACL_DEFAULT : XATTR_ACL_ACCESS;
	struct xattr_in x;
	int r;

	archive_entry_xattr_reset(e);
	while ((r = next_xattr(u, e, &x, err)) > 0) {
		if (strcmp(x.name, attr) != 0)
			continue;
		buf_clear(&u->value);
		buf_add(&u->value, x.value, x.n);
		return u->value.failed ? err_nomem(err) : 1;
	}
	if (r == 0)
		r = from_text(u, dflt, err);
	return r < 0 ? err_prefix(err, r, "%s", Q(name_of(e))) : r;
}

static int set_access_acl(struct unpack *u, struct meta_target to,
	struct archive_entry *e, struct ovl_err *err)
{
	int r = get_acl(u, e, false, err);

	if (r <= 0)
		return r;
	return set_one(u, to, XATTR_ACL_ACCESS, u->value.data, u->value.len, e, err);
}

/*
 * A pax header says -1.5 for one and a half seconds before 1970. The reader turns that
 * into -1 and 500000000, but struct timespec needs -2 and 500000000. The reader also
 * drops the sign of -0.5.
 */
struct timespec unpack_mtime(const struct unpack *u, struct archive_entry *e)
{
	struct timespec t = {archive_entry_mtime(e), archive_entry_mtime_nsec(e)};

	if (t.tv_nsec > 0 && t.tv_sec > INT64_MIN &&
		(t.tv_sec < 0 || (t.tv_sec == 0 && u->head->early))) {
		t.tv_sec--;
		t.tv_nsec = 1000000000 - t.tv_nsec;
	}
	return t;
}

/* ---- files, directories ----------------------------------------------------------- */

/* A new inode has the mode it was created with, except for bits that open(2) and mknod(2)
 * do not set; a change of owner clears no others. */
static int set_mode(struct meta_target to, struct archive_entry *e, struct ovl_err *err)
{
	mode_t mode = archive_entry_mode(e) & 07777;
	int rc;

	if (S_ISLNK(archive_entry_mode(e)) || !(mode & 07000))
		return 0;
	rc = to.path ? fs_chmod_path(to.fd, mode) : fchmod(to.fd, mode);
	if (rc < 0)
		return err_sys(err, errno, "cannot set the mode of %s", Q(name_of(e)));
	return 0;
}

static int set_times(const struct unpack *u, struct meta_target to,
	struct archive_entry *e, struct ovl_err *err)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, unpack_mtime(u, e)};

	if (utimensat(to.fd, "", times, AT_EMPTY_PATH) < 0)
		return err_sys(err, errno, "cannot set the times of %s", Q(name_of(e)));
	return 0;
}

int unpack_meta(struct unpack *u, struct parent *p, const char *name, int fd,
	struct archive_entry *e, struct ovl_err *err)
{
	auto_fd held = fd < 0 ? pin(p, name, e, err) : -1;
	struct meta_target to = {.fd = fd < 0 ? held : fd, .path = fd < 0};
	int rc;

	if (to.fd < 0)
		return to.fd;
	rc = set_owner(u, p, to, e, err);
	if (rc == 0)
		rc = set_mode(to, e, err);
	if (rc == 0)
		rc = set_xattrs(u, to, e, err);
	if (rc == 0 && !S_ISLNK(archive_entry_mode(e)))
		rc = set_access_acl(u, to, e, err);
	return rc < 0 ? rc : set_times(u, to, e, err);
}

static int keep_default_acl(
	struct unpack *u, struct dir *dir, struct archive_entry *e, struct ovl_err *err)
{
	int r = get_acl(u, e, true, err);

	if (r < 0)
		return r;
	if (dirs_set_acl(&u->dirs, dir, r ? u->value.data : NULL, r ? u->value.len : 0) <
		0)
		return err_sys(
			err, errno, "cannot record the default ACL of %s", Q(name_of(e)));
	return 0;
}

bool unpack_has_xattrs(const struct unpack *u, struct archive_entry *e)
{
	return archive_entry_xattr_count(e) || u->head->acl.len ||
		u->head->acl_default.len || u->head->acl_nfs4;
}

bool unpack_is_plain(
	const struct unpack *u, const struct parent *p, struct archive_entry *e)
{
	return archive_entry_uid(e) == u->uid && archive_entry_gid(e) == u->gid &&
		!p->dir->foreign_group && !(archive_entry_mode(e) & 07000) &&
		!unpack_has_xattrs(u, e);
}

int unpack_dir_meta(struct unpack *u, struct parent *p, const char *name, struct dir *dir,
	bool fresh, struct archive_entry *e, struct ovl_err *err)
{
	mode_t mode = archive_entry_mode(e) & 07777;
	auto_fd fd = -1;
	int rc = 0;

	dir->flags &= ~(unsigned)(DIR_IMPLIED | DIR_SETGID);
	dir->flags |= mode & S_ISGID ? DIR_SETGID : 0;
	dir->foreign_group = archive_entry_gid(e) != u->gid;
	dir->mtime = unpack_mtime(u, e);
	if (fresh && unpack_is_plain(u, p, e))
		return 0;
	fd = fs_open_dir(p->fd, name);
	if (fd < 0)
		return err_sys(err, errno, "cannot open directory %s", Q(name_of(e)));
	/* Remove what an earlier entry has set. */
	if (!fresh) {
		if (fs_drop_xattrs(fd) < 0)
			rc = err_sys(err, errno, "cannot remove the xattrs of %s",
				Q(name_of(e)));
		if (rc == 0 &&
			fchown(fd, (uid_t)archive_entry_uid(e),
				(gid_t)archive_entry_gid(e)) < 0)
			rc = owner_error((uid_t)archive_entry_uid(e),
				(gid_t)archive_entry_gid(e), e, err);
	} else {
		rc = set_owner(u, p, (struct meta_target){.fd = fd}, e, err);
	}
	if (rc == 0 && fchmod(fd, mode & (mode_t)~S_ISGID) < 0)
		rc = err_sys(err, errno, "cannot set the mode of %s", Q(name_of(e)));
	if (rc == 0)
		rc = set_xattrs(u, (struct meta_target){.fd = fd}, e, err);
	if (rc == 0)
		rc = set_access_acl(u, (struct meta_target){.fd = fd}, e, err);
	if (rc == 0)
		rc = keep_default_acl(u, dir, e, err);
	return rc;
}
