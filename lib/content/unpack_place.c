/* SPDX-License-Identifier: ISC */
/* The places of entries: directories of the staging tree, kept open for the next
 * entries. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "content/unpack.h"
#include "tar/recipe.h"
#include "union/whiteout.h"

/* Closes all but the first n. */
static void forget_parents(struct unpack *u, unsigned n)
{
	while (u->n_parents > n) {
		struct parent *p = &u->parents[--u->n_parents];

		close_fdp(&p->fd);
		free(steal(p->path));
	}
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
		if (u->parents[i].path && strcmp(u->parents[i].path, dir) == 0)
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

/* True if the path of a directory is neither a directory nor a symlink to one in the
 * tree. */
static int in_the_way(int dirfd, const char *name, const char *path, struct ovl_err *err)
{
	auto_buf target = {0};

	if (fs_readlink(dirfd, name, PATH_MAX, &target) < 0)
		return err_say(
			err, ENOTDIR, "%s is in the way: not a directory", Q(path));
	return err_say(err, ENOTDIR,
		"%s is in the way: a symlink to %s, which is not a directory in this "
		"layer",
		Q(path), Q(target.data));
}

/* Creates a directory that has no entry; path is for messages. */
static int imply(struct unpack *u, int dirfd, struct dir *up, const char *name,
	const char *path, struct dir **out, struct ovl_err *err)
{
	unsigned flags = DIR_IMPLIED;
	struct stat st;
	struct dir *dir;

	if (++u->implied + u->entries > u->max_entries)
		return err_say(err, E2BIG,
			"it has more than %" PRIu64 " directories and entries: see "
			"--max-entries",
			u->max_entries);
	if (mkdirat(dirfd, name, 0755) < 0) {
		if (errno != EEXIST || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "cannot make directory %s", Q(path));
		if (!wh_is_device(&st))
			return in_the_way(dirfd, name, path, err);
		if (unlinkat(dirfd, name, 0) < 0 || mkdirat(dirfd, name, 0755) < 0)
			return err_sys(err, errno, "cannot make directory %s", Q(path));
		flags |= DIR_REPLACED;
	}
	dir = dirs_get(&u->dirs, up, name);
	if (!dir)
		return err_nomem(err);
	dir->flags |= flags;
	/* If new directories inherit their group, this one did too. */
	if (up)
		dir->foreign_group = up->foreign_group;
	*out = dir;
	return 0;
}

/* Finds the record of an open directory by its path without symlinks. */
static struct dir *record(struct unpack *u, int fd, struct ovl_err *err)
{
	auto_buf real = {0};
	struct dir *rec;

	if (fs_path_below(u->tree, fd, &real) < 0) {
		err_sys(err, errno, "cannot find the path of a directory");
		return NULL;
	}
	rec = dirs_get_path(&u->dirs, real.data);
	if (!rec)
		err_nomem(err);
	return rec;
}

/* The progress of make_path. */
struct way {
	int fd; /* O_PATH */
	struct dir *rec;
	struct buf done; /* as in the archive */
};

static void way_end(struct way *w)
{
	close_fdp(&w->fd);
	buf_release(&w->done);
}

static int open_below(int dirfd, const char *name)
{
	return openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Goes down by one component. */
static int step(struct unpack *u, struct way *w, const char *name, struct ovl_err *err)
{
	bool followed = false;
	struct dir *rec = NULL;
	int next;

	path_add(&w->done, name);
	if (w->done.failed)
		return err_nomem(err);
	next = open_below(w->fd, name);
	if (next < 0 && errno != ENOENT)
		next = fs_open_inside(u->tree, w->done.data, &followed);
	if (next < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		int rc = imply(u, w->fd, w->rec, name, w->done.data, &rec, err);

		if (rc < 0)
			return rc;
		next = open_below(w->fd, name);
	}
	if (next < 0)
		return err_sys(err, errno, "cannot open directory %s", Q(w->done.data));
	close_fdp(&w->fd);
	w->fd = next;
	if (!rec && followed)
		rec = record(u, next, err);
	else if (!rec && !(rec = dirs_get(&u->dirs, w->rec, name)))
		err_nomem(err);
	w->rec = rec;
	return rec ? 0 : -ENOMEM;
}

/* Opens path, one directory at a time, and creates missing ones. */
static int open_or_make(
	struct unpack *u, const char *path, struct dir **rec, struct ovl_err *err)
{
	__attribute__((cleanup(way_end))) struct way w = {
		.fd = fs_open_inside(u->tree, "", NULL), .rec = u->dirs.root};

	if (w.fd < 0)
		return err_sys(err, errno, "cannot open the staging tree");
	while (*path) {
		size_t n = strcspn(path, "/");
		auto_free char *name = strndup(path, n);
		int rc = name ? step(u, &w, name, err) : err_nomem(err);

		if (rc < 0)
			return rc;
		path += n + (path[n] == '/');
	}
	*rec = w.rec;
	return steal_fd(&w.fd);
}

int unpack_parent(
	struct unpack *u, const char *dir, struct parent **out, struct ovl_err *err)
{
	struct parent *p = cached(u, dir);
	bool followed = false;
	struct dir *rec = NULL;
	int fd;

	if (p) {
		*out = p;
		return 0;
	}
	fd = fs_open_inside(u->tree, dir, &followed);
	if (fd < 0) {
		fd = open_or_make(u, dir, &rec, err);
		if (fd < 0)
			return fd;
	} else if (followed) {
		rec = record(u, fd, err);
	} else if (!(rec = dirs_get_path(&u->dirs, dir))) {
		err_nomem(err);
	}
	if (!rec) {
		close(fd);
		return -ENOMEM;
	}
	*out = cache(u, dir, fd, rec);
	return *out ? 0 : err_nomem(err);
}

int unpack_hidden(struct unpack *u, const struct unpack_place *at, const char *name,
	struct ovl_err *err)
{
	if (dirs_hide(&u->dirs, at->p->dir, name) == 0)
		return 0;
	if (errno == E2BIG)
		return err_say(err, E2BIG,
			"refused %s: too many names are both in the layer and whited out",
			Q(at->path));
	return err_nomem(err);
}

int unpack_path(const struct unpack_place *at, struct buf *out, struct ovl_err *err)
{
	dirs_path(at->p->dir, out);
	path_add(out, at->name);
	return out->failed ? err_nomem(err) : 0;
}

/* Replaying the recipe keeps all their paths in memory. */
#define MAX_KEPT       100000
#define MAX_KEPT_BYTES (8u << 20)

/* Moves a file from the tree to .kept. */
static int keep(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	auto_buf path = {0};
	int rc = unpack_path(at, &path, err);

	if (rc < 0)
		return rc;
	u->kept_bytes += path.len;
	if (u->n_kept == MAX_KEPT || u->kept_bytes > MAX_KEPT_BYTES)
		return err_say(
			err, E2BIG, "too many files with data occur twice in the layer");
	if (u->kept < 0) {
		u->kept = fs_new_dir(u->layer, RECIPE_KEPT, 0700);
		if (u->kept < 0)
			return err_sys(err, errno, "cannot make '%s'", RECIPE_KEPT);
	}
	if (renameat(at->p->fd, at->name, u->kept, P("%" PRIu64, u->n_kept)) < 0)
		return err_sys(err, errno, "cannot move it away");
	u->n_kept++;
	if (u->recipe && recipe_kept(u->recipe, u->n_kept - 1, path.data) < 0)
		return recipe_error(u->recipe, err);
	return 0;
}

/* Keeps a file with data for the recipe, and removes anything else. */
static int put_away(struct unpack *u, const struct unpack_place *at,
	const struct stat *st, struct ovl_err *err)
{
	bool dir = S_ISDIR(st->st_mode);

	if (dir || !S_ISREG(st->st_mode) || !st->st_size) {
		if (unlinkat(at->p->fd, at->name, dir ? AT_REMOVEDIR : 0) == 0)
			return 0;
		if (!dir || (errno != ENOTEMPTY && errno != EEXIST))
			return err_sys(err, errno, "cannot remove it");
	}
	/* Also without data: then the tree is compared with one that has more hard links
	 * because of this. */
	if (u->recipe || u->no_data)
		return keep(u, at, err);
	if (fs_rmtree(at->p->fd, at->name, NULL) < 0)
		return err_sys(err, errno, "cannot remove it");
	return 0;
}

int unpack_clear(struct unpack *u, const struct unpack_place *at, struct ovl_err *err)
{
	struct dir *dir;
	struct stat st;
	int rc = writer_wait(u->writer, err);

	if (rc < 0)
		return rc;
	if (fstatat(at->p->fd, at->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ?
			0 :
			err_sys(err, errno, "cannot replace %s", Q(at->path));
	if (wh_is_device(&st))
		rc = unpack_hidden(u, at, at->name, err);
	if (rc < 0)
		return rc;
	rc = put_away(u, at, &st, err);
	if (rc < 0)
		return err_prefix(err, rc, "cannot replace %s", Q(at->path));
	dir = dirs_find(&u->dirs, at->p->dir, at->name);
	if (dir)
		dirs_forget(&u->dirs, dir);
	/* Names, even the one that led here, may lead elsewhere now. */
	forget_parents(u, 1);
	free(steal(at->p->path));
	return 0;
}

int unpack_make(struct unpack *u, const struct unpack_place *at, unpack_maker fn,
	const void *ctx, struct ovl_err *err)
{
	int r = fn(u, at, ctx);

	if (r < 0 && errno == EEXIST) {
		int rc = unpack_clear(u, at, err);

		if (rc < 0)
			return rc;
		r = fn(u, at, ctx);
	}
	if (r < 0)
		return err_sys(err, errno, "cannot create %s", Q(at->path));
	return r;
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
	rc = idmaps_read(&u->ids, err);
	if (rc < 0)
		return rc;
	root = dirs_get_path(&u->dirs, "");
	if (!root)
		return err_nomem(err);
	root->flags = DIR_IMPLIED;
	return 0;
}

bool unpack_in_userns(const struct unpack *u)
{
	return u->ids.uids.n != 1 || u->ids.uids.range[0].count != UINT32_MAX;
}

/* AUFS's directory for hard links is no longer needed, but the recipe needs its data. */
static int drop_plnk(struct unpack *u, struct ovl_err *err)
{
	struct parent top = {.fd = u->tree, .dir = u->dirs.root};
	const struct unpack_place at = {.path = WH_PLNK, .name = WH_PLNK, .p = &top};

	if (!dirs_find(&u->dirs, u->dirs.root, WH_PLNK))
		return 0;
	return unpack_clear(u, &at, err);
}

int unpack_written(struct unpack *u, struct ovl_err *err)
{
	int rc = writer_wait(u->writer, err);

	if (rc == 0)
		rc = drop_plnk(u, err);
	writer_close(steal(u->writer));
	forget_parents(u, 0);
	return rc;
}

void unpack_release(struct unpack *u)
{
	writer_close(steal(u->writer));
	close_fdp(&u->tree);
	close_fdp(&u->kept);
	forget_parents(u, 0);
	dirs_release(&u->dirs);
	accounts_release(&u->accounts);
	idmaps_release(&u->ids);
	buf_release(&u->path);
	buf_release(&u->value);
	free(steal(u->chunk));
}
