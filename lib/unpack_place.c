/* Where entries go: directories of the staging tree, kept open for the next entry. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "path.h"
#include "quote.h"
#include "unpack.h"
#include "whiteout.h"

static void close_parent(struct parent *p)
{
	close_fdp(&p->fd);
	free(p->path);
	p->path = NULL;
}

/* All but the first keep: names may lead elsewhere from now on. */
static void forget_parents(struct unpack *u, unsigned keep)
{
	while (u->n_parents > keep)
		close_parent(&u->parents[--u->n_parents]);
}

static struct parent *to_front(struct unpack *u, unsigned i)
{
	struct parent p = u->parents[i];

	memmove(u->parents + 1, u->parents, i * sizeof(p));
	u->parents[0] = p;
	return u->parents;
}

static struct parent *cached(struct unpack *u, const char *dir)
{
	for (unsigned i = 0; i < u->n_parents; i++) {
		if (strcmp(u->parents[i].path, dir) == 0)
			return to_front(u, i);
	}
	return NULL;
}

static struct parent *cache(struct unpack *u, const char *dir, int fd, struct dir *rec)
{
	struct parent p = {.path = strdup(dir), .fd = fd, .dir = rec};

	if (!p.path) {
		close(fd);
		return NULL;
	}
	if (u->n_parents == PARENTS)
		forget_parents(u, PARENTS - 1);
	u->parents[u->n_parents] = p;
	return to_front(u, u->n_parents++);
}

/* Puts a directory where the whiteout of one was: it hides what is below. */
static int replace_whiteout(int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) < 0)
		return -1;
	return mkdirat(dirfd, name, 0755);
}

/* One directory that no entry was there for. */
static int imply(struct unpack *u, int dirfd, const char *name, const char *path,
	struct ovl_err *err)
{
	unsigned flags = DIR_IMPLIED;
	struct stat st;
	struct dir *dir;

	if (mkdirat(dirfd, name, 0755) < 0) {
		if (errno != EEXIST || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "cannot make directory %s", Q(path));
		if (!wh_is_device(&st))
			return err_say(err, ENOTDIR, "%s is in the way: not a directory",
				Q(path));
		if (replace_whiteout(dirfd, name) < 0)
			return err_sys(err, errno, "cannot make directory %s", Q(path));
		flags |= DIR_REPLACED;
	}
	dir = dirs_get(&u->dirs, path);
	if (!dir)
		return err_nomem(err);
	dir->flags |= flags;
	return 0;
}

/* Opens path, a directory at a time, and makes those that are missing. */
static int make_path(
	struct unpack *u, const char *path, bool *followed, struct ovl_err *err)
{
	auto_buf done = {0};
	auto_fd at = fs_open_inside(u->tree, "", NULL);

	while (at >= 0 && *path) {
		size_t n = strcspn(path, "/");
		auto_free char *name = strndup(path, n);
		bool link = false;
		int next;

		if (done.len)
			buf_add(&done, "/", 1);
		buf_add(&done, path, n);
		if (!name || done.failed)
			return err_nomem(err);
		next = fs_open_inside(u->tree, done.data, &link);
		if (next < 0 && (errno == ENOENT || errno == ENOTDIR) && !*followed) {
			int rc = imply(u, at, name, done.data, err);

			if (rc < 0)
				return rc;
			next = fs_open_inside(u->tree, done.data, &link);
		}
		if (next < 0)
			return err_sys(
				err, errno, "cannot open directory %s", Q(done.data));
		*followed |= link;
		close_fdp(&at);
		at = next;
		path += n + (path[n] == '/');
	}
	return at < 0 ? err_sys(err, errno, "cannot open the staging tree") :
			steal_fd(&at);
}

/* Its record, under the name it has without symlinks. */
static struct dir *record(struct unpack *u, const char *dir, int fd, bool followed)
{
	auto_buf real = {0};
	struct dir *rec;

	if (!followed)
		return dirs_get(&u->dirs, dir);
	if (fs_path_below(u->tree, fd, &real) < 0)
		return NULL;
	rec = dirs_get(&u->dirs, real.data);
	return rec;
}

int unpack_parent(
	struct unpack *u, const char *dir, struct parent **out, struct ovl_err *err)
{
	struct parent *p = cached(u, dir);
	bool followed = false;
	struct dir *rec;
	int fd;

	if (p) {
		*out = p;
		return 0;
	}
	fd = fs_open_inside(u->tree, dir, &followed);
	if (fd < 0) {
		followed = false;
		fd = make_path(u, dir, &followed, err);
	}
	if (fd < 0)
		return fd;
	rec = record(u, dir, fd, followed);
	if (!rec) {
		close(fd);
		return err_nomem(err);
	}
	*out = cache(u, dir, fd, rec);
	return *out ? 0 : err_nomem(err);
}

int unpack_clear(struct unpack *u, struct parent *p, const char *name, const char *path,
	struct ovl_err *err)
{
	if (unlinkat(p->fd, name, 0) == 0 || errno == ENOENT) {
		forget_parents(u, 1);
		return 0;
	}
	if (errno != EISDIR && errno != EPERM)
		return err_sys(err, errno, "cannot replace %s", Q(path));
	if (fs_rmtree(p->fd, name, NULL) < 0)
		return err_sys(err, errno, "cannot replace %s", Q(path));
	dirs_forget(&u->dirs, path);
	forget_parents(u, 1);
	return 0;
}

int unpack_begin(struct unpack *u, int tree, const struct xattr_policy *xattrs,
	struct ovl_err *err)
{
	struct stat st;
	struct dir *root;
	int rc;

	u->tree = tree;
	u->xattrs = xattrs;
	if (fstat(tree, &st) < 0)
		return err_sys(err, errno, "cannot stat the staging tree");
	u->uid = st.st_uid;
	u->gid = st.st_gid;
	rc = idmap_read(&u->uids, "/proc/self/uid_map", err);
	if (rc == 0)
		rc = idmap_read(&u->gids, "/proc/self/gid_map", err);
	if (rc < 0)
		return rc;
	root = dirs_get(&u->dirs, "");
	if (!root)
		return err_nomem(err);
	root->flags = DIR_IMPLIED;
	return 0;
}

void unpack_release(struct unpack *u)
{
	close_fdp(&u->tree);
	forget_parents(u, 0);
	dirs_release(&u->dirs);
	buf_release(&u->path);
	buf_release(&u->value);
}
