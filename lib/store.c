#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "fs.h"
#include "idmap.h"
#include "lock.h"
#include "marks.h"
#include "quote.h"
#include "store.h"

static const char lock_name[] = "lock";

static const char *const dir_names[STORE_DIRS] = {
	[DIR_NAMES] = "names",
	[DIR_STAGING] = "staging",
	[DIR_TRASH] = "trash",
	[DIR_EMPTY] = "empty",
	[DIR_ASIDE] = "aside",
};

bool store_durable(const struct ovl_store *st)
{
	return st->cfg.sync != OVL_SYNC_NONE;
}

int store_sync(const struct ovl_store *st, int fd, struct ovl_err *err)
{
	if (store_durable(st) && syncfs(fd) < 0)
		return err_sys(err, errno, "cannot sync the store");
	return 0;
}

/* ---- where the root is ------------------------------------------------------------ */

static char *default_root(struct ovl_err *err)
{
	auto_buf path = {0};
	char *out;

	if (!idmap_unprivileged()) {
		buf_adds(&path, "/var/lib/ovlctl");
	} else {
		const char *data = secure_getenv("XDG_DATA_HOME");
		const char *home = secure_getenv("HOME");

		if (data && data[0] == '/')
			buf_addf(&path, "%s/ovlctl", data);
		else if (home && home[0] == '/')
			buf_addf(&path, "%s/.local/share/ovlctl", home);
		else {
			err_say(err, ENOENT, "no store: give --root, or set HOME");
			return NULL;
		}
	}
	out = buf_steal(&path);
	if (!out)
		err_nomem(err);
	return out;
}

static int make_parents(const char *path)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return -1;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -1;
	return 0;
}

static int open_root(struct ovl_store *st, const char *path, struct ovl_err *err)
{
	auto_buf real = {0};

	st->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->fd < 0 && errno == ENOENT && st->make) {
		if (make_parents(path) < 0)
			return err_sys(err, errno, "cannot make the store %s", Q(path));
		st->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (st->fd < 0) {
		if (errno != ENOENT)
			return err_sys(err, errno, "cannot open the store %s", Q(path));
		st->root = strdup(path);
		return st->root ? 0 : err_nomem(err);
	}
	if (fs_path_of(st->fd, &real) < 0)
		return err_sys(err, errno, "cannot find the path of %s", Q(path));
	st->root = buf_steal(&real);
	return st->root ? 0 : err_nomem(err);
}

/* ---- the stamp -------------------------------------------------------------------- */

/* Nothing but what a new file system or a store killed at its birth holds. */
static int is_empty(int fd)
{
	auto_fsdir d = {.fd = -1};
	const char *name;
	int r;

	if (fs_dir_open(&d, fd, ".") < 0)
		return -1;
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (strcmp(name, "lost+found") != 0 && strncmp(name, ".stamp.", 7) != 0)
			return 0;
	}
	return r < 0 ? -1 : 1;
}

/* Synced in any case: a torn one would be the end of all that comes after it. */
static int stamp_write(struct ovl_store *st, int fd)
{
	int trusted = marks_trusted(fd);
	char text[128];

	/* A store is what it is made as for good: no guess is good enough. */
	if (trusted < 0)
		return -1;
	snprintf(text, sizeof(text), "ovlctl store %d\nxattrs %s\ndriver %s\n",
		STORE_FORMAT, trusted ? "trusted" : "user", st->drv->name);
	if (fs_write_all(fd, text, strlen(text)) < 0)
		return -1;
	return fsync(fd);
}

/* Where there is no O_TMPFILE: a file of a random name, linked under its real one. */
static int stamp_by_name(struct ovl_store *st)
{
	struct ovl_id id;
	char temp[ID_LEN + 16];
	auto_fd fd = -1;
	int rc;

	if (id_random(&id) < 0)
		return -1;
	snprintf(temp, sizeof(temp), ".stamp.%.16s", id.s);
	fd = openat(
		st->fd, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	rc = stamp_write(st, fd);
	if (rc == 0 && linkat(st->fd, temp, st->fd, STORE_STAMP, 0) < 0 &&
		errno != EEXIST)
		rc = -1;
	if (unlinkat(st->fd, temp, 0) < 0)
		rc = -1;
	return rc;
}

static int stamp_make(struct ovl_store *st, struct ovl_err *err)
{
	auto_fd fd = openat(st->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char link[48];
	int rc;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		rc = stamp_by_name(st);
	} else if (fd < 0) {
		rc = -1;
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		rc = stamp_write(st, fd);
		if (rc == 0 &&
			linkat(AT_FDCWD, link, st->fd, STORE_STAMP, AT_SYMLINK_FOLLOW) <
				0 &&
			errno != EEXIST)
			rc = -1;
	}
	if (rc < 0)
		return err_sys(err, errno, "cannot make the store %s", Q(st->root));
	return 0;
}

static int stamp_parse(struct ovl_store *st, char *text, struct ovl_err *err)
{
	unsigned format = 0;
	char xattrs[16] = "";
	char driver[32] = "";
	const struct driver *drv;

	if (sscanf(text, "ovlctl store %u\nxattrs %15s\ndriver %31s\n", &format, xattrs,
		    driver) < 1)
		return err_say(err, EUCLEAN, "%s is no store: its stamp is damaged",
			Q(st->root));
	if (format != STORE_FORMAT)
		return err_say(err, EUCLEAN,
			"store %s has format %u, this program knows %d", Q(st->root),
			format, STORE_FORMAT);
	drv = driver_find(driver);
	if (!drv || (strcmp(xattrs, "user") != 0 && strcmp(xattrs, "trusted") != 0))
		return err_say(
			err, EUCLEAN, "the stamp of store %s is damaged", Q(st->root));
	st->xattrs.user = xattrs[0] == 'u';
	if (!st->drv_chosen)
		st->drv = drv;
	return 0;
}

/* Reads the stamp, or makes one, or sees that there is no store yet. */
static int stamp_take(struct ovl_store *st, struct ovl_err *err)
{
	auto_buf text = {0};
	int r;

	if (fs_read_file(st->fd, STORE_STAMP, 4096, &text) == 0)
		return stamp_parse(st, text.data, err);
	if (errno != ENOENT)
		return err_sys(
			err, errno, "cannot read the stamp of store %s", Q(st->root));
	r = is_empty(st->fd);
	if (r < 0)
		return err_sys(err, errno, "cannot read directory %s", Q(st->root));
	/* Another may have made one since. */
	if (r == 0 && fs_read_file(st->fd, STORE_STAMP, 4096, &text) == 0)
		return stamp_parse(st, text.data, err);
	if (r == 0)
		return err_say(err, ENOTEMPTY,
			"%s is not empty and not a store (it has no stamp)", Q(st->root));
	if (!st->make) {
		close_fdp(&st->fd);
		return 0;
	}
	r = stamp_make(st, err);
	for (int i = 0; i < STORE_DIRS && r == 0; i++) {
		if (fs_mkdir(st->fd, dir_names[i], 0700) < 0)
			r = err_sys(err, errno, "cannot make '%s/%s'", st->root,
				dir_names[i]);
	}
	if (r < 0)
		return r;
	if (fs_read_file(st->fd, STORE_STAMP, 4096, &text) < 0)
		return err_sys(
			err, errno, "cannot read the stamp of store %s", Q(st->root));
	return stamp_parse(st, text.data, err);
}

/* ---- open, close ------------------------------------------------------------------ */

static int choose_driver(struct ovl_store *st, struct ovl_err *err)
{
	const char *want = st->cfg.driver ? st->cfg.driver :
					    secure_getenv("OVLCTL_DRIVER");
	const struct driver *drv;

	st->drv = driver_list[0];
	if (!want || !*want)
		return 0;
	drv = driver_find(want);
	if (!drv)
		return err_status(err, OVL_USAGE, "unknown driver %s", Q(want));
	st->drv = drv;
	st->drv_chosen = true;
	return 0;
}

/*
 * What is given but empty comes from a script whose variable was not set: that must not
 * end in the default store.
 */
static int choose_root(const struct ovl_store *st, char **out, struct ovl_err *err)
{
	const char *env = secure_getenv("OVLCTL_ROOT");
	const char *root = st->cfg.root ? st->cfg.root : env;

	if (!root) {
		*out = default_root(err);
		return *out ? 0 : -ENOENT;
	}
	if (!*root)
		return err_status(err, OVL_USAGE, "%s is empty",
			st->cfg.root ? "--root" : "OVLCTL_ROOT");
	*out = strdup(root);
	return *out ? 0 : err_nomem(err);
}

static int open_store(struct ovl_store *st, struct ovl_err *err)
{
	auto_free char *path = NULL;
	int rc;

	rc = choose_driver(st, err);
	if (rc < 0)
		return rc;
	rc = choose_root(st, &path, err);
	if (rc < 0)
		return rc;
	rc = open_root(st, path, err);
	if (rc < 0 || st->fd < 0)
		return rc;
	rc = stamp_take(st, err);
	/* Who may make a store is about to make layers. */
	return rc == 0 && st->make ? marks_check(st, err) : rc;
}

int ovl_open(struct ovl_store **out, const struct ovl_config *cfg, bool make,
	struct ovl_err *err)
{
	struct ovl_store *st = calloc(1, sizeof(*st));
	int rc;

	if (!st)
		return err_nomem(err);
	st->cfg = *cfg;
	st->make = make;
	st->fd = -1;
	st->lock_fd = -1;
	for (int i = 0; i < STORE_DIRS; i++)
		st->dir[i] = -1;
	for (int i = 0; i < MAX_DRIVERS; i++)
		st->drv_fd[i] = -1;
	rc = open_store(st, err);
	if (rc < 0) {
		ovl_close(st);
		return rc;
	}
	*out = st;
	return 0;
}

void ovl_close(struct ovl_store *st)
{
	if (!st)
		return;
	for (int i = 0; i < STORE_DIRS; i++)
		close_fdp(&st->dir[i]);
	for (int i = 0; i < MAX_DRIVERS; i++)
		close_fdp(&st->drv_fd[i]);
	close_fdp(&st->lock_fd);
	close_fdp(&st->fd);
	free(st->root);
	free(st);
}

const char *ovl_root(const struct ovl_store *st)
{
	return st->root;
}

/* ---- its directories and its lock ------------------------------------------------- */

static int open_under(
	struct ovl_store *st, const char *name, bool make, struct ovl_err *err)
{
	int fd;

	if (st->fd < 0)
		return -ENOENT;
	fd = fs_open_beneath(st->fd, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0 && errno == ENOENT) {
		if (!make)
			return -ENOENT;
		if (fs_mkdir(st->fd, name, 0700) < 0)
			return err_sys(err, errno, "cannot make '%s/%s'", st->root, name);
		fd = fs_open_beneath(st->fd, name, O_RDONLY | O_DIRECTORY);
	}
	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s/%s'", st->root, name);
	return fd;
}

/* The directory that *fd keeps open from now on. */
static int keep_under(
	struct ovl_store *st, const char *name, int *fd, bool make, struct ovl_err *err)
{
	int r = *fd < 0 ? open_under(st, name, make, err) : *fd;

	if (r >= 0)
		*fd = r;
	return r;
}

int store_dir(struct ovl_store *st, enum store_dir which, struct ovl_err *err)
{
	return keep_under(st, dir_names[which], &st->dir[which], false, err);
}

int store_dir_make(struct ovl_store *st, enum store_dir which, struct ovl_err *err)
{
	return keep_under(st, dir_names[which], &st->dir[which], true, err);
}

int store_driver_dir(struct ovl_store *st, const struct driver *drv, struct ovl_err *err)
{
	return keep_under(st, drv->name, &st->drv_fd[drv->number], false, err);
}

int store_driver_make(struct ovl_store *st, const struct driver *drv, struct ovl_err *err)
{
	int fd = keep_under(st, drv->name, &st->drv_fd[drv->number], true, err);

	if (fd >= 0 && drv->links && fs_mkdir(fd, drv->links, 0700) < 0)
		return err_sys(err, errno, "cannot make '%s/%s/%s'", st->root, drv->name,
			drv->links);
	return fd;
}

bool store_covers(const struct ovl_store *st, const struct driver *drv)
{
	return !st->drv_chosen || st->drv == drv;
}

static int open_lock(struct ovl_store *st)
{
	if (st->lock_fd < 0)
		st->lock_fd = openat(st->fd, lock_name,
			O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	/* Where nothing can be written there is nobody to keep out. */
	if (st->lock_fd < 0 && errno == EROFS)
		st->lock_fd = fcntl(st->fd, F_DUPFD_CLOEXEC, 0);
	return st->lock_fd;
}

int store_lock(struct ovl_store *st, int op, struct ovl_err *err)
{
	if (open_lock(st) < 0)
		return err_sys(err, errno, "cannot open the lock of %s", Q(st->root));
	return lock_moment(st, st->lock_fd, op, "the store", err);
}

int store_trylock(struct ovl_store *st)
{
	return open_lock(st) < 0 ? -errno : lock_try(st->lock_fd, LOCK_EX);
}

void store_unlock(struct ovl_store *st)
{
	if (st->lock_fd >= 0)
		flock(st->lock_fd, LOCK_UN);
}
