#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "explain.h"
#include "fs.h"
#include "layer.h"
#include "lock.h"
#include "marks.h"
#include "mounts.h"
#include "mountspec.h"
#include "quote.h"
#include "redirects.h"
#include "rest.h"
#include "store.h"
#include "umount.h"
#include "volatile.h"

/* ---- may it be mounted? ----------------------------------------------------------- */

/* OVL_BUSY, and where, for a layer that is the upper of a live mount. */
static int refuse_busy(const struct layer *l, const char *what, struct ovl_err *err)
{
	struct layer_ref ref = layer_ref_of(l);
	auto_buf where = {0};
	auto_mi all = {0};

	if (mounts_everywhere(&all, NULL) == 0 && mounts_find(l->st, &all, &ref, &where))
		return err_status(err, OVL_BUSY, "layer %s is mounted already on %s",
			Q(what), where.data);
	return err_status(err, OVL_BUSY,
		"layer %s is mounted already, in a mount namespace that cannot be seen from here "
		"or detached and still in use",
		Q(what));
}

/*
 * An upper must have xattrs and tell types of files in directory listings: without, the
 * kernel mounts it all the same and says so in its log only.
 */
static int check_upper(const struct layer *l, int upper, struct ovl_err *err)
{
	auto_fsdir d = {.fd = -1};
	const char *prefix = xattr_live_prefix(&l->st->xattrs);
	char attr[64];
	unsigned char type;
	const char *name;

	snprintf(attr, sizeof(attr), "%sopaque", prefix);
	if (fs_getxattr(upper, NULL, attr, NULL, 0) < 0 && errno == EOPNOTSUPP)
		return err_say(err, EOPNOTSUPP,
			"the store's file system has no extended attributes (%s*), which an upper "
			"layer needs",
			prefix);
	if (fs_dir_open(&d, l->fd, ".") < 0 || fs_dir_next(&d, &name, &type) < 0)
		return err_sys(err, errno, "cannot read layer %.12s", l->id.s);
	if (type == 0)
		return err_say(err, EOPNOTSUPP,
			"the store's file system does not tell types of files (d_type), which an "
			"upper layer needs");
	return 0;
}

static int check_writable(const struct layer *l, const struct ovl_mount *req,
	const struct mountspec *spec, const char *where, struct ovl_err *err)
{
	auto_fd upper = layer_tree(l, err);
	int rc;

	if (upper < 0)
		return upper;
	rc = mounts_upper_busy(l, err);
	if (rc > 0)
		return refuse_busy(l, req->layer, err);
	if (rc == -EPERM)
		return explain_mount(l, spec, where, EPERM, err);
	if (rc == 0)
		rc = check_upper(l, upper, err);
	return rc < 0 ? rc : volatile_check(l, req->layer, req->force, err);
}

/* ---- where ------------------------------------------------------------------------ */

/* The layer's own merged/, which some have only while they are mounted. */
static int own_target(const struct layer *l, struct ovl_err *err)
{
	int fd;

	if (fs_mkdir(l->fd, l->drv->merged, 0700) < 0)
		return err_sys(
			err, errno, "cannot make the mount point '%s'", l->drv->merged);
	fd = fs_open_dir(l->fd, l->drv->merged);
	if (fd < 0)
		return err_sys(
			err, errno, "cannot open the mount point '%s'", l->drv->merged);
	return fd;
}

static int open_target(const struct layer *l, const char *target, struct ovl_err *err)
{
	int fd;

	if (!target)
		return own_target(l, err);
	fd = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "mount point %s", Q(target));
	return fd;
}

/* For a path that is longer than the kernel tells, what is known of it. */
static int path_of_target(const struct layer *l, const char *target, int fd,
	struct buf *out, struct ovl_err *err)
{
	if (fs_path_of(fd, out) == 0)
		return 0;
	if (errno != ENAMETOOLONG)
		return err_sys(err, errno, "cannot find the path of the mount point");
	buf_clear(out);
	if (target)
		buf_adds(out, target);
	else
		buf_addf(out, "%s/%s/%s/%s", l->st->root, l->drv->name, l->id.s,
			l->drv->merged);
	return out->failed ? err_nomem(err) : 0;
}

/* One mount of ours on top of another hides it and comes off in surprising order. */
static int refuse_taken(struct ovl_store *st, int target, struct ovl_err *err)
{
	auto_mounts m = {0};
	struct statx sx;
	int rc;

	if (statx(target, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 ||
		!(sx.stx_mask & STATX_MNT_ID) ||
		!(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return 0;
	rc = mounts_read(st, &m, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < m.n; i++) {
		char label[OVL_LABEL_SIZE];

		if ((uint64_t)m.mnt[i].mnt_id == sx.stx_mnt_id)
			return err_status(err, OVL_BUSY,
				"mount point %s is taken: layer %s is mounted there",
				Q(m.mnt[i].where),
				layer_label(st, &m.mnt[i].layer, label));
	}
	return 0;
}

/* ---- mounting --------------------------------------------------------------------- */

/* With the driver's directory as the working directory: names in the data are from it. */
static int mount_from(const struct layer *l, const char *source, int target,
	const struct mountspec *spec)
{
	auto_fd cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[48];
	int rc;

	if (fchdir(l->drv_fd) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	rc = mount(source, path, "overlay", spec->flags, spec->data.data) < 0 ? -errno :
										0;
	/* The one we came from may be gone or closed to us; that is no failed mount. */
	if (cwd < 0 || fchdir(cwd) < 0)
		return rc;
	return rc;
}

/*
 * Where the kernel cannot make its directory in the work directory it mounts all the same,
 * read-only and with a line in its log alone. That is not what was asked for; and by that
 * directory one sees that the layer is mounted, see rest.h.
 */
static int check_work(const struct layer *l, const char *where, struct ovl_err *err)
{
	auto_fd work = -1;
	int why = EROFS;

	if (!rest_known(l))
		return 0;
	umount_detach(where);
	work = fs_open_dir(l->fd, l->drv->work);
	if (work < 0 || mkdirat(work, "work", 0) < 0)
		why = errno;
	else
		unlinkat(work, "work", AT_REMOVEDIR);
	return err_sys(err, why,
		"cannot mount layer %.12s: the kernel could not make its work directory",
		l->id.s);
}

/* What the mount may leave in the upper is remembered before it can. */
static int mount_noted(const struct layer *l, const char *source, int target,
	const struct mountspec *spec, const char *where, struct ovl_err *err)
{
	unsigned added = 0;
	int rc = spec->leaves ? redirects_note(l, spec->leaves, &added, err) : 0;

	if (rc == 0) {
		rc = mount_from(l, source, target, spec);
		store_detail(l->st, "options %s", spec->data.data);
		if (rc < 0)
			rc = explain_mount(l, spec, where, -rc, err);
		else if (spec->with_upper)
			rc = check_work(l, where, err);
	}
	if (rc < 0)
		redirects_forget(l, added);
	return rc;
}

static int do_mount(const struct layer *l, const struct ovl_mount *req, char **where,
	struct ovl_err *err)
{
	auto_mountspec spec = {0};
	auto_free char *source = mounts_source(l);
	auto_fd target = -1;
	auto_buf path = {0};
	int rc = source ? mountspec_build(l, req->options, req->readonly, &spec, err) :
			  err_nomem(err);

	if (rc == 0)
		rc = store_dir_make(l->st, DIR_EMPTY, err);
	if (rc < 0)
		return rc;
	target = open_target(l, req->target, err);
	if (target < 0)
		return target;
	rc = path_of_target(l, req->target, target, &path, err);
	if (rc == 0 && spec.with_upper)
		rc = check_writable(l, req, &spec, path.data, err);
	if (rc == 0)
		rc = refuse_taken(l->st, target, err);
	if (rc == 0)
		rc = mount_noted(l, source, target, &spec, path.data, err);
	if (rc < 0)
		return rc;
	*where = buf_steal(&path);
	return *where ? 0 : err_nomem(err);
}

/* Mounts of one upper come one after the other, from asking to being mounted. */
static int lock_work(const struct layer *l, const char *what, struct ovl_err *err)
{
	char subject[QUOTE_SIZE + 16];
	auto_fd work = fs_open_dir(l->fd, l->drv->work);
	int rc;

	if (work < 0)
		return err_sys(err, errno, "cannot open the work directory of layer %s",
			Q(what));
	snprintf(subject, sizeof(subject), "layer %s", Q(what));
	rc = lock_take(l->st, work, LOCK_EX, subject, err);
	return rc < 0 ? rc : steal_fd(&work);
}

int ovl_mount(struct ovl_store *st, const struct ovl_mount *req, char **where,
	struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	auto_fd work = -1;
	int rc = layer_open(st, req->layer, LOCK_SH, &l, err);

	if (rc == 0)
		rc = marks_check(st, err);
	if (rc == 0 && l.meta.kind == OVL_WRITABLE) {
		work = lock_work(&l, req->layer, err);
		if (work < 0)
			return work;
	}
	if (rc == 0)
		rc = do_mount(&l, req, where, err);
	return rc;
}
