/* SPDX-License-Identifier: ISC */
/* The file that makes a directory a store, and the privilege that its kind of xattrs
 * needs. See stamp.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/idmap.h"
#include "base/quote.h"
#include "store/driver.h"
#include "store/stamp.h"
#include "store/store.h"

/*
 * Asks the kernel, as nothing else tells. Replacing an attribute that does not exist
 * changes nothing: ENODATA means that it would have been allowed. 1, 0, -1 if unknown.
 */
static int may_use_trusted(int fd)
{
	if (fsetxattr(fd, "trusted.ovlctl", "", 0, XATTR_REPLACE) == 0 ||
		errno == ENODATA || errno == EOPNOTSUPP)
		return 1;
	return errno == EPERM ? 0 : -1;
}

int privilege_check(struct ovl_store *st, struct ovl_err *err)
{
	int may;

	if (st->xattrs.user || st->fd < 0 || st->privileged)
		return 0;
	may = may_use_trusted(st->fd);
	if (may < 0)
		may = !idmap_unprivileged(); /* on a read-only file system */
	if (may) {
		st->privileged = true;
		return 0;
	}
	return err_say(err, EPERM,
		"not permitted: store %s was made by root with trusted.* attributes, which "
		"need root (CAP_SYS_ADMIN) outside of user namespaces",
		Q(st->root));
}

static int refuse_owner(const struct ovl_store *st, struct ovl_err *err)
{
	if (st->owner == OWNER_USER)
		return err_say(err, EPERM,
			"not permitted: store %s was made by an ordinary user outside of a "
			"user namespace; run ovlctl as that user there",
			Q(st->root));
	return err_say(err, EPERM,
		"not permitted: store %s was made in a user namespace, and its files have "
		"other owners outside; run ovlctl there (unshare -rm --map-auto)",
		Q(st->root));
}

static bool stat_owned(const struct ovl_store *st, struct stat *sb)
{
	return st->owner != OWNER_ANY && st->fd >= 0 && fstat(st->fd, sb) == 0;
}

int owners_check(const struct ovl_store *st, struct ovl_err *err)
{
	struct stat sb;

	if (!stat_owned(st, &sb) || (sb.st_uid == 0) == (st->owner == OWNER_ROOT))
		return 0;
	return refuse_owner(st, err);
}

int owner_check(const struct ovl_store *st, struct ovl_err *err)
{
	struct stat sb;

	return stat_owned(st, &sb) && sb.st_uid != geteuid() ? refuse_owner(st, err) : 0;
}

/* True if the directory contains only what a new file system has, or what a process left
 * that was killed while it created or removed a store. */
static int is_empty(int fd)
{
	auto_fsdir d = fs_dir_at(fd, ".");
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (strcmp(name, "lost+found") != 0 && strncmp(name, ".stamp.", 7) != 0)
			return 0;
	}
	return r < 0 ? -1 : 1;
}

static const char *owner_line(uid_t uid)
{
	return uid == 0 ? "owner root\n" : uid == geteuid() ? "owner user\n" : "";
}

/* Synced in any case: a torn stamp would make everything after it unusable. */
static int stamp_write(struct ovl_store *st, int fd)
{
	int trusted = may_use_trusted(fd);
	struct stat sb;
	char text[128];

	/* The kind of a store never changes, so do not guess. */
	if (trusted < 0)
		return -1;
	if (fstat(st->fd, &sb) < 0)
		return -1;
	snprintf(text, sizeof(text),
		"ovlctl store " STORE_FORMAT "\nxattrs %s\ndriver %s\n%s",
		trusted ? "trusted" : "user", st->drv->name,
		trusted ? "" : owner_line(sb.st_uid));
	if (fs_write_all(fd, text, strlen(text)) < 0)
		return -1;
	return fsync(fd);
}

/* What layers need later is needed here, so that nothing is imported in vain: hard links and
 * RENAME_NOREPLACE, which file systems with O_TMPFILE have. */
static int put_in_place(
	struct ovl_store *st, int fd, const char *linked, struct ovl_err *err)
{
	if (fs_link(fd, st->fd, linked) == 0 &&
		(strcmp(linked, STORE_STAMP) == 0 ||
			fs_rename(st->fd, linked, st->fd, STORE_STAMP,
				RENAME_NOREPLACE) == 0))
		return 0;
	if (errno == EEXIST)
		return 0;
	if (errno == EINVAL || errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS)
		return err_say(err, EOPNOTSUPP,
			"cannot make the store %s: its file system has no hard links or no "
			"RENAME_NOREPLACE; use one such as ext4, XFS, btrfs or tmpfs",
			Q(st->root));
	return err_sys(err, errno, "cannot make the store %s", Q(st->root));
}

/* Without O_TMPFILE the file has random names until it is complete. */
static int stamp_make(struct ovl_store *st, struct ovl_err *err)
{
	auto_fd fd = openat(st->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char temp[ID_LEN] = "";
	char linked[ID_LEN] = STORE_STAMP;
	struct ovl_id id;
	int rc;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT) &&
		id_random(&id) == 0) {
		snprintf(linked, sizeof(linked), ".stamp.%.16s", id.s);
		snprintf(temp, sizeof(temp), ".stamp.%.16s", id.s + 16);
		fd = openat(st->fd, temp,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	rc = fd < 0 || stamp_write(st, fd) < 0 ?
		err_sys(err, errno, "cannot make the store %s", Q(st->root)) :
		put_in_place(st, fd, linked, err);
	if (*temp) {
		unlinkat(st->fd, linked, 0);
		unlinkat(st->fd, temp, 0);
	}
	return rc;
}

static void take_value(const char *line, const char *key, const char **out)
{
	if (strncmp(line, key, strlen(key)) == 0)
		*out = line + strlen(key);
}

static int stamp_parse(struct ovl_store *st, char *text, struct ovl_err *err)
{
	static const char first[] = "ovlctl store ";
	const char *xattrs = "";
	const char *driver = "";
	const char *owner = "";
	const struct driver *drv;
	char *format = strsep(&text, "\n");

	if (strncmp(format, first, sizeof(first) - 1) != 0)
		return err_say(err, EUCLEAN, "%s is not a store: its stamp is damaged",
			Q(st->root));
	format += sizeof(first) - 1;
	if (strcmp(format, STORE_FORMAT) != 0)
		return err_say(err, EUCLEAN,
			"store %s has format %s, this program supports only format " STORE_FORMAT,
			Q(st->root), Q(format));
	while (text) {
		const char *line = strsep(&text, "\n");

		take_value(line, "xattrs ", &xattrs);
		take_value(line, "driver ", &driver);
		take_value(line, "owner ", &owner);
	}
	drv = driver_find(driver);
	if (!drv || (strcmp(xattrs, "user") != 0 && strcmp(xattrs, "trusted") != 0))
		return err_say(
			err, EUCLEAN, "the stamp of store %s is damaged", Q(st->root));
	st->xattrs.user = xattrs[0] == 'u';
	if (st->xattrs.user)
		st->owner = strcmp(owner, "root") == 0 ? OWNER_ROOT :
			strcmp(owner, "user") == 0     ? OWNER_USER :
							 OWNER_ANY;
	if (!st->drv_chosen)
		st->drv = drv;
	return 0;
}

static int cannot_read(const struct ovl_store *st, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot read the stamp of store %s", Q(st->root));
}

/* 1 read, 0 there is none, negative errno. */
static int read_it(struct ovl_store *st, struct ovl_err *err)
{
	auto_buf text = {0};
	int rc;

	if (fs_read_file(st->fd, STORE_STAMP, 4096, &text) < 0)
		return errno == ENOENT ? 0 : cannot_read(st, err);
	rc = stamp_parse(st, text.data, err);
	return rc < 0 ? rc : 1;
}

/* The size only grows, even if other processes write too. */
static int note_new(struct ovl_store *st)
{
	auto_fd fd = openat(st->fd, STORE_NEW,
		O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	return st->made_dirs ? fs_pwrite_all(fd, "", 1, st->made_dirs - 1) : 0;
}

/* Handles a missing stamp: 1 if none is wanted, 0 if it has been created, negative
 * errno. */
static int make_stamp(struct ovl_store *st, struct ovl_err *err)
{
	int r = is_empty(st->fd);

	if (r < 0)
		return err_sys(err, errno, "cannot read directory %s", Q(st->root));
	/* Another process may have created the stamp meanwhile. */
	if (r == 0 && fs_exists(st->fd, STORE_STAMP) <= 0)
		return err_say(err, ENOTEMPTY,
			"%s is not empty and not a store (it has no stamp)", Q(st->root));
	if (r == 0)
		return 0;
	st->fresh = st->make;
	if (st->make && note_new(st) < 0)
		return err_sys(err, errno, "cannot make the store %s", Q(st->root));
	if (st->make)
		return stamp_make(st, err);
	close_fdp(&st->fd);
	return 1;
}

int stamp_take(struct ovl_store *st, struct ovl_err *err)
{
	int r;

	do {
		r = read_it(st, err);
		if (r == 0)
			r = make_stamp(st, err);
	} while (r == 0);
	return r < 0 ? r : 0;
}

int stamp_note_new(struct ovl_store *st)
{
	int r = fs_exists(st->fd, STORE_STAMP) ? 0 : is_empty(st->fd);

	/* If it is not empty, another process may have created the stamp meanwhile. */
	if (r == 0)
		r = fs_exists(st->fd, STORE_NEW);
	if (r > 0 && note_new(st) < 0)
		r = -1;
	return r < 0 ? -errno : r;
}
