/* SPDX-License-Identifier: ISC */
/* ovl_mount: mounts a layer with its stack. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "mount/explain.h"
#include "mount/inuse.h"
#include "mount/mountnote.h"
#include "mount/mounts.h"
#include "mount/mountspec.h"
#include "mount/target.h"
#include "mount/upper.h"
#include "mount/volatile.h"
#include "store/driver.h"
#include "mount/durable.h"
#include "store/layer.h"
#include "store/lock.h"
#include "store/stamp.h"
#include "store/redirects.h"
#include "store/store.h"
#include "stage/used.h"
#include "umount.h"

/* One mount of a layer, from the first check to the end. */
struct mounting {
	const struct layer *l;
	const struct ovl_mount *req;
	int tree; /* the layer's own, which has the lock of its mounts */
	struct inuse *inuse;
	struct mountspec spec;
	struct target target;
	struct mountnote note; /* has no name if no note was made */
	struct ovl_err *err;
};

/* ---- may it be mounted? ----------------------------------------------------------- */

/*
 * Without xattrs or file types in directory listings the kernel mounts an upper anyway,
 * and reports it only in its log.
 */
static int check_upper(const struct layer *l, int upper, struct ovl_err *err)
{
	auto_fsdir d = fs_dir_at(l->fd, ".");
	const char *prefix = xattr_live_prefix(&l->st->xattrs);
	unsigned char type;
	const char *name;

	if (fs_getxattr(upper, NULL, P("%sopaque", prefix), NULL, 0) < 0 &&
		errno == EOPNOTSUPP)
		return err_say(err, EOPNOTSUPP,
			"the store's file system has no extended attributes (%s*), which an upper "
			"layer needs",
			prefix);
	if (fs_dir_next(&d, &name, &type) < 0)
		return err_sys(err, errno, "cannot read layer %.12s", l->id.s);
	if (type == 0)
		return err_say(err, EOPNOTSUPP,
			"the store's file system does not report file types (d_type), "
			"which an upper layer needs");
	return 0;
}

static int explain(const struct mounting *m, int errnum)
{
	return explain_mount(
		m->l, m->req->layer, &m->spec, m->target.path.data, errnum, m->err);
}

static int check_writable(struct mounting *m)
{
	int rc = inuse_refuse(m->inuse, m->l, m->req->layer, INUSE_MOUNT, m->err);

	if (rc == -EPERM)
		return explain(m, EPERM);
	if (rc == 0)
		rc = check_upper(m->l, m->tree, m->err);
	return rc < 0 ? rc : volatile_check(m->l, m->req->layer, m->req->force, m->err);
}

/* An image layer may be mounted any number of times. Its notes are read nevertheless,
 * because the leftovers of other mounts would accumulate. */
static void tidy_notes(const struct layer *l)
{
	auto_mountnotes notes = {0};

	if (mountnotes_read(l, &notes) == 0 && notes.n) {
		mountnotes_ask(&notes);
		mountnotes_clear(l, &notes);
	}
}

/* ---- mounting --------------------------------------------------------------------- */

/*
 * If the kernel cannot create its directory in the work directory, it mounts anyway,
 * read-only, and reports that only in its log. If read-only was requested, the note
 * records the mount; otherwise it is unmounted again.
 */
static int check_work(struct mounting *m)
{
	const struct layer *l = m->l;
	auto_fd work = -1;
	int why = EROFS;

	if (!m->spec.with_upper || !upper_is_idle(l) ||
		((m->spec.flags & MS_RDONLY) && *m->note.name))
		return 0;
	umount_detach(m->target.path.data);
	work = fs_open_dir(l->fd, l->drv->work);
	if (work < 0 || mkdirat(work, "work", 0) < 0)
		why = errno;
	else
		unlinkat(work, "work", AT_REMOVEDIR);
	return err_say(m->err, why,
		"cannot mount layer %s: the kernel could not make its work directory: "
		"%s%s",
		Q(m->req->layer), strerror(why),
		why != EROFS && *m->note.name ? "; -r mounts it read-only" : "");
}

/* In a read-only store nothing is removed, so no note is needed; and the kernel itself
 * knows that an upper is mounted. */
static int note_mount(struct mounting *m)
{
	int rc = m->l->foreign ? -EROFS : mountnote_begin(m->l, &m->note);

	if (rc == 0)
		return 0;
	*m->note.name = '\0';
	if (rc == -EROFS)
		return 0;
	if (rc != -ENOSPC && rc != -EDQUOT)
		return err_sys(m->err, -rc, "cannot record the mount of layer %s",
			Q(m->req->layer));
	if (!m->spec.with_upper)
		store_warn(m->l->st,
			"layer %s: the mount cannot be recorded (%s): do not remove the "
			"layer while it is mounted in another namespace",
			Q(m->req->layer), strerror(-rc));
	return 0;
}

static int mount_now(struct mounting *m)
{
	auto_free char *source = mounts_source(m->l);
	dev_t dev;
	int rc;

	if (!source)
		return err_nomem(m->err);
	rc = mountspec_mount(&m->spec, m->l, source, m->target.fd);
	store_detail(m->l->st, "options %s", m->spec.data.data);
	if (rc < 0)
		return explain(m, -rc);
	if (*m->note.name && target_dev(&m->target, &dev) == 0)
		mountnote_number(m->l, &m->note, dev);
	return check_work(m);
}

/* If the mount fails, the changes made to the layer for it are undone. */
static int mount_upper(struct mounting *m)
{
	unsigned added = 0;
	bool woken = false;
	int rc = m->spec.leaves ? redirects_note(m->l, m->spec.leaves, &added, m->err) :
				  0;

	if (rc == 0)
		rc = durable_for_mount(m->l, added, m->err);
	if (rc == 0 && m->req->force)
		rc = volatile_lift(m->l, m->err);
	if (rc == 0) {
		woken = upper_clear_idle(m->l);
		rc = mount_now(m);
	}
	if (rc < 0) {
		redirects_forget(m->l, added);
		if (woken)
			upper_set_idle(m->l, NULL);
	} else if (m->req->force) {
		volatile_accept(m->l);
	}
	return rc;
}

static int mount_noted(struct mounting *m)
{
	int rc = note_mount(m);

	if (rc < 0)
		return rc;
	rc = m->spec.with_upper ? mount_upper(m) : mount_now(m);
	if (rc < 0 && *m->note.name)
		mountnote_drop(m->l, &m->note);
	return rc;
}

static int mount_on_target(struct mounting *m)
{
	int rc = 0;

	if (m->spec.with_upper)
		rc = check_writable(m);
	else
		tidy_notes(m->l);
	if (rc == 0)
		rc = target_refuse_taken(&m->target, m->err);
	if (rc == 0 && m->l->foreign && !m->l->meta.lowers)
		rc = target_refuse_full(&m->target, m->err);
	if (rc == 0)
		rc = mountspec_check(&m->spec, m->l, m->err);
	if (rc < 0)
		return rc;
	return mount_noted(m);
}

/* ---- a mount that is there --------------------------------------------------------- */

static int remount(struct mounting *m)
{
	if (mount(NULL, P("/proc/self/fd/%d", m->target.fd), NULL,
		    MS_REMOUNT | m->spec.flags, NULL) < 0)
		return err_sys(m->err, errno, "cannot remount layer %s on %s",
			Q(m->req->layer), Q(m->target.path.data));
	return 0;
}

static int mount_as_asked(struct mounting *m)
{
	const struct layer_ref own = {.drv = m->l->drv, .id = m->l->id};
	struct layer_ref ref;
	int there = 0;

	if (m->req->how == OVL_MOUNT_FAKE)
		return 0;
	if (m->req->how != OVL_MOUNT)
		there = target_layer(&m->target, &ref, m->err);
	if (there < 0)
		return there;
	there = there && layer_ref_same(&ref, &own);
	if (m->req->how == OVL_REMOUNT)
		return there ? remount(m) :
			       err_say(m->err, EINVAL, "layer %s is not mounted on %s",
				       Q(m->req->layer), Q(m->target.path.data));
	return there ? 0 : mount_on_target(m);
}

/*
 * Another program's layer is mounted read-only and outside its store. A bottom layer
 * needs an empty directory as a second lower: the mount point.
 */
static int prepare_foreign(struct layer *l, struct mounting *m)
{
	const char *owner = ovl_owner(l->st);
	int rc;

	if (!m->req->target)
		return err_status(m->err, OVL_USAGE,
			"layer %s belongs to %s: name a mount point, as in 'ovlctl mount "
			"-r LAYER /mnt'",
			Q(m->req->layer), owner);
	if (l->meta.kind == OVL_WRITABLE && !m->req->readonly)
		return err_status(m->err, OVL_USAGE,
			"layer %s belongs to %s and can only be mounted read-only, with -r",
			Q(m->req->layer), owner);
	rc = target_open(l, m->req->target, &m->target, m->err);
	l->empty = m->target.fd;
	return rc;
}

static int prepare(struct layer *l, struct mounting *m)
{
	int rc = l->foreign ? prepare_foreign(l, m) : 0;

	if (rc == 0)
		rc = mountspec_build(
			l, m->req->options, m->req->readonly, &m->spec, m->err);
	if (rc < 0 || l->foreign)
		return rc;
	if (m->req->how != OVL_MOUNT_FAKE)
		rc = store_dir_make(l->st, DIR_EMPTY, m->err);
	return rc < 0 ? rc : target_open(l, m->req->target, &m->target, m->err);
}

static int do_mount(struct layer *l, struct mounting *m, char **where)
{
	int rc = prepare(l, m);

	if (rc < 0)
		return rc;
	rc = mount_as_asked(m);
	if (rc < 0) {
		target_undo(&m->target);
		return rc;
	}
	*where = buf_steal(&m->target.path);
	return *where ? 0 : err_nomem(m->err);
}

struct request {
	struct ovl_store *st;
	const struct ovl_mount *req;
	char **where;
};

/* Holds no lock when it returns: for lock_all(). */
static int mount_once(void *ctx, struct ovl_err *err)
{
	const struct request *r = ctx;
	auto_layer l = LAYER_INIT;
	auto_inuse inuse = {0};
	auto_fd lock = -1;
	struct mounting m = {
		.l = &l, .req = r->req, .inuse = &inuse, .target.fd = -1, .err = err};
	int rc = layer_open(r->st, r->req->layer, LOCK_SH, &l, err);

	if (rc == 0)
		rc = privilege_check(r->st, err);
	if (rc == 0)
		rc = owners_check(r->st, err);
	if (rc == 0)
		rc = owner_check(r->st, err);
	if (rc < 0)
		return rc;
	l.floor = r->req->floor;
	m.tree = lock = l.foreign ? -1 : inuse_lock(&l, r->req->layer, err);
	if (lock < 0 && !l.foreign)
		return lock;
	rc = do_mount(&l, &m, r->where);
	target_close(&m.target);
	mountspec_release(&m.spec);
	if (rc == 0 && r->req->how != OVL_MOUNT_FAKE)
		used_now(&l);
	return rc;
}

int ovl_mount(struct ovl_store *st, const struct ovl_mount *req, char **where,
	struct ovl_err *err)
{
	struct request r = {st, req, where};

	return lock_all(st, mount_once, &r, err);
}
