/* SPDX-License-Identifier: ISC */
/* Finishes a commit after its rename; see becoming.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/becoming_finish.h"
#include "store/names.h"
#include "store/redirects.h"
#include "store/store.h"

/* ---- the tree ---------------------------------------------------------------------- */

struct cleaning {
	FILE *list;
	int image; /* .image */
	int tree;
	int dir; /* the directory being cleaned */
	bool changed;
	size_t whiteouts; /* moved from .image */
	struct timespec times[2]; /* its own */
	char *text[2]; /* an entry of the list, and the second string of it */
	size_t size[2];
};

/* 1, 0 at the end. */
static int read_text(struct cleaning *c, int i)
{
	if (getdelim(&c->text[i], &c->size[i], '\0', c->list) > 0)
		return 1;
	return ferror(c->list) ? -1 : 0;
}

static int leave_dir(struct cleaning *c)
{
	int rc = c->dir >= 0 && c->changed ? futimens(c->dir, c->times) : 0;

	close_fdp(&c->dir);
	c->changed = false;
	return rc;
}

static int enter_dir(struct cleaning *c, const char *path, const char *when)
{
	long long sec;
	long nsec;

	if (leave_dir(c) < 0)
		return -1;
	if (sscanf(when, "%lld.%ld", &sec, &nsec) != 2)
		return fs_fail(EINVAL);
	c->times[0].tv_nsec = UTIME_OMIT;
	c->times[1] = (struct timespec){.tv_sec = (time_t)sec, .tv_nsec = nsec};
	c->dir = *path ? fs_open_beneath(c->tree, path, O_RDONLY | O_DIRECTORY) :
			 fs_open_dir(c->tree, ".");
	return c->dir < 0 ? -1 : 0;
}

static int clean_one(struct cleaning *c, char kind, const char *name)
{
	int rc = -1;

	errno = EINVAL;
	if (c->dir < 0 || strchr(name, '/'))
		return -1;
	if (kind == 'x')
		rc = read_text(c, 1) > 0 ?
			fs_removexattr(c->dir, *name ? name : NULL, c->text[1]) :
			-1;
	else if (kind == 'u')
		rc = unlinkat(c->dir, name, 0);
	else if (kind == 'w')
		rc = renameat(
			c->image, P(CLEANING_WHITEOUT, c->whiteouts++), c->dir, name);
	c->changed |= kind != 'x';
	/* Not an error: done before the last interruption. */
	return rc < 0 && (errno == ENODATA || errno == ENOENT) ? 0 : rc;
}

static int clean_all(struct cleaning *c)
{
	int r;

	while ((r = read_text(c, 0)) > 0) {
		char kind = c->text[0][0];
		const char *name = c->text[0] + 1;

		if (kind == 'd')
			r = read_text(c, 1) > 0 ? enter_dir(c, name, c->text[1]) : -1;
		else
			r = clean_one(c, kind, name);
		if (r < 0)
			return -1;
	}
	return r < 0 ? -1 : leave_dir(c);
}

static void cleaning_end(struct cleaning *c)
{
	int saved = errno;

	if (c->list)
		fclose(c->list);
	free(c->text[0]);
	free(c->text[1]);
	close_fdp(&c->dir);
	close_fdp(&c->tree);
	close_fdp(&c->image);
	errno = saved;
}

/* Cleans the tree according to the list, which may have been done already, completely or
 * in part. 1, 0 if there is no list, negative errno. */
static int do_list(const struct layer *l, struct ovl_err *err)
{
	struct cleaning c = {.dir = -1, .tree = -1};
	int fd = -1;
	int rc = -1;

	c.image = fs_open_dir(l->fd, BECOMING_IMAGE);
	if (c.image >= 0)
		fd = openat(c.image, CLEANING_LIST, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		c.tree = fs_open_dir(l->fd, l->drv->tree[OVL_IMAGE]);
		c.list = fdopen(fd, "r");
		if (!c.list)
			close(fd);
		rc = c.list && c.tree >= 0 ? clean_all(&c) : -1;
	}
	cleaning_end(&c);
	if (fd < 0 && errno == ENOENT)
		return 0;
	return rc < 0 ?
		err_sys(err, errno, "cannot clean the tree of layer %.12s", l->id.s) :
		1;
}

/* ---- the rest ---------------------------------------------------------------------- */

static int cannot(const struct layer *l, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot finish the commit to layer %.12s", l->id.s);
}

static int sync_dir(const struct layer *l, int fd, struct ovl_err *err)
{
	return store_durable(l->st) && fsync(fd) < 0 ?
		err_sys(err, errno, "cannot sync the store") :
		0;
}

int becoming_sync(const struct layer *image, struct ovl_err *err)
{
	return sync_dir(image, image->drv_fd, err);
}

/* 1 if staging/W belongs to this commit, not to another; 0; -errno. */
static int is_noted_here(
	const struct layer *l, const struct ovl_id *was, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	struct layer_ref to;
	int r = becoming_read(l->st, was->s, &to);

	errno = -r;
	return r > 0 ? layer_ref_same(&to, &self) : r < 0 ? cannot(l, err) : 0;
}

/* Moves the writable layer, which is empty now, back into its place. */
static int put_back(
	const struct layer *l, const struct layer_ref *from, struct ovl_err *err)
{
	int staging = store_dir(l->st, DIR_STAGING, NULL);
	int r = is_noted_here(l, &from->id, err);

	if (r <= 0)
		return r;
	if (fs_rmtree(staging, P("%s/" BECOMING_IMAGE_NAMES, from->id.s), NULL) < 0)
		return cannot(l, err);
	r = becoming_has(l->st, &from->id, META_NAME);
	errno = -r;
	if (r <= 0)
		return r < 0 ? cannot(l, err) : 0;
	if (fs_rename(staging, from->id.s, l->drv_fd, from->id.s, RENAME_NOREPLACE) < 0)
		return errno == EEXIST ? 0 : cannot(l, err);
	return 1;
}

static int take_notes(
	const struct layer *l, const struct layer_ref *from, struct ovl_err *err)
{
	int r = is_noted_here(l, &from->id, err);

	return r > 0 ? names_take_notes(l, from, err) : r;
}

typedef int (*locked_fn)(
	const struct layer *l, const struct layer_ref *from, struct ovl_err *err);

static int locked(const struct layer *l, const struct layer_ref *from, bool wait,
	locked_fn fn, struct ovl_err *err)
{
	int rc = wait ? names_lock(l->st, err) : names_trylock(l->st, err);

	if (rc < 0)
		return rc;
	rc = fn(l, from, err);
	names_unlock(l->st);
	return rc;
}

/*
 * Hands on the notes, then the names, then the writable layer, which owns a name given
 * with -n until then. Each step is synced before the next, so that a power cut leaves no
 * name without an owner. Other processes need not wait for the syncs.
 */
static int hand_on_names(
	const struct layer *l, const struct ovl_id *was, bool wait, struct ovl_err *err)
{
	struct layer_ref from = {.drv = l->drv, .id = *was};
	int rc = locked(l, &from, wait, take_notes, err);

	if (rc > 0 && store_durable(l->st))
		rc = names_sync_notes(l->fd, err);
	if (rc >= 0)
		rc = locked(l, &from, wait, names_hand_on, err);
	if (rc > 0)
		rc = sync_dir(l, store_dir(l->st, DIR_NAMES, NULL), err);
	if (rc >= 0)
		rc = locked(l, &from, wait, put_back, err);
	return rc > 0 ? sync_dir(l, l->drv_fd, err) : rc;
}

/* Not an error: an earlier attempt may have done it already. -1 with errno. */
static int or_done(int rc)
{
	return rc == 0 || errno == ENOENT ? 0 : -1;
}

/* Removes the files that only a writable layer has. */
static int drop_parts(const struct layer *l, struct ovl_err *err)
{
	const struct driver *drv = l->drv;

	redirects_forget(l, HAS_REDIRECTS | HAS_METACOPY);
	if ((drv->flat || l->meta.lowers == 0) &&
		or_done(unlinkat(l->fd, drv->lower_file, 0)) < 0)
		return cannot(l, err);
	if (driver_keeps_mount(l))
		return 0;
	/* Files that others have put into the mount point stay there. */
	if (fs_rmtree(l->fd, drv->work, NULL) < 0 ||
		(or_done(unlinkat(l->fd, drv->merged, AT_REMOVEDIR)) < 0 &&
			errno != ENOTEMPTY && errno != ENOTDIR))
		return cannot(l, err);
	return 0;
}

static int drop_tree(const struct layer *l, struct trashed *old, struct ovl_err *err)
{
	const char *tree = l->drv->tree[OVL_WRITABLE];
	auto_trashed left = TRASHED_INIT;

	if (strcmp(tree, l->drv->tree[OVL_IMAGE]) == 0)
		return 0;
	return trash_move(l->st, l->fd, tree, old ? old : &left, err);
}

/* .layer is replaced last: from then on it is an ordinary image layer. */
static int put_in_place(const struct layer *l, struct ovl_err *err)
{
	const char *link = l->drv->link_file;
	auto_fd image = fs_open_dir(l->fd, BECOMING_IMAGE);

	if (image < 0)
		return or_done(-1) < 0 ? cannot(l, err) : 0;
	if (or_done(unlinkat(image, BECOMING_PREVIOUS, 0)) < 0 ||
		or_done(unlinkat(image, CLEANING_LIST, 0)) < 0 ||
		(link && or_done(fs_rename(image, link, l->fd, link, 0)) < 0) ||
		or_done(fs_rename(image, META_NAME, l->fd, META_NAME, 0)) < 0)
		return cannot(l, err);
	return 0;
}

/* Synced before the list of what to remove is deleted. */
static int clean_tree(const struct layer *l, struct ovl_err *err)
{
	int r = do_list(l, err);

	return r > 0 && !fs_logs_in_order(l->fd) ? store_sync(l->st, l->fd, err) :
		r < 0                            ? r :
						   0;
}

int becoming_settle(const struct layer *image, struct ovl_err *err)
{
	int rc = clean_tree(image, err);

	if (rc == 0)
		rc = drop_parts(image, err);
	return rc == 0 ? put_in_place(image, err) : rc;
}

static int make_image(const struct layer *l, const struct ovl_id *was,
	struct trashed *old, struct ovl_err *err)
{
	int keep = fs_exists(l->drv_fd, was->s);
	struct meta m;
	int rc = keep < 0 ? cannot(l, err) : meta_read(l->fd, &m, err);

	if (rc == 0)
		rc = drop_tree(l, old, err);
	if (rc == 0 && !keep && m.kind == OVL_WRITABLE)
		rc = driver_retract(l->drv, l->drv_fd, m.link, was, err);
	return rc == 0 ? becoming_settle(l, err) : rc;
}

/* Removes the note of which layer it became, as nothing needs that any more. */
static int forget(const struct layer *l, const struct ovl_id *was, struct ovl_err *err)
{
	int staging = store_dir(l->st, DIR_STAGING, NULL);
	const char *path = P("%s/" BECOMING_IMAGE_LAYER, was->s);
	int here;

	if (or_done(unlinkat(l->drv_fd, path, 0)) < 0)
		return cannot(l, err);
	here = is_noted_here(l, was, err);
	if (here <= 0)
		return here;
	if (or_done(unlinkat(staging, path, 0)) < 0 ||
		or_done(unlinkat(staging, was->s, AT_REMOVEDIR)) < 0)
		return cannot(l, err);
	return 0;
}

int becoming_finish(const struct layer *image, const struct ovl_id *was, bool wait,
	struct trashed *old, struct ovl_err *err)
{
	int rc = hand_on_names(image, was, wait, err);

	if (rc == 0 && becoming_unfinished(&image->meta))
		rc = make_image(image, was, old, err);
	if (rc == 0 && fs_rmtree(image->fd, BECOMING_IMAGE, NULL) < 0)
		rc = cannot(image, err);
	return rc == 0 ? forget(image, was, err) : rc;
}
