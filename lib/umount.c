#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "layer.h"
#include "mounts.h"
#include "quote.h"
#include "store.h"
#include "volatile.h"

/* Is the mount the one its path leads to, or is there another one on top? */
static bool on_top(const struct mnt *m)
{
	struct statx sx;

	return statx(AT_FDCWD, m->where, AT_NO_AUTOMOUNT, STATX_MNT_ID, &sx) < 0 ||
		sx.stx_mnt_id == (uint64_t)m->mnt_id;
}

/* What a mount has left in its layer. The layer may be gone: then nothing is left. */
static int settle(struct ovl_store *st, const struct layer_ref *ref, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;

	if (layer_open_ref(st, ref, LOCK_SH, ref->id.s, &l, NULL) < 0)
		return 0;
	if (l.meta.kind == OVL_WRITABLE)
		return volatile_settle(&l, err);
	/* A bottom image layer has a mount point of its own only while it is mounted. */
	if (!l.meta.has_parent)
		unlinkat(l.fd, l.drv->merged, AT_REMOVEDIR);
	return 0;
}

static int umount_one(
	struct ovl_store *st, const struct mnt *m, bool lazy, struct ovl_err *err)
{
	if (!on_top(m))
		return err_status(err, OVL_BUSY,
			"%s is hidden under another mount: unmount that one first",
			Q(m->where));
	if (umount2(m->where, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0) {
		if (errno == EBUSY)
			return err_status(err, OVL_BUSY,
				"%s is in use: files are open in it; -l detaches it all the same",
				Q(m->where));
		return err_sys(err, errno, "cannot unmount %s", Q(m->where));
	}
	store_detail(st, "%s unmounted", Q(m->where));
	return settle(st, &m->layer, err);
}

/* Last mounted first. Goes on after a failure, whose text is kept. */
static int umount_if(struct ovl_store *st, const struct mounts *m,
	bool (*want)(const struct mnt *, const void *), const void *arg, bool lazy,
	size_t *done, struct ovl_err *err)
{
	int first = 0;

	for (size_t i = m->n; i-- > 0;) {
		int rc;

		if (!want(&m->mnt[i], arg))
			continue;
		rc = umount_one(st, &m->mnt[i], lazy, first ? NULL : err);
		if (rc < 0 && !first)
			first = rc;
		*done += rc == 0;
	}
	return first;
}

static bool any(const struct mnt *m, const void *arg)
{
	(void)m;
	(void)arg;
	return true;
}

static bool of_layer(const struct mnt *m, const void *arg)
{
	const struct layer_ref *ref = arg;

	return m->layer.drv == ref->drv && strcmp(m->layer.id.s, ref->id.s) == 0;
}

static bool by_mnt_id(const struct mnt *m, const void *arg)
{
	const uint64_t *id = arg;

	return (uint64_t)m->mnt_id == *id;
}

static int umount_path(struct ovl_store *st, const struct mounts *m, const char *path,
	bool lazy, struct ovl_err *err)
{
	struct statx sx;
	size_t done = 0;
	uint64_t id;
	int rc;

	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_MNT_ID, &sx) < 0)
		return err_sys(err, errno, "%s", Q(path));
	id = sx.stx_attributes & STATX_ATTR_MOUNT_ROOT ? sx.stx_mnt_id : 0;
	rc = umount_if(st, m, by_mnt_id, &id, lazy, &done, err);
	if (rc < 0 || done)
		return rc;
	return err_say(err, EINVAL, "%s is not a mount of this store", Q(path));
}

int ovl_umount(struct ovl_store *st, const char *what, bool lazy, struct ovl_err *err)
{
	auto_mounts m = {0};
	struct layer_ref ref;
	size_t done = 0;
	int rc = mounts_read(st, &m, err);

	if (rc < 0)
		return rc;
	if (*what == '/' || *what == '.')
		return umount_path(st, &m, what, lazy, err);
	rc = layer_find(st, what, &ref, err);
	if (rc < 0 && rc == -ENOENT && faccessat(AT_FDCWD, what, F_OK, 0) == 0)
		return umount_path(st, &m, what, lazy, err);
	if (rc < 0)
		return rc;
	rc = umount_if(st, &m, of_layer, &ref, lazy, &done, err);
	if (rc < 0 || done)
		return rc;
	return err_say(
		err, EINVAL, "layer %s is not mounted in this mount namespace", Q(what));
}

int ovl_umount_all(struct ovl_store *st, bool lazy, struct ovl_err *err)
{
	auto_mounts m = {0};
	size_t done = 0;
	int rc = mounts_read(st, &m, err);

	return rc < 0 ? rc : umount_if(st, &m, any, NULL, lazy, &done, err);
}
