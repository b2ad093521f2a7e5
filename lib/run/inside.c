/* SPDX-License-Identifier: ISC */
/* Makes the file system that a command of run sees; see inside.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "run/inside.h"
#include "store/store.h"

/* A file below an open directory, for mount(2). */
#define AT(dir, name) P("/proc/self/fd/%d/%s", dir, name)

/* ---- mount points ----------------------------------------------------------------- */

/* Makes path and the directories above it; the last is a directory or an empty file. */
static int make_path(int at, const char *path, bool dir)
{
	auto_free char *copy = strdup(path);
	auto_fd here = fcntl(at, F_DUPFD_CLOEXEC, 0);
	char *rest = copy;
	char *name;

	while (here >= 0 && (name = strsep(&rest, "/"))) {
		int next;

		if (!*name || strcmp(name, ".") == 0)
			continue;
		if (!dir && (!rest || !rest[strspn(rest, "/")]))
			return fs_write_new(here, name, "", 0) < 0 && errno != EEXIST ?
				-1 :
				0;
		if (fs_mkdir(here, name, 0755) < 0)
			return -1;
		next = fs_open_dir(here, name);
		close_fdp(&here);
		here = next;
	}
	return copy && here >= 0 ? 0 : -1;
}

/* True if the path would lead out of the floor. */
static bool leads_up(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3) {
		if (!at[3] || at[3] == '/')
			return true;
	}
	return false;
}

static int make_mount_point(const struct ovl_bind *b, int floor, struct ovl_err *err)
{
	struct stat st;

	if (leads_up(b->dst))
		return err_say(err, EINVAL, "the mount point %s must not contain '..'",
			Q(b->dst));
	if (!b->dst[strspn(b->dst, "/.")])
		return err_say(err, EINVAL, "the root directory cannot be a mount point");
	if (stat(b->src, &st) < 0)
		return err_sys(err, errno, "cannot bind %s", Q(b->src));
	if (make_path(floor, b->dst, S_ISDIR(st.st_mode)) < 0)
		return err_sys(err, errno, "cannot make the mount point %s", Q(b->dst));
	return 0;
}

int inside_floor(const struct ovl_run *req, int floor, struct ovl_err *err)
{
	int rc = 0;

	if (mkdirat(floor, "proc", 0555) < 0 || mkdirat(floor, "dev", 0755) < 0)
		return err_sys(err, errno, "cannot make mount points");
	for (size_t i = 0; i < req->n_binds && rc == 0; i++)
		rc = make_mount_point(&req->binds[i], floor, err);
	return rc;
}

int inside_begin(struct ovl_err *err)
{
	umask(0);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, errno, "cannot make the mounts private");
	return 0;
}

/* ---- /dev ------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned major;
	unsigned minor;
} devices[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8},
	{"urandom", 1, 9}, {"tty", 5, 0}};

static const struct {
	const char *name;
	const char *target;
} links[] = {{"ptmx", "pts/ptmx"}, {"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}};

/* Devices cannot be created in a user namespace, but those of the host can be bound. */
static int make_device(int dev, const char *name, dev_t number)
{
	if (mknodat(dev, name, S_IFCHR | 0666, number) == 0)
		return 0;
	if (errno != EPERM || fs_write_new(dev, name, "", 0) < 0)
		return -1;
	return mount(P("/dev/%s", name), AT(dev, name), NULL, MS_BIND, NULL);
}

static int make_pts(int dev)
{
	static const char *const options[] = {
		"newinstance,ptmxmode=0666,mode=620,gid=5",
		/* The group tty may not be mapped. */
		"newinstance,ptmxmode=0666,mode=620",
	};

	for (int i = 0; i < 2; i++) {
		if (mount("devpts", AT(dev, "pts"), "devpts", MS_NOSUID | MS_NOEXEC,
			    options[i]) == 0)
			return 0;
	}
	return -1;
}

static int fill_dev(int dev)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (make_device(dev, devices[i].name,
			    makedev(devices[i].major, devices[i].minor)) < 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (symlinkat(links[i].target, dev, links[i].name) < 0)
			return -1;
	}
	if (mkdirat(dev, "pts", 0755) < 0 || mkdirat(dev, "shm", 01777) < 0)
		return -1;
	return make_pts(dev);
}

/* Opens a file or directory inside, as a process there would find it. */
static int open_place(int root, const char *path, struct ovl_err *err)
{
	int fd = fs_open_within(root, path);

	if (fd >= 0)
		return fd;
	return errno == ENOENT ?
		err_say(err, ENOENT,
			"mount point %s does not exist: a layer hides or removes the "
			"directory it would be in",
			Q(path)) :
		err_sys(err, errno, "cannot open the mount point %s", Q(path));
}

static int mount_dev(int root, struct ovl_err *err)
{
	auto_fd at = open_place(root, "/dev", err);
	auto_fd dev = -1;

	if (at < 0)
		return at;
	if (mount("tmpfs", AT(at, ""), "tmpfs", MS_NOSUID, "mode=755") < 0)
		return err_sys(err, errno, "cannot mount '/dev'");
	dev = fs_open_within(root, "/dev");
	if (dev < 0 || fill_dev(dev) < 0)
		return err_sys(err, errno, "cannot make '/dev'");
	return 0;
}

static int mount_proc(int root, struct ovl_err *err)
{
	auto_fd at = open_place(root, "/proc", err);

	if (at < 0)
		return at;
	if (mount("proc", AT(at, ""), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_sys(err, errno, "cannot mount '/proc'");
	return 0;
}

/* ---- bind mounts ------------------------------------------------------------------ */

int inside_tree(int dirfd, const char *src, bool writable)
{
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	auto_fd tree = open_tree(
		dirfd, src, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0 ||
		(!writable &&
			mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly,
				sizeof(readonly)) < 0))
		return -1;
	return steal_fd(&tree);
}

static int put_tree(int tree, int at)
{
	return move_mount(
		tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int bind_one(int root, const struct ovl_bind *b, struct ovl_err *err)
{
	auto_fd tree = inside_tree(AT_FDCWD, b->src, b->writable);
	auto_fd at = -1;

	if (tree < 0)
		return err_sys(err, errno, "cannot bind %s", Q(b->src));
	at = open_place(root, b->dst, err);
	if (at < 0)
		return at;
	if (put_tree(tree, at) < 0)
		return err_sys(err, errno, "cannot bind %s on %s", Q(b->src), Q(b->dst));
	return 0;
}

/* The command should resolve most host names as the host does. */
static int bind_resolver(const struct ovl_store *store, int root, struct ovl_err *err)
{
	static const char name[] = "/etc/resolv.conf";
	auto_fd at = fs_open_within(root, name);
	auto_fd tree = -1;
	struct stat st;

	if (at < 0 && fstatat(root, name + 1, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	/* It may be a link to /dev/null, for example. */
	if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode)) {
		store_detail(
			store, "the layer's '%s' is not a file and stays as it is", name);
		return 0;
	}
	tree = inside_tree(AT_FDCWD, name, false);
	if (tree < 0 && errno == ENOENT)
		return 0;
	if (tree < 0 || put_tree(tree, at) < 0)
		return err_sys(err, errno, "cannot bind '%s'", name);
	return 0;
}

int inside_hide(const struct ovl_store *st, struct ovl_err *err)
{
	if (mount("tmpfs", st->root, "tmpfs", MS_RDONLY, "size=4k,mode=555") < 0)
		return err_sys(err, errno, "cannot hide the store %s", Q(st->root));
	return 0;
}

static int bind_all(const struct ovl_store *st, const struct ovl_run *req, int root,
	struct ovl_err *err)
{
	int rc = req->n_binds ? inside_hide(st, err) : 0;

	for (size_t i = 0; i < req->n_binds && rc == 0; i++)
		rc = bind_one(root, &req->binds[i], err);
	return rc;
}

/* ---- all steps -------------------------------------------------------------------- */

int inside_enter(const struct ovl_store *st, const struct ovl_run *req, int root,
	struct ovl_err *err)
{
	int rc = mount_proc(root, err);

	if (rc == 0)
		rc = mount_dev(root, err);
	if (rc == 0)
		rc = bind_resolver(st, root, err);
	if (rc == 0)
		rc = bind_all(st, req, root, err);
	if (rc < 0)
		return rc;
	/* For a moment, the old root is mounted on the new one. */
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
		umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_sys(err, errno, "cannot change the root directory");
	return 0;
}
