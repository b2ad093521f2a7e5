/* SPDX-License-Identifier: ISC */
/* Layers in the store: opening and locking them, their children. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "store/trash.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/becoming_finish.h"
#include "store/layer.h"
#include "store/layer_foreign.h"
#include "store/lock.h"
#include "store/names.h"
#include "store/stamp.h"
#include "store/store.h"

char layer_letter(const struct layer_ref *ref)
{
	return (char)('A' + ref->drv->number);
}

int layer_exists(struct ovl_store *st, const struct layer_ref *ref, struct ovl_err *err)
{
	int drv_fd = store_driver_dir(st, ref->drv, err);
	struct layer_ref image;
	struct stat sb;
	int r;

	if (st->foreign)
		return layer_foreign(st, &ref->id) != NULL;
	if (drv_fd < 0)
		return drv_fd == -ENOENT ? 0 : drv_fd;
	if (fstatat(drv_fd, ref->id.s, &sb, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(sb.st_mode);
	r = errno == ENOENT ? becoming_find(st, ref, &image) : -errno;
	if (r > 0)
		r = becoming_has(st, &ref->id, META_NAME);
	if (r == 0 && (r = fs_exists(drv_fd, ref->id.s)) < 0) /* put back meanwhile? */
		r = -errno;
	if (r >= 0)
		return r;
	return err_sys(err, -r, "cannot look up layer %.12s", ref->id.s);
}

/* ---- metadata --------------------------------------------------------------------- */

/* Reads .layer with one open, read and close, as listings read many: its text has an end
 * mark. For a layer that a commit is making, another file counts. */
static bool read_whole(int dir, const char *id, struct meta *m)
{
	auto_fd fd = openat(dir, P("%s/" META_NAME, id),
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[META_MAX];
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	return n > 0 && meta_parse(text, (size_t)n, m) == 0 &&
		strcmp(m->becomes.s, id) != 0;
}

int layer_meta(struct ovl_store *st, int dir, const char *id, struct meta *m)
{
	const struct foreign_layer *f = NULL;
	struct ovl_id key;
	struct ovl_err why;
	auto_fd fd = -1;

	if (st->foreign) {
		memcpy(key.s, id, sizeof(key.s));
		f = layer_foreign(st, &key);
		if (f)
			layer_foreign_meta(f, m);
		return f ? 0 : -ENOENT;
	}
	if (read_whole(dir, id, m))
		return 0;
	fd = fs_open_dir(dir, id);
	return fd < 0 ? -errno : becoming_meta(fd, id, m, &why);
}

/* ---- opening ---------------------------------------------------------------------- */

void layer_close(struct layer *l)
{
	close_fdp(&l->fd);
}

static int lock_layer(struct layer *l, int op, const char *what, struct ovl_err *err)
{
	char subject[QUOTE_SIZE + 16];
	int rc;

	snprintf(subject, sizeof(subject), "layer %s", Q(what));
	rc = lock_take(l->st, l->fd, op, subject, err);
	if (rc < 0)
		return rc;
	/* It may have been moved before it was locked. */
	rc = fs_is(l->drv_fd, l->id.s, l->fd);
	if (rc < 0)
		return err_sys(err, errno, "cannot look up %s", subject);
	return rc ? 0 : -EAGAIN;
}

static int none(const char *what, struct ovl_err *err)
{
	return err_status(err, OVL_NOLAYER, "no such layer %s", Q(what));
}

/* Finishes a killed commit. Without write access the layer is used as it is, as an image
 * layer. */
static int finish_killed(
	struct layer *image, const struct ovl_id *was, bool wait, struct ovl_err *why)
{
	int rc = image->st->look_only ? -EROFS : becoming_sync(image, why);

	if (rc == 0)
		rc = becoming_finish(image, was, wait, NULL, why);
	if (rc == 0)
		image->meta.was.s[0] = '\0';
	return rc;
}

struct opening {
	struct ovl_store *st;
	const struct layer_ref *ref;
	int op;
	const char *what;
	struct layer *out;
};

static int cannot_open(const struct opening *o, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot open layer %s", Q(o->what));
}

/* Reports that the layer does not exist; -EAGAIN if it was put back meanwhile. */
static int none_now(const struct opening *o, struct ovl_err *err)
{
	int r = fs_exists(store_driver_dir(o->st, o->ref->drv, NULL), o->ref->id.s);

	return r < 0 ? cannot_open(o, err) : r ? -EAGAIN : none(o->what, err);
}

static int open_now(void *ctx, struct ovl_err *err);

/* Opens a layer that is missing from its place, which an unfinished commit may have to
 * put back. -EAGAIN: it is back. */
static int open_back(const struct opening *o, struct layer *l, struct ovl_err *err)
{
	const struct ovl_id *id = &o->ref->id;
	auto_layer image = LAYER_INIT;
	struct layer_ref to;
	struct opening other = {o->st, &to, (o->op & LOCK_NB) | LOCK_SH, o->what, &image};
	int rc = becoming_find(o->st, o->ref, &to);

	if (rc < 0)
		return err_sys(err, -rc, "cannot look up layer %s", Q(o->what));
	if (rc == 0)
		return none_now(o, err);
	if (o->op) {
		rc = open_now(&other, err);
		if (rc == 0)
			rc = becoming_meta(image.fd, to.id.s, &image.meta, err);
		if (rc < 0)
			return rc;
		rc = finish_killed(&image, id, !(o->op & LOCK_NB), err);
		/* Another process is about to put it back. */
		if (rc == -EBUSY || rc == -EINTR)
			return rc;
		if (rc == 0)
			return none_now(o, err);
		if (o->op & LOCK_EX && !image.st->look_only)
			return err_prefix(err, rc, "cannot finish the commit of layer %s",
				Q(o->what));
	}
	/* Commands that only read, or may not write, do not put it back. */
	if (becoming_has(o->st, id, META_NAME) <= 0)
		return none_now(o, err);
	l->fd = fs_open_dir(store_dir(o->st, DIR_STAGING, NULL), id->s);
	if (l->fd < 0)
		return errno == ENOENT ? -EAGAIN : cannot_open(o, err);
	return 0;
}

/* Opens and locks the directory, without reading it. -EAGAIN: the layer was replaced
 * while this process waited for the lock. */
static int try_dir(const struct opening *o, struct ovl_err *err)
{
	auto_layer l = {.st = o->st, .drv = o->ref->drv, .id = o->ref->id, .fd = -1};
	int rc = 0;

	l.drv_fd = store_driver_dir(o->st, l.drv, err);
	if (l.drv_fd < 0)
		return l.drv_fd == -ENOENT ? none(o->what, err) : l.drv_fd;
	l.fd = fs_open_dir(l.drv_fd, l.id.s);
	if (l.fd < 0 && errno != ENOENT)
		return cannot_open(o, err);
	if (l.fd < 0)
		rc = open_back(o, &l, err);
	else if (o->op)
		rc = lock_layer(&l, o->op, o->what, err);
	if (rc < 0)
		return rc;
	*o->out = l;
	l.fd = -1;
	return 0;
}

static int open_now(void *ctx, struct ovl_err *err)
{
	int rc;

	do
		rc = try_dir(ctx, err);
	while (rc == -EAGAIN);
	return rc;
}

/* While waiting for an exclusive lock, looks for the layer again each time: the process
 * that removes it keeps it locked in the trash. */
static int open_dir(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err)
{
	bool waits = op == LOCK_EX;
	struct opening o = {st, ref, waits ? op | LOCK_NB : op, what, out};

	return waits ? lock_all(st, open_now, &o, err) : open_now(&o, err);
}

/* Metadata of a layer without a valid .layer, enough to remove it. */
static void meta_guess(struct layer *l)
{
	memset(&l->meta, 0, sizeof(l->meta));
	l->meta.kind = OVL_WRITABLE;
	l->meta.depth = UINT_MAX;
	driver_link_of(l->drv, l->fd, ".", l->meta.link);
}

static int open_and_read(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, bool damaged_too, struct layer *out, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	int rc;

	if (st->foreign)
		return layer_foreign_open(st, ref, what, out, err);
	rc = open_dir(st, ref, op, what, &l, err);
	if (rc < 0)
		return rc;
	rc = becoming_meta(l.fd, l.id.s, &l.meta, err);
	if (meta_is_damage(rc) && damaged_too) {
		meta_guess(&l);
	} else if (rc < 0) {
		err_prefix(err, rc, "layer %s", Q(what));
		return meta_is_damage(rc) ? err_see_check(err, rc) : rc;
	} else if (op && becoming_unfinished(&l.meta)) {
		struct ovl_id was = l.meta.was;
		struct ovl_err why;

		finish_killed(&l, &was, false, &why);
	}
	*out = l;
	l.fd = -1;
	return 0;
}

int layer_open_ref(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err)
{
	return open_and_read(st, ref, op, what, false, out, err);
}

int layer_open_to_remove(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err)
{
	return open_and_read(st, ref, op, what, true, out, err);
}

int layer_open_parent(
	const struct layer *l, int op, struct layer *out, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = l->drv, .id = l->meta.parent};

	return layer_open_ref(l->st, &ref, op, ref.id.s, out, err);
}

int layer_covered(const struct layer *l, const struct ovl_id *id, const char *tree,
	struct ovl_err *err)
{
	auto_buf path = {0};

	buf_addf(&path, "%s/%s/%s/%s", l->st->root, l->drv->name, id->s, tree);
	if (path.failed)
		return err_nomem(err);
	return err_status(err, OVL_BUSY, "something is mounted on %s; unmount it first",
		Q(path.data));
}

int layer_tree(const struct layer *l, struct ovl_err *err)
{
	int fd = privilege_check(l->st, err);
	int rc;

	if (fd < 0)
		return fd;
	fd = l->foreign ? fs_open_dir(l->fd, layer_tree_name(l)) :
			  fs_open_unmounted(l->fd, layer_tree_name(l), O_RDONLY);
	if (fd >= 0)
		return fd;
	if (errno == EXDEV)
		return layer_covered(l, &l->id, layer_tree_name(l), err);
	rc = err_sys(err, errno, "cannot open the tree of layer %.12s", l->id.s);
	return layer_foreign_failed(l->st, l->foreign, err_see_check(err, rc), err);
}

int layer_outside(const struct layer *l,
	int (*fn)(void *ctx, int dirfd, const char *name), void *ctx, struct ovl_err *err)
{
	int rc = l->drv->links ?
		fn(ctx, l->drv_fd, P("%s/%s", l->drv->links, l->meta.link)) :
		0;

	if (rc == 0 && l->meta.becomes.s[0])
		rc = fn(ctx, store_dir(l->st, DIR_STAGING, NULL), l->id.s);
	return rc ? rc : names_files(l, fn, ctx, err);
}

/* ---- children --------------------------------------------------------------------- */

/* A layer that cannot be read counts as a child, and so does one that was set aside. */
static bool is_child(
	struct ovl_store *st, const struct ovl_id *parent, const struct layer_ref *ref)
{
	auto_layer child = LAYER_INIT;
	struct ovl_err why;

	if (layer_open_ref(st, ref, 0, ref->id.s, &child, &why) < 0)
		return why.status != OVL_NOLAYER ||
			aside_has(st, ref->drv->name, ref->id.s);
	return child.meta.has_parent && strcmp(child.meta.parent.s, parent->s) == 0;
}

static int unread_children(const struct layer *l, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot read the children of layer %.12s", l->id.s);
}

int layer_children(const struct layer *l,
	int (*fn)(void *ctx, const struct layer_ref *child), void *ctx,
	struct ovl_err *err)
{
	auto_fsdir d = fs_dir_at(l->fd, LAYER_CHILDREN);
	struct layer_ref ref = {.drv = l->drv};
	const char *name;
	int r;

	if (l->foreign)
		return layer_foreign_children(l, fn, ctx);
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (!id_take(name, ref.id.s))
			continue;
		r = is_child(l->st, &l->id, &ref) ? fn(ctx, &ref) : 0;
		if (r)
			return r;
	}
	return r < 0 ? unread_children(l, err) : 0;
}

/* Whoever removes the last hint removes the directory too, possibly just now. */
int layer_add_child(const struct layer *l, const struct ovl_id *id, struct ovl_err *err)
{
	const char *path = P(LAYER_CHILDREN "/%s", id->s);
	int fd = -1;

	for (int i = 0; i < 100 && fd < 0; i++) {
		fd = openat(l->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			return 0;
		if (fd < 0 &&
			(errno != ENOENT || fs_mkdir(l->fd, LAYER_CHILDREN, 0700) < 0))
			break;
	}
	if (fd < 0)
		return err_sys(
			err, errno, "cannot record a child in layer %.12s", l->id.s);
	close(fd);
	return 1;
}

int layer_sync_children(const struct layer *l, struct ovl_err *err)
{
	auto_fd dir = fs_open_dir(l->fd, LAYER_CHILDREN);

	if (dir < 0 || fsync(dir) < 0 || fsync(l->fd) < 0)
		return err_sys(
			err, errno, "cannot sync the children of layer %.12s", l->id.s);
	return 0;
}

int layer_has_hint(const struct layer *l, const struct ovl_id *id, struct ovl_err *err)
{
	int there = fs_exists(l->fd, P(LAYER_CHILDREN "/%s", id->s));

	return there < 0 ? unread_children(l, err) : there;
}

void layer_drop_hint(int layer_fd, const struct ovl_id *id)
{
	auto_fd dir = fs_open_dir(layer_fd, LAYER_CHILDREN);

	if (dir >= 0 && unlinkat(dir, id->s, 0) == 0)
		unlinkat(layer_fd, LAYER_CHILDREN, AT_REMOVEDIR); /* if it was the last */
}

/*
 * A removed image layer may have been made again, as a child of the same parent; a
 * writable one, whose id is random, cannot. A process that makes a layer appear holds the
 * store's lock from the hint to the rename.
 */
void layer_drop_child(struct ovl_store *st, const struct layer_ref *child,
	const struct ovl_id *parent, enum ovl_kind kind)
{
	bool locks = kind == OVL_IMAGE;
	auto_fd dir = -1;

	if (!*parent->s || (locks && store_lock_brief(st, NULL) < 0))
		return;
	if (!locks || !is_child(st, parent, child))
		dir = fs_open_dir(store_driver_dir(st, child->drv, NULL), parent->s);
	if (dir >= 0)
		layer_drop_hint(dir, &child->id);
	if (locks)
		store_unlock(st);
}
