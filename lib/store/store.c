/* SPDX-License-Identifier: ISC */
/* A store: opening and creating it, its directories. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/idmap.h"
#include "base/quote.h"
#include "foreign/foreign.h"
#include "store/driver.h"
#include "store/lock.h"
#include "store/stamp.h"
#include "store/store.h"

static const char *const dir_names[DIR_DRIVER] = {
	[DIR_NAMES] = "names",
	[DIR_STAGING] = "staging",
	[DIR_TRASH] = "trash",
	[DIR_EMPTY] = "empty",
	[DIR_ASIDE] = "aside",
};

bool store_is_mapped(const struct ovl_store *st)
{
	struct ovl_err ignored;
	struct stat sb;

	return st->xattrs.user && fstat(st->fd, &sb) == 0 &&
		(sb.st_uid != geteuid() || owners_check(st, &ignored) < 0);
}

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

/* How often to try again if other processes create and remove the store while it is
 * opened or closed. */
#define MADE_AGAIN 100

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
			err_say(err, ENOENT, "no store: use --root, or set HOME");
			return NULL;
		}
	}
	out = buf_steal(&path);
	if (!out)
		err_nomem(err);
	return out;
}

static bool is_dots(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/*
 * Counts in *made how many directories at the end of the path are new: another process
 * may create one in a directory that this one has created, and remove it again.
 */
static int make_root_dir(const char *path, mode_t mode, unsigned *made)
{
	bool is_new = mkdir(path, mode) == 0;
	int why = is_new || errno == EEXIST ? 0 : errno;

	*made = is_new || (*made && !is_dots(path)) ? *made + 1 : 0;
	return why;
}

/* Goes on after an error, as the count must be right; errno is that of the first. */
static int make_root_path(const char *path, unsigned *made)
{
	auto_free char *copy = strdup(path);
	char *end = copy ? copy + strlen(copy) : NULL;
	int why = 0;
	int last;

	if (!copy)
		return -1;
	while (end > copy + 1 && end[-1] == '/')
		*--end = '\0';
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		last = make_root_dir(copy, 0755, made);
		why = why ? why : last;
		*p = '/';
	}
	last = make_root_dir(copy, 0700, made);
	errno = why ? why : last;
	return errno ? -1 : 0;
}

/* Of several attempts, the one that created the most counts. */
static int make_root(struct ovl_store *st, const char *path)
{
	unsigned made = 0;
	int rc = make_root_path(path, &made);

	if (made > st->made_dirs)
		st->made_dirs = made;
	return rc;
}

static int open_root(struct ovl_store *st, const char *path, struct ovl_err *err)
{
	auto_buf real = {0};

	st->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->fd < 0 && errno == ENOENT && st->make) {
		if (make_root(st, path) < 0)
			return err_sys(err, errno, "cannot make the store %s", Q(path));
		st->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (st->fd < 0) {
		if (errno != ENOENT || st->make)
			return err_sys(err, errno, "cannot open the store %s", Q(path));
		st->root = strdup(path);
		return st->root ? 0 : err_nomem(err);
	}
	if (fs_path_of(st->fd, &real) < 0) {
		int why = errno;

		if (access("/proc/self/fd", F_OK) < 0)
			return err_say(err, ENOENT,
				"/proc is needed, but is not mounted or belongs to another pid namespace");
		return err_sys(err, why, "cannot find the path of %s", Q(path));
	}
	st->root = buf_steal(&real);
	return st->root ? 0 : err_nomem(err);
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
		return err_status(err, OVL_USAGE,
			"unknown driver %s; the drivers are %s and %s", Q(want),
			driver_list[0]->name, driver_list[1]->name);
	st->drv = drv;
	st->drv_chosen = true;
	return 0;
}

/*
 * An empty value comes from a script whose variable is not set: it must not mean the
 * default store.
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

static int make_dirs(struct ovl_store *st, struct ovl_err *err)
{
	for (int i = 0; i < DIR_DRIVER; i++) {
		if (fs_mkdir(st->fd, dir_names[i], 0700) < 0)
			return err_sys(err, errno, "cannot make '%s/%s'", st->root,
				dir_names[i]);
	}
	return 0;
}

static int take_new(struct ovl_store *st, struct ovl_err *err)
{
	int r = stamp_note_new(st);

	if (r < 0)
		return err_sys(err, -r, "cannot make the store %s", Q(st->root));
	st->fresh = r;
	return r ? make_dirs(st, err) : 0;
}

/* True if it is removed or does not exist. */
static bool unmake_dir(struct ovl_store *st, const char *name)
{
	return unlinkat(st->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

static bool unmake_driver(struct ovl_store *st, const struct driver *drv)
{
	if (drv->links && !unmake_dir(st, P("%s/%s", drv->name, drv->links)))
		return false;
	return unmake_dir(st, drv->name);
}

/* Removes the contents of a store without layers; false if something has to stay. */
static bool clear_out(struct ovl_store *st)
{
	struct stat sb;

	for (int i = 0; driver_list[i]; i++) {
		if (!unmake_driver(st, driver_list[i])) {
			unlinkat(st->fd, STORE_NEW, 0);
			return false;
		}
	}
	for (int i = 0; i < DIR_DRIVER; i++) {
		if (!unmake_dir(st, dir_names[i]))
			return false;
	}
	if (fstatat(st->fd, STORE_NEW, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
		sb.st_size > st->made_dirs)
		st->made_dirs = (unsigned)sb.st_size;
	if (unlinkat(st->fd, STORE_LOCK, 0) < 0 && errno != ENOENT)
		return false;
	unlinkat(st->fd, STORE_STAMP, 0);
	return unlinkat(st->fd, STORE_NEW, 0) == 0 || errno == ENOENT;
}

/*
 * Removes the new directories at the end of the path; false if one is not empty. Without
 * the lock of the root, the root stays: another process may be about to use it.
 */
static bool remove_path(const struct ovl_store *st)
{
	auto_free char *path = strdup(st->root);

	for (unsigned n = 0; path && *path && n < st->made_dirs; n++) {
		if ((n || st->fd >= 0) && rmdir(path) < 0 && errno != ENOENT)
			return false;
		*strrchr(path, '/') = '\0';
	}
	return true;
}

/* Locks the root as long as it is open: 1, 0 it was removed meanwhile, negative errno. */
static int hold_root(struct ovl_store *st, struct ovl_err *err)
{
	int r = lock_moment(st, st->fd, LOCK_SH, "the store", err);

	if (r < 0)
		return r;
	r = fs_is(AT_FDCWD, st->root, st->fd);
	if (r == 0)
		err_sys(err, ENOENT, "cannot make the store %s", Q(st->root));
	return r < 0 ? err_sys(err, errno, "cannot open the store %s", Q(st->root)) : r;
}

/*
 * The last process to close a store that never had a layer removes it. One that recreates
 * it while the path is being removed cannot know that more of the path is new: .stamp.new
 * tells it, or is gone.
 */
static void unmake(struct ovl_store *st)
{
	struct ovl_err ignored = {0};

	for (int i = 0; i < MADE_AGAIN && st->fresh; i++) {
		if (st->fd >= 0 && (lock_try(st->fd, LOCK_EX) <= 0 || !clear_out(st)))
			return;
		if (remove_path(st))
			return;
		close_fdp(&st->fd);
		st->fd = open(st->root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (st->fd >= 0 && hold_root(st, &ignored) <= 0)
			close_fdp(&st->fd);
		st->fresh = st->fd < 0 || stamp_note_new(st) > 0;
	}
}

/* Creates it again if other processes create and remove it meanwhile. */
static int open_held(struct ovl_store *st, const char *path, struct ovl_err *err)
{
	int rc = 0;

	for (int i = 0; i < MADE_AGAIN; i++) {
		rc = open_root(st, path, err);
		if (rc == 0) {
			rc = hold_root(st, err);
			if (rc > 0)
				return 0;
			rc = rc ? rc : -ENOENT;
		}
		if (rc != -ENOENT)
			break;
		close_fdp(&st->fd);
		free(steal(st->root));
	}
	return rc;
}

static int open_store(struct ovl_store *st, enum ovl_access access, struct ovl_err *err)
{
	auto_free char *path = NULL;
	int rc;

	rc = choose_driver(st, err);
	if (rc < 0)
		return rc;
	rc = choose_root(st, &path, err);
	if (rc == 0)
		rc = store_foreign_open(st, path, access, err);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = st->make ? open_held(st, path, err) : open_root(st, path, err);
	if (rc < 0 || st->fd < 0)
		return rc;
	rc = stamp_take(st, err);
	if (rc == 0 && st->make)
		rc = take_new(st, err);
	/* A command that may create a store is about to make layers. */
	if (rc == 0 && st->make)
		rc = privilege_check(st, err);
	return rc == 0 && st->make ? owners_check(st, err) : rc;
}

int ovl_open(struct ovl_store **out, const struct ovl_config *cfg, enum ovl_access access,
	struct ovl_err *err)
{
	struct ovl_store *st = calloc(1, sizeof(*st));
	int rc;

	if (!st)
		return err_nomem(err);
	st->cfg = *cfg;
	st->make = access == OVL_MAKE;
	st->drivers = driver_list;
	st->fd = -1;
	st->lock_fd = -1;
	for (int i = 0; i < STORE_DIRS; i++)
		st->dir[i] = -1;
	rc = open_store(st, access, err);
	if (rc < 0)
		ovl_close(st);
	else
		*out = st;
	return rc;
}

static void close_all(struct ovl_store *st)
{
	for (int i = 0; i < STORE_DIRS; i++)
		close_fdp(&st->dir[i]);
	close_fdp(&st->lock_fd);
	close_fdp(&st->fd);
}

void ovl_close(struct ovl_store *st)
{
	if (!st)
		return;
	unmake(st);
	close_all(st);
	foreign_free(st->foreign);
	free(st->root);
	free(st);
}

const char *ovl_root(const struct ovl_store *st)
{
	return st->root;
}

/* ---- its directories -------------------------------------------------------------- */

/* Opens the directory name in the root, and keeps it open in *fd. */
static int open_under(
	struct ovl_store *st, const char *name, int *fd, bool make, struct ovl_err *err)
{
	if (*fd >= 0)
		return *fd;
	if (st->fd < 0 || (st->foreign && !make))
		return -ENOENT;
	if (st->foreign)
		return err_sys(err, EROFS, "cannot make '%s/%s'", st->root, name);
	*fd = fs_open_beneath(st->fd, name, O_RDONLY | O_DIRECTORY);
	if (*fd < 0 && errno == ENOENT && !make)
		return -ENOENT;
	if (*fd < 0 && errno == ENOENT) {
		if (fs_mkdir(st->fd, name, 0700) < 0)
			return err_sys(err, errno, "cannot make '%s/%s'", st->root, name);
		*fd = fs_open_beneath(st->fd, name, O_RDONLY | O_DIRECTORY);
	}
	return *fd < 0 ? err_sys(err, errno, "cannot open '%s/%s'", st->root, name) : *fd;
}

int store_dir(struct ovl_store *st, enum store_dir which, struct ovl_err *err)
{
	return open_under(st, dir_names[which], &st->dir[which], false, err);
}

int store_dir_make(struct ovl_store *st, enum store_dir which, struct ovl_err *err)
{
	int rc = owner_check(st, err);

	return rc < 0 ? rc : open_under(st, dir_names[which], &st->dir[which], true, err);
}

static int open_driver(
	struct ovl_store *st, const struct driver *drv, bool make, struct ovl_err *err)
{
	return open_under(st, drv->name, &st->dir[DIR_DRIVER + drv->number], make, err);
}

int store_driver_dir(struct ovl_store *st, const struct driver *drv, struct ovl_err *err)
{
	return open_driver(st, drv, false, err);
}

int store_driver_make(struct ovl_store *st, const struct driver *drv, struct ovl_err *err)
{
	int fd = open_driver(st, drv, true, err);

	if (fd >= 0 && drv->links && fs_mkdir(fd, drv->links, 0700) < 0)
		return err_sys(err, errno, "cannot make '%s/%s/%s'", st->root, drv->name,
			drv->links);
	return fd;
}

bool store_covers(const struct ovl_store *st, const struct driver *drv)
{
	return (!st->drv_chosen && !st->foreign) || st->drv == drv;
}

int store_reopen(struct ovl_store *st, struct ovl_err *err)
{
	int rc = fs_reopen(st->fd, AT_FDCWD, st->root);

	for (int i = 0; i < STORE_DIRS && rc == 0; i++)
		rc = st->dir[i] < 0 ?
			0 :
			fs_reopen(st->dir[i], st->fd,
				i < DIR_DRIVER ? dir_names[i] :
						 driver_list[i - DIR_DRIVER]->name);
	return rc < 0 ? err_sys(err, errno, "cannot open the store again") : 0;
}

int store_move(struct ovl_store *st, int fd, struct ovl_err *err)
{
	/* Holds the new root as hold_root() did the old one, which stays locked until
	 * then. */
	int rc = lock_moment(st, fd, LOCK_SH, "the store", err);

	if (rc < 0)
		return rc;
	close_all(st);
	st->fd = fd;
	return 0;
}
