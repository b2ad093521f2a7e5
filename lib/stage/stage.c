/* SPDX-License-Identifier: ISC */
/* A new layer, before it appears; see stage.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/names.h"
#include "stage/stage.h"
#include "store/store.h"

/*
 * A staged tree must not inherit a set-group-id bit or a default ACL from the directory
 * that the store is in: they would be passed on to every file.
 */
static int prepare_dir(struct stage *sg)
{
	sg->spare = fcntl(sg->drv_fd, F_DUPFD_CLOEXEC, 0);
	if (sg->spare < 0 || fchmod(sg->fd, 0700) < 0)
		return -1;
	return fs_drop_acls(sg->fd, NULL);
}

/* Opens the directory that was just made: 1 if open and locked, 0 if prune has removed
 * it, -errno. */
static int take_made(struct stage *sg, int staging)
{
	int rc;

	sg->fd = fs_open_dir(staging, sg->name);
	if (sg->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Others hold the lock for a moment to see whether the directory is in use; prune
	 * holds it until the directory is removed. */
	while (flock(sg->fd, LOCK_EX) < 0) {
		if (errno != EINTR || store_stopped(sg->st))
			return -errno;
	}
	rc = fs_is(staging, sg->name, sg->fd);
	if (rc <= 0)
		return rc < 0 ? -errno : 0;
	return prepare_dir(sg) < 0 ? -errno : 1;
}

/* 1 if made and locked, 0 if prune has removed it, negative errno. */
static int try_begin(struct stage *sg, int staging, const struct ovl_id *as)
{
	struct ovl_id id;
	int rc;

	if (!as && id_random(&id) < 0)
		return -errno;
	memcpy(sg->name, as ? as->s : id.s, sizeof(sg->name));
	if (mkdirat(staging, sg->name, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	rc = take_made(sg, staging);
	if (rc > 0)
		return 1;
	/* It is still empty; if prune has locked it, prune removes it. */
	if (rc < 0)
		unlinkat(staging, sg->name, AT_REMOVEDIR);
	close_fdp(&sg->spare);
	close_fdp(&sg->fd);
	return rc;
}

int stage_begin(struct ovl_store *st, const struct driver *drv, const struct ovl_id *as,
	struct stage *out, struct ovl_err *err)
{
	struct stage sg = {.st = st, .drv = drv, .fd = -1, .spare = -1, .held = -1};
	int staging = store_dir_make(st, DIR_STAGING, err);
	int rc = 0;

	if (staging < 0)
		return staging;
	sg.home = staging;
	sg.drv_fd = store_driver_make(st, drv, err);
	if (sg.drv_fd < 0)
		return sg.drv_fd;
	for (int i = 0; i < 100 && rc == 0; i++)
		rc = try_begin(&sg, staging, as);
	if (rc <= 0) {
		stage_end(&sg);
		return err_sys(err, rc ? -rc : EEXIST, "cannot make a staging directory");
	}
	id_short_new(sg.link);
	*out = sg;
	return 0;
}

int stage_begin_at(struct ovl_store *st, const struct driver *drv, int dir,
	struct stage *out, struct ovl_err *err)
{
	struct stage sg = {.st = st,
		.drv = drv,
		.home = -1,
		.fd = dir,
		.spare = -1,
		.within = true,
		.held = -1};

	sg.drv_fd = store_driver_dir(st, drv, err);
	if (sg.drv_fd >= 0 && prepare_dir(&sg) == 0) {
		*out = sg;
		return 0;
	}
	stage_end(&sg);
	return err_sys(err, errno, "cannot make a staging directory");
}

int stage_begin_within(
	const struct stage *of, const char *name, struct stage *out, struct ovl_err *err)
{
	struct stage sg = *of;

	sg.home = of->fd;
	sg.within = true;
	sg.fd = sg.spare = sg.held = -1;
	snprintf(sg.name, sizeof(sg.name), "%s", name);
	if (mkdirat(sg.home, name, 0700) < 0)
		return err_sys(err, errno, "cannot make a staging directory");
	id_short_new(sg.link);
	*out = sg;
	return stage_resume(out, err);
}

void stage_suspend(struct stage *sg)
{
	close_fdp(&sg->fd);
}

int stage_resume(struct stage *sg, struct ovl_err *err)
{
	if (sg->fd < 0)
		sg->fd = fs_open_dir(sg->home, sg->name);
	return sg->fd < 0 ? err_sys(err, errno, "cannot open a staging directory") : 0;
}

int stage_sync_dirs(const struct driver *drv, int drv_fd, struct ovl_err *err)
{
	if (drv->links) {
		auto_fd links = fs_open_dir(drv_fd, drv->links);

		if (links < 0 || fsync(links) < 0)
			return err_sys(err, errno, "cannot sync '%s'", drv->links);
	}
	if (fsync(drv_fd) < 0)
		return err_sys(err, errno, "cannot sync the store");
	return 0;
}

int stage_begin_in(
	const struct layer *l, const char *what, struct stage *out, struct ovl_err *err)
{
	struct stage sg = {
		.st = l->st,
		.drv = l->drv,
		.drv_fd = l->drv_fd,
		.home = l->fd,
		.name = BECOMING_IMAGE,
		.fd = -1,
		.spare = -1,
		.held = -1,
	};

	if (fs_rmtree(l->fd, sg.name, NULL) == 0)
		sg.fd = fs_new_dir(l->fd, sg.name, 0700);
	if (sg.fd < 0 || prepare_dir(&sg) < 0) {
		int rc = err_sys(
			err, errno, "cannot make '%s' in layer %s", sg.name, Q(what));

		stage_end(&sg);
		unlinkat(l->fd, sg.name, AT_REMOVEDIR);
		return rc;
	}
	id_short_new(sg.link);
	*out = sg;
	return 0;
}

enum { UNSYNCED = 2 };

/* Name and short link are dangling for a moment, until the rename makes it a layer. 1 if
 * done, 0 if such a layer exists already. */
static int make_appear(struct stage *sg, const struct layer_ref *ref,
	const struct layer *parent, const char *name, bool durable, struct ovl_err *err)
{
	int rc = parent ? layer_add_child(parent, &ref->id, err) : 0;

	/* Another process has removed it since it was synced. */
	if (rc > 0 && durable)
		return UNSYNCED;
	if (rc >= 0 && name)
		rc = names_link(sg->st, name, ref, false, err);
	if (rc < 0)
		return rc;
	rc = driver_publish(sg->drv, sg->drv_fd, sg->link, &ref->id, err);
	if (rc == 0) {
		if (fs_rename(sg->home, sg->name, sg->drv_fd, ref->id.s,
			    RENAME_NOREPLACE) == 0)
			return 1;
		if (errno != EEXIST)
			rc = err_sys(
				err, errno, "cannot put layer %.12s in place", ref->id.s);
		driver_retract(sg->drv, sg->drv_fd, sg->link, &ref->id, NULL);
	}
	/* Unless another process has made the layer appear with this name. */
	if (rc < 0 && name && layer_exists(sg->st, ref, NULL) == 0)
		names_unlink(sg->st, name);
	return rc;
}

/*
 * The names are locked so that nobody treats the name of a layer that is about to appear
 * as a leftover; the store's lock does the same for short links.
 */
static int step_locked(struct stage *sg, const struct layer_ref *ref,
	const struct layer *parent, const char *name, bool durable, struct ovl_err *err)
{
	int rc = name ? names_lock(sg->st, err) : 0;

	if (rc < 0)
		return rc;
	if (sg->within && sg->hold)
		flock(sg->fd, LOCK_SH | LOCK_NB);
	rc = store_lock(sg->st, LOCK_SH, err);
	if (rc == 0) {
		rc = make_appear(sg, ref, parent, name, durable, err);
		store_unlock(sg->st);
	}
	if (name)
		names_unlock(sg->st);
	return rc;
}

int stage_appear(struct stage *sg, const struct ovl_id *id, const struct layer *parent,
	const char *name, bool durable, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = sg->drv, .id = *id};
	int rc;

	while ((rc = step_locked(sg, &ref, parent, name, durable, err)) == UNSYNCED) {
		rc = sg->no_sync ? -EAGAIN : layer_sync_children(parent, err);
		if (rc < 0)
			return rc;
	}
	sg->appeared = rc > 0;
	if (!sg->appeared)
		return rc;
	/* It is a layer now, which others may read. The lock is kept and becomes shared
	 * in one step; one that relied on the lock of another stage was locked before
	 * anybody could see it. */
	if (sg->hold && flock(sg->fd, LOCK_SH | LOCK_NB) == 0)
		sg->held = steal_fd(&sg->fd);
	close_fdp(&sg->fd);
	return rc;
}

int stage_hint(const struct ovl_id *id, const struct layer *parent, struct ovl_err *err)
{
	int rc = parent ? layer_add_child(parent, id, err) : 0;

	return rc < 0 ? rc : 0;
}

/* A layer that may not survive a power cut must not be reported as made. */
static int sync_appeared(struct stage *sg, const struct layer_ref *ref, const char *name,
	struct ovl_err *err)
{
	int rc = stage_sync_dirs(sg->drv, sg->drv_fd, err);

	if (rc == 0 && name)
		rc = names_sync(sg->st, err);
	if (rc < 0 && name)
		names_take(sg->st, name, ref, false, NULL);
	return rc;
}

int stage_commit(struct stage *sg, const struct ovl_id *id, const struct layer *parent,
	const char *name, bool durable, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = sg->drv, .id = *id};
	int rc = durable ? stage_hint(id, parent, err) : 0;

	if (rc == 0 && name)
		rc = names_note(sg->fd, name, NULL, err);
	if (rc == 0 && durable)
		rc = store_sync(sg->st, sg->fd, err);
	/* From here on it is not interrupted. */
	if (rc == 0 && store_stopped(sg->st))
		rc = err_stopped(err);
	if (rc == 0)
		rc = stage_appear(sg, id, parent, name, durable, err);
	if (rc > 0 && durable && sync_appeared(sg, &ref, name, err) < 0)
		rc = -EIO;
	if (rc < 0 && parent && !sg->appeared)
		layer_drop_child(sg->st, &ref, &parent->id, OVL_IMAGE);
	return rc;
}

void stage_leave(struct stage *sg)
{
	close_fdp(&sg->spare);
	close_fdp(&sg->fd);
	close_fdp(&sg->held);
}

void stage_end(struct stage *sg)
{
	int saved = errno;
	bool goes = sg->fd >= 0 && !sg->within;

	/* Keep it locked to the end, so that nobody treats it as a leftover; but there
	 * may be no other descriptors to remove it with. */
	close_fdp(&sg->spare);
	close_fdp(&sg->held);
	if (goes && fs_rmtree(sg->home, sg->name, NULL) == 0)
		goes = false;
	close_fdp(&sg->fd);
	if (goes)
		fs_rmtree(sg->home, sg->name, NULL);
	errno = saved;
}
