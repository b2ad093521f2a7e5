/* SPDX-License-Identifier: ISC */
/* ovl_umount: unmounts layers and clears what mounts have left in them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/holder.h"
#include "base/path.h"
#include "base/quote.h"
#include "mount/inuse.h"
#include "mount/mountnote.h"
#include "mount/mounts.h"
#include "mount/superblock.h"
#include "mount/upper.h"
#include "mount/volatile.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/lock.h"
#include "store/store.h"
#include "umount.h"

struct job {
	struct ovl_store *st;
	const struct layer_ref *ref; /* only mounts of this layer; NULL: of all layers */
	bool by_id; /* only the mount mnt_id */
	uint64_t mnt_id;
	unsigned flags;
	bool waited; /* since the mounts were read */
	size_t done;
	int rc; /* the first failure, its text in err */
	struct ovl_err *err;
};

/* ---- one mount -------------------------------------------------------------------- */

/*
 * Opens the directory above a mount point, whose path may be too long for a system call.
 * -1 with errno, EINVAL if it is not absolute.
 */
static int open_place(const char *where, const char **name)
{
	auto_fd root = *where == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) :
				       fs_fail(EINVAL);
	int dir = root < 0 ? -1 : fs_open_parent(root, where + 1, O_PATH, name);

	if (root >= 0 && !where[1])
		*name = where;
	return dir;
}

/* True if the path leads to the mount, and not to another mount on top of it. */
static bool on_top(const struct mnt *m, int dir, const char *name)
{
	struct statx sx;

	if (dir < 0 ||
		statx(dir, name, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID,
			&sx) < 0)
		return !fs_is_gone(errno);
	return sx.stx_mnt_id == (uint64_t)m->mnt_id;
}

static int umount_at(int dir, const char *name, bool lazy)
{
	auto_cwd cwd = {-1};
	int rc = fs_cwd_enter(&cwd, dir);

	if (rc < 0)
		return rc;
	rc = umount2(name, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0));
	return rc < 0 ? -errno : 0;
}

int umount_detach(const char *where)
{
	const char *name;
	auto_fd dir = open_place(where, &name);

	return dir < 0 ? -errno : umount_at(dir, name, true);
}

/* Says what keeps it busy: a mount in it, or a process. */
static int refuse_busy(const struct mnt *m, struct ovl_err *err)
{
	char who[HOLDER_SIZE];
	auto_mounts in = {0};

	if (mounts_inside(m->mnt_id, &in) == 0 && in.n)
		return err_status(err, OVL_BUSY,
			"%s is in use: %s is mounted in it; 'ovlctl umount -R' unmounts "
			"that too",
			Q(m->where), Q(in.mnt[in.n - 1].where));
	if (holder_of_mount(m->dev, (uint64_t)m->mnt_id, m->where, who))
		return err_status(err, OVL_BUSY, "%s is in use by %s", Q(m->where), who);
	return err_status(err, OVL_BUSY,
		"%s is in use by a process that cannot be seen from here", Q(m->where));
}

struct one {
	struct job *job;
	struct mnt *m;
	bool tried;
};

/* 1: the mount is hidden under another one, or does not exist any more. */
static int umount_top(const struct mnt *m, bool lazy, struct ovl_err *err)
{
	const char *name;
	auto_fd dir = open_place(m->where, &name);
	int rc;

	if (!on_top(m, dir, name))
		return 1;
	rc = dir < 0 ? -errno : umount_at(dir, name, lazy);
	if (rc == -EBUSY)
		return refuse_busy(m, err);
	if (rc == -EINVAL)
		return err_say(err, EINVAL,
			"cannot unmount %s: it came from another user namespace, and can "
			"only be unmounted there",
			Q(m->where));
	return rc < 0 ? err_sys(err, -rc, "cannot unmount %s", Q(m->where)) : 0;
}

static int refuse_hidden(const struct mnt *m, struct ovl_err *err)
{
	return err_status(err, OVL_BUSY,
		"%s is hidden under another mount: unmount that one first", Q(m->where));
}

/* Unmounts everything mounted in it, at any depth. What is hidden or busy may be so only
 * until others are unmounted; and one unmount may remove several, by propagation. */
static int umount_inside(const struct mnt *m, bool lazy, struct ovl_err *err)
{
	int rc = 0;

	for (size_t before = SIZE_MAX;;) {
		auto_mounts in = {0};
		int read = mounts_inside(m->mnt_id, &in);

		if (read < 0)
			return err_sys(err, -read, "cannot read '/proc/self/mountinfo'");
		if (!in.n)
			return 0;
		if (in.n == before)
			return rc < 0 ? rc : refuse_hidden(&in.mnt[in.n - 1], err);
		before = in.n;
		rc = 0;
		for (size_t i = in.n; i-- > 0 && rc >= 0;)
			rc = umount_top(&in.mnt[i], lazy, err);
	}
}

/* During a wait for this or an earlier mount another process may have unmounted it, and
 * another mount may have got its number and place. */
static int is_there(const struct one *o, struct ovl_err *err)
{
	auto_mounts now = {0};
	int rc = o->job->waited ? mounts_read(o->job->st, &now, err) : 1;

	return rc ? rc : mounts_has(&now, o->m);
}

static int try_umount(void *ctx, struct ovl_err *err)
{
	struct one *o = ctx;
	bool lazy = o->job->flags & OVL_UMOUNT_LAZY;
	int rc;

	o->job->waited |= o->tried;
	o->tried = true;
	rc = is_there(o, err);
	if (rc <= 0)
		return rc;
	rc = o->job->flags & OVL_UMOUNT_RECURSIVE ? umount_inside(o->m, lazy, err) : 0;
	if (rc == 0)
		rc = umount_top(o->m, lazy, err);
	return rc > 0 ? refuse_hidden(o->m, err) : rc;
}

static int umount_one(struct job *job, struct mnt *m, struct ovl_err *err)
{
	struct ovl_store *st = job->st;
	struct one o = {job, m, false};
	int rc;

	if (!st->foreign)
		m->work = upper_before(store_driver_dir(st, m->layer.drv, NULL),
			m->layer.drv, &m->layer.id);
	rc = lock_all(st, try_umount, &o, err);
	if (rc == 0)
		store_detail(st, "%s unmounted", Q(m->where));
	return rc;
}

/* ---- leftovers of a mount --------------------------------------------------------- */

/* True if the mount was on the layer's own mount point. */
static bool was_on_merged(const struct layer *l, const struct mnt *m)
{
	const char *name;
	auto_fd dir = open_place(m->where, &name);

	return dir >= 0 && fs_is_same(dir, name, l->fd, l->drv->merged);
}

/*
 * Some layers have their own mount point only while they are mounted. Removing a
 * directory that is a mount point in another namespace would detach that mount, so the
 * layer must not be mounted anywhere, and no process may be about to mount it, which the
 * lock of its mounts ensures. If the directory stays, the next unmount from it removes
 * it.
 */
static void drop_merged(const struct layer *l, const struct mnt *m, struct inuse *seen)
{
	struct ovl_err why;

	if (was_on_merged(l, m) && inuse_refuse(seen, l, l->id.s, INUSE_TAKE, &why) == 0)
		unlinkat(l->fd, l->drv->merged, AT_REMOVEDIR);
}

/*
 * True if the mount has ended everywhere. If its device number is in use, the mount still
 * exists, for example in another namespace, or another mount has got the number. For an
 * upper the kernel knows which is true; the key of an image layer's mount disappears
 * within a moment.
 */
static bool has_ended(
	const struct layer *l, const struct mnt *m, struct mountnotes *notes)
{
	struct ovl_err why;

	if (mountnotes_read(l, notes) < 0)
		return false;
	mountnotes_number(l, notes, m->dev);
	mountnotes_ask(notes);
	if (!mountnotes_open(notes) && superblock_of(m->dev, 0) == SB_DEAD)
		return true;
	if (l->meta.kind != OVL_WRITABLE) {
		mountnotes_ask_long(notes, 100);
		return !mountnotes_open(notes);
	}
	if (upper_ask(l, &why) != 0)
		return false;
	mountnotes_end(notes);
	return true;
}

/*
 * A process that mounts the layer holds the same lock from its first check to the mount.
 * Without the lock everything is left as it is, which is safe.
 */
static int clear_mounts(const struct layer *l, const struct mnt *m, struct inuse *seen,
	struct ovl_err *err)
{
	struct ovl_err why;
	auto_fd lock = inuse_lock(l, l->id.s, &why);
	auto_mountnotes notes = {0};
	bool ended;
	int rc;

	if (lock < 0)
		return 0;
	ended = has_ended(l, m, &notes);
	mountnotes_clear(l, &notes);
	if (l->meta.kind != OVL_WRITABLE) {
		if (!driver_keeps_mount(l))
			drop_merged(l, m, seen);
		return 0;
	}
	rc = volatile_clear(l, err);
	if (rc == 0 && ended)
		upper_set_idle(l, &m->work);
	return rc;
}

/* A process that checks whether the layer is mounted locks it exclusively for a moment.
 * Longer locks are not waited for, because the unmount is done. */
static int open_to_clear(
	struct ovl_store *st, const struct layer_ref *ref, struct layer *l)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	struct ovl_err why;
	int rc;

	for (int i = 0;; i++) {
		rc = layer_open_ref(st, ref, LOCK_SH | LOCK_NB, ref->id.s, l, &why);
		if (rc != -EBUSY || i == 50)
			return rc;
		nanosleep(&pause, NULL);
	}
}

int umount_clear(struct ovl_store *st, const struct mnt *m, struct inuse *seen,
	struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;

	return st->foreign || open_to_clear(st, &m->layer, &l) < 0 ?
		0 :
		clear_mounts(&l, m, seen, err);
}

/* ---- many ------------------------------------------------------------------------- */

static bool is_wanted(const struct job *job, const struct mnt *m)
{
	return (!job->ref || layer_ref_same(&m->layer, job->ref)) &&
		(!job->by_id || (uint64_t)m->mnt_id == job->mnt_id);
}

static void note_failure(struct job *job, int rc, const struct ovl_err *why)
{
	if (job->rc == 0) {
		job->rc = rc;
		if (job->err)
			*job->err = *why;
	}
}

/* True if unmounting what was asked for may have unmounted it too: it is a copy of that,
 * or in it. */
static bool went_along(
	const struct job *job, const struct mounts *m, const struct mnt *mnt)
{
	for (size_t i = 0; i < m->n; i++) {
		if (is_wanted(job, &m->mnt[i]) &&
			(layer_ref_same(&m->mnt[i].layer, &mnt->layer) ||
				path_below(mnt->where, m->mnt[i].where)))
			return true;
	}
	return false;
}

/* Clears up after mounts that no longer exist; not after those that other processes have
 * unmounted, which may be removing the layer. */
static size_t clear_gone(
	struct job *job, const struct mounts *before, const struct mounts *after)
{
	auto_inuse seen = {0};
	size_t gone = 0;

	for (size_t i = 0; i < before->n; i++) {
		struct ovl_err why;
		int rc;

		if (!before->mnt[i].ended &&
			(mounts_has(after, &before->mnt[i]) ||
				!went_along(job, before, &before->mnt[i])))
			continue;
		gone += is_wanted(job, &before->mnt[i]);
		rc = umount_clear(job->st, &before->mnt[i], &seen, &why);
		inuse_let_go(&seen);
		if (rc < 0)
			note_failure(job, rc, &why);
	}
	job->done += gone;
	return gone;
}

/* Unmounts the latest mount first. Goes on after a failure and keeps its text. *all: m
 * has no other mounts. */
static int umount_each(struct job *job, struct mounts *m, bool *all, struct ovl_err *why)
{
	int first = 0;

	*all = true;
	for (size_t i = m->n; i-- > 0;) {
		struct ovl_err err = {.status = OVL_FAILED};
		int rc;

		if (!is_wanted(job, &m->mnt[i])) {
			*all = false;
			continue;
		}
		rc = umount_one(job, &m->mnt[i], &err);
		m->mnt[i].ended = rc == 0;
		if (rc < 0 && !first) {
			first = rc;
			*why = err;
		}
	}
	return first;
}

/*
 * Unmounting one mount may unmount others too (propagation, lazy), or be blocked by
 * others below it. So the kernel's table is read afterwards, and as long as something was
 * unmounted it is tried again. Reading the table takes as long as an unmount; it is not
 * read if all are unmounted.
 */
static int umount_all(struct job *job, struct mounts *m)
{
	for (;;) {
		auto_mounts after = {0};
		struct ovl_err why = {.status = OVL_FAILED};
		bool all;
		int rc = umount_each(job, m, &all, &why);
		int read = rc == 0 && all ? 0 : mounts_read(job->st, &after, job->err);
		size_t gone;

		if (read < 0)
			return read;
		gone = clear_gone(job, m, &after);
		mounts_release(m);
		*m = steal(after);
		job->waited = false;
		if (rc == 0 || !gone) {
			bool left = false;

			for (size_t i = 0; i < m->n; i++)
				left |= is_wanted(job, &m->mnt[i]);
			if (rc < 0 && left)
				note_failure(job, rc, &why);
			return job->rc;
		}
	}
}

static int umount_path(
	struct job *job, struct mounts *m, const char *path, struct ovl_err *err)
{
	struct statx sx;
	int rc;

	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_MNT_ID, &sx) < 0)
		return err_sys(err, errno, "%s", Q(path));
	job->mnt_id = sx.stx_attributes & STATX_ATTR_MOUNT_ROOT ? sx.stx_mnt_id : 0;
	job->by_id = true;
	rc = umount_all(job, m);
	if (rc < 0 || job->done)
		return rc;
	return err_say(err, EINVAL, "%s is not a mount of this store", Q(path));
}

/* Says where the layer is mounted instead. */
static int not_mounted(struct ovl_store *st, const struct layer_ref *ref,
	const char *what, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	auto_inuse inuse = {0};
	struct ovl_err why = {.status = OVL_FAILED};

	if (st->foreign || layer_open_ref(st, ref, 0, what, &l, &why) < 0 ||
		inuse_refuse(&inuse, &l, what, INUSE_UMOUNT, &why) == 0 ||
		why.status != OVL_BUSY)
		return err_say(err, EINVAL,
			"layer %s is not mounted in this mount namespace", Q(what));
	why.status = OVL_FAILED;
	if (err)
		*err = why;
	return -EINVAL;
}

int ovl_umount(
	struct ovl_store *st, const char *what, unsigned flags, struct ovl_err *err)
{
	struct job job = {.st = st, .flags = flags, .err = err};
	auto_mounts m = {0};
	struct layer_ref ref;
	int rc = mounts_read(st, &m, err);

	if (rc < 0)
		return rc;
	if (!what)
		return umount_all(&job, &m);
	if (*what == '/' || *what == '.')
		return umount_path(&job, &m, what, err);
	rc = layer_find(st, what, &ref, err);
	if (rc < 0 && rc == -ENOENT && faccessat(AT_FDCWD, what, F_OK, AT_EACCESS) == 0)
		return umount_path(&job, &m, what, err);
	if (rc < 0)
		return rc;
	job.ref = &ref;
	rc = umount_all(&job, &m);
	return rc < 0 || job.done ? rc : not_mounted(st, &ref, what, err);
}
