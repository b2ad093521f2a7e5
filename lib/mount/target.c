/* SPDX-License-Identifier: ISC */
/* Opens and checks the directory that a layer is mounted on. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "mount/mounts.h"
#include "mount/target.h"
#include "store/driver.h"
#include "store/store.h"

static int open_own(struct target *t, struct ovl_err *err)
{
	const struct layer *l = t->l;

	t->fd = fs_open_dir(l->fd, l->drv->merged);
	if (t->fd < 0 && errno == ENOENT) {
		t->made = mkdirat(l->fd, l->drv->merged, 0700) == 0;
		if (!t->made)
			return err_sys(err, errno, "cannot make the mount point '%s'",
				l->drv->merged);
		t->fd = fs_open_dir(l->fd, l->drv->merged);
	}
	if (t->fd < 0)
		return err_sys(
			err, errno, "cannot open the mount point '%s'", l->drv->merged);
	return 0;
}

/* ---- not over the store ----------------------------------------------------------- */

static int refuse_store(const struct target *t, struct ovl_err *err)
{
	int st = t->l->st->fd;
	struct stat store;
	struct stat own;
	struct stat at;
	bool known = fstat(st, &store) == 0 && fstat(t->fd, &at) == 0;
	int above = known ? fs_is_within(st, &at) : -1;
	/* A directory on something mounted in the store is not part of the store. */
	int in = above == 0 && at.st_dev == store.st_dev ? fs_is_within(t->fd, &store) :
							   0;

	if (above < 0 || in < 0)
		return err_sys(err, errno, "mount point %s", Q(t->named));
	if (above)
		return err_say(err, EINVAL,
			"mount point %s: a mount there would hide the store %s",
			Q(t->named), Q(t->l->st->root));
	if (in && t->l->foreign)
		return err_say(err, EINVAL, "mount point %s is in the store %s",
			Q(t->named), Q(t->l->st->root));
	if (!in ||
		(fstatat(t->l->fd, t->l->drv->merged, &own, AT_SYMLINK_NOFOLLOW) == 0 &&
			fs_same(&at, &own)))
		return 0;
	return err_say(err, EINVAL,
		"mount point %s is in the store; without one the layer is mounted on its "
		"own '%s'",
		Q(t->named), t->l->drv->merged);
}

/* ---- opening ---------------------------------------------------------------------- */

int target_refuse_full(const struct target *t, struct ovl_err *err)
{
	auto_fsdir d = fs_dir_at(t->fd, ".");
	const char *name;
	int r = fs_dir_next(&d, &name, NULL);

	if (r < 0)
		return err_sys(err, errno, "mount point %s", Q(t->named));
	return !r ?
		0 :
		err_say(err, ENOTEMPTY,
			"mount point %s is not empty; a bottom layer needs an empty one",
			Q(t->named));
}

/* If the path is longer than the kernel reports, uses the known part of it. */
static int find_path(struct target *t, struct ovl_err *err)
{
	const struct layer *l = t->l;

	if (fs_path_of(t->fd, &t->path) == 0)
		return 0;
	if (errno != ENAMETOOLONG)
		return err_sys(err, errno, "cannot find the path of the mount point");
	buf_clear(&t->path);
	if (t->named)
		buf_adds(&t->path, t->named);
	else
		buf_addf(&t->path, "%s/%s/%s/%s", l->st->root, l->drv->name, l->id.s,
			l->drv->merged);
	return t->path.failed ? err_nomem(err) : 0;
}

static int open_named(struct target *t, struct ovl_err *err)
{
	t->fd = open(t->named, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0 && errno == ENOENT)
		return err_say(err, ENOENT,
			"mount point %s does not exist; --mkdir makes it", Q(t->named));
	if (t->fd < 0)
		return err_sys(err, errno, "mount point %s", Q(t->named));
	return refuse_store(t, err);
}

int target_open(
	const struct layer *l, const char *named, struct target *out, struct ovl_err *err)
{
	int rc;

	*out = (struct target){.l = l, .named = named, .fd = -1};
	rc = named ? open_named(out, err) : open_own(out, err);
	if (rc == 0)
		rc = find_path(out, err);
	if (rc < 0) {
		target_undo(out);
		target_close(out);
	}
	return rc;
}

int target_layer(const struct target *t, struct layer_ref *ref, struct ovl_err *err)
{
	auto_mounts m = {0};
	struct statx sx;
	int rc;

	if (statx(t->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0 ||
		!(sx.stx_mask & STATX_MNT_ID) ||
		!(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return 0;
	rc = mounts_read(t->l->st, &m, err);
	for (size_t i = 0; i < m.n && rc == 0; i++) {
		if ((uint64_t)m.mnt[i].mnt_id != sx.stx_mnt_id)
			continue;
		*ref = m.mnt[i].layer;
		rc = 1;
	}
	return rc;
}

/* Two layers mounted on the same directory hide each other, and are unmounted in a
 * confusing order. */
int target_refuse_taken(const struct target *t, struct ovl_err *err)
{
	struct layer_ref there;
	char label[OVL_LABEL_SIZE];
	int rc = target_layer(t, &there, err);

	if (rc <= 0)
		return rc;
	return err_status(err, OVL_BUSY,
		"mount point %s is taken: layer %s is mounted there", Q(t->path.data),
		layer_label(t->l->st, &there, label));
}

int target_dev(const struct target *t, dev_t *dev)
{
	struct stat st;
	int rc = t->named ?
		stat(t->named, &st) :
		fstatat(t->l->fd, t->l->drv->merged, &st, AT_SYMLINK_NOFOLLOW);

	if (rc == 0)
		*dev = st.st_dev;
	return rc;
}

void target_undo(struct target *t)
{
	int saved = errno;

	if (t->made && !driver_keeps_mount(t->l))
		unlinkat(t->l->fd, t->l->drv->merged, AT_REMOVEDIR);
	errno = saved;
}

void target_close(struct target *t)
{
	close_fdp(&t->fd);
	buf_release(&t->path);
}
