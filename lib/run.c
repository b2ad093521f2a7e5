/* SPDX-License-Identifier: ISC */
/*
 * ovl_run: runs a command in a writable layer, in namespaces of its own. On an image
 * layer, the writable layer is staged: in staging/ or, with in_memory, in a file system
 * that only this process and those inside can reach. If it is kept, it becomes an image
 * layer there and appears by one rename. A layer that is in memory or still mounted, or
 * whose tree cannot be that of an image layer (see commit.c), is made again from its tar.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "commit/commit.h"
#include "mount/explain.h"
#include "mount/mounts.h"
#include "mount/mountspec.h"
#include "mount/superblock.h"
#include "mount/upper.h"
#include "run/inside.h"
#include "run/over.h"
#include "run/spawn.h"
#include "run/userns.h"
#include "stage/stage.h"
#include "stage/used.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/names.h"
#include "store/ondir.h"
#include "store/stamp.h"
#include "store/store.h"
#include "umount.h"

#define FLOOR "floor" /* a directory in the stage, see inside.h */

struct running {
	struct ovl_store *st;
	const struct ovl_run *req;
	bool ordinary; /* an ordinary user, in a new user namespace */
	struct layer base; /* the image layer, open and locked; or not open */
	struct ondir on; /* the directory of the host that the new layer is on */
	int memory; /* the root of the file system in memory; -1: none */
	struct stage outer; /* a stage in that file system */
	struct stage stage; /* the new layer; without one, only the floor */
	struct layer l; /* the new layer, or the existing writable one, open */
	/* The mount in which the command runs; shared with the process that mounts it. */
	struct mnt *view;
	char floor[sizeof(MOUNT_STAGED) + ID_LEN + sizeof(FLOOR) + 1];
};

/* ---- before ----------------------------------------------------------------------- */

static const struct driver *drv_of(const struct running *r)
{
	return r->base.fd < 0 ? r->st->drv : r->base.drv;
}

/* True for a new layer, false for an existing one. */
static bool is_new(const struct running *r)
{
	return r->base.fd >= 0 || r->req->on;
}

static int begin_in_memory(struct running *r, struct ovl_err *err)
{
	struct ovl_id id;
	int dir;

	r->memory = superblock_private(r->req->memory);
	dir = r->memory < 0 ? -1 :
			      openat(r->memory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, errno, "cannot make a file system in memory");
	if (id_random(&id) < 0)
		return err_sys(err, errno, "cannot make an id");
	if (stage_begin_at(r->st, drv_of(r), dir, &r->outer, err) < 0)
		return -EIO;
	return stage_begin_within(&r->outer, id.s, &r->stage, err);
}

static int begin_stage(struct running *r, struct ovl_err *err)
{
	auto_fd floor = -1;
	int rc = r->req->in_memory ? begin_in_memory(r, err) :
				     stage_begin(r->st, drv_of(r), NULL, &r->stage, err);

	if (rc < 0 || r->on.path.len)
		return rc;
	snprintf(r->floor, sizeof(r->floor), MOUNT_STAGED "%s/" FLOOR, r->stage.name);
	floor = fs_new_dir(r->stage.fd, FLOOR, 0755);
	if (floor < 0)
		return err_sys(err, errno, "cannot make mount points");
	return inside_floor(r->req, floor, err);
}

static int fill_stage(struct running *r, struct ovl_err *err)
{
	const struct layer *base = r->base.fd < 0 ? NULL : &r->base;
	struct ondir *on = r->req->on ? &r->on : NULL;
	int rc = stage_fill_empty(&r->stage, base, on, meta_now(), err);

	if (rc < 0)
		return rc;
	r->l = (struct layer){
		.st = r->st,
		.drv = r->stage.drv,
		.drv_fd = r->stage.drv_fd,
		.fd = r->stage.fd,
		.staged = true,
		.floor = *r->floor ? r->floor : NULL,
	};
	memcpy(r->l.id.s, r->stage.name, sizeof(r->l.id.s));
	return meta_read(r->l.fd, &r->l.meta, err);
}

static int refuse_kept(const struct ovl_run *req, struct ovl_err *err)
{
	if (!req->keep && !req->name && !req->in_memory)
		return 0;
	return err_status(err, OVL_USAGE,
		"layer %s is writable: changes stay in it, so %s cannot be "
		"given",
		Q(req->layer),
		req->in_memory    ? "--tmpfs" :
			req->name ? "a name" :
				    "--keep");
}

/* Leaves r->base open if the layer is an image layer. */
static int open_base(struct running *r, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	int rc;

	if (r->req->on)
		return ondir_choose(r->st, r->req->on, &r->on, err);
	rc = layer_open(r->st, r->req->layer, LOCK_SH, &l, err);
	if (rc == 0 && l.meta.kind == OVL_WRITABLE)
		rc = refuse_kept(r->req, err);
	if (rc == 0 && l.meta.on_dir && r->req->n_binds)
		rc = err_status(err, OVL_USAGE,
			"layer %s is on a directory, where --bind cannot be used",
			Q(r->req->layer));
	if (rc == 0 && l.meta.on_dir)
		rc = ondir_open(&l, &r->on, err);
	if (rc < 0)
		return rc;
	if (l.meta.kind == OVL_WRITABLE) {
		/* It is taken again when the layer is mounted. */
		flock(l.fd, LOCK_UN);
		r->l = l;
		l.fd = -1;
		return 0;
	}
	rc = driver_check_depth(&l, OVL_WRITABLE, err);
	if (rc < 0)
		return rc;
	used_now(&l);
	r->base = l;
	l.fd = -1;
	return 0;
}

/* ---- inside ----------------------------------------------------------------------- */

/* Opens the directories again, because mount(2) only accepts those of this mount
 * namespace. */
static int move_in(struct running *r, struct ovl_err *err)
{
	int staging;
	int rc = store_reopen(r->st, err);

	if (rc < 0)
		return rc;
	if (r->memory < 0)
		return fs_reopen(r->stage.fd, r->stage.home, r->stage.name) < 0 ?
			err_sys(err, errno, "cannot open the new layer again") :
			0;
	staging = store_dir_make(r->st, DIR_STAGING, err);
	if (staging < 0)
		return staging;
	if (move_mount(r->memory, "", staging, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(err, errno, "cannot mount the file system in memory");
	return 0;
}

/* Used before the view is mounted there, and again to open the view. */
static int open_target(int dir, const char *path, struct ovl_err *err)
{
	int fd = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "cannot open the mount point") : fd;
}

/* The same, mounted. */
static int open_view(struct running *r, int dir, const char *path, struct ovl_err *err)
{
	int fd = open_target(dir, path, err);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		r->view->dev = st.st_dev;
	return fd;
}

/* If the store's file system cannot hold an upper, suggests --tmpfs. */
static int suggest_memory(const struct running *r, int rc, struct ovl_err *err)
{
	size_t n = strlen(err->text);

	if (fs_is_overlay(r->l.fd))
		snprintf(err->text + n, sizeof(err->text) - n,
			"; --tmpfs keeps the changes in memory");
	return rc;
}

/* The layer is lost in a crash anyway, so nothing is synced (volatile), unless it is to
 * become a layer without being copied. */
static int mount_staged(struct running *r, struct ovl_err *err)
{
	bool stays = r->req->on && (r->req->keep || r->req->name);
	const char *options = stays ? NULL : "volatile";
	const char *path = r->req->on ? r->on.path.data : r->l.drv->merged;
	auto_mountspec spec = {0};
	auto_free char *source = mounts_source(r->req->on ? &r->l : &r->base);
	auto_fd target = source ? open_target(r->l.fd, path, err) : err_nomem(err);
	int rc = target;

	if (rc >= 0)
		rc = mountspec_build(&r->l, options, false, &spec, err);
	if (rc == 0)
		rc = mountspec_check(&spec, &r->l, err);
	if (rc < 0)
		return rc;
	rc = mountspec_mount(&spec, &r->l, source, target);
	if (rc < 0) {
		rc = explain_mount(&r->l, r->req->on ? "new" : r->req->layer, &spec,
			r->req->on ? r->on.path.data : "/", -rc, err);
		return suggest_memory(r, rc, err);
	}
	return open_view(r, r->l.fd, path, err);
}

static int mount_writable(struct running *r, struct ovl_err *err)
{
	const struct ovl_mount req = {
		.layer = r->req->layer,
		.target = r->on.path.data,
		.floor = *r->floor ? r->floor : NULL,
	};
	auto_free char *where = NULL;
	int rc = ovl_mount(r->st, &req, &where, err);

	if (rc == 0)
		r->view->work = upper_before(r->l.drv_fd, r->l.drv, &r->l.id);
	return rc < 0 ? rc : open_view(r, AT_FDCWD, where, err);
}

static int mount_view(struct running *r, struct ovl_err *err)
{
	return is_new(r) ? mount_staged(r, err) : mount_writable(r, err);
}

static int enter_directory(struct running *r, struct ovl_err *err)
{
	const char *dir = r->on.path.data;
	auto_free char *cwd = getcwd(NULL, 0);
	auto_fd old = -1;
	auto_fd view = -1;

	if (!cwd)
		return err_sys(err, errno, "cannot find the working directory");
	old = open_target(AT_FDCWD, dir, err);
	if (old < 0)
		return old;
	view = mount_view(r, err);
	if (view < 0)
		return view == -EINVAL && r->ordinary ? over_explain(dir, view, err) :
							view;
	return over_enter(r->st, dir, old, cwd, err);
}

static int enter(void *ctx, struct ovl_err *err)
{
	struct running *r = ctx;
	auto_fd root = -1;
	/* A signal may have come before signals were blocked. */
	int rc = store_stopped(r->st) ? err_stopped(err) : inside_begin(err);

	if (rc < 0 && r->ordinary)
		return userns_explain(rc, err);
	if (rc == 0)
		rc = move_in(r, err);
	if (rc < 0)
		return rc;
	if (r->on.path.len)
		return enter_directory(r, err);
	root = mount_view(r, err);
	return root < 0 ? root : inside_enter(r->st, r->req, root, err);
}

/* ---- after ------------------------------------------------------------------------ */

/* Clears what the mount of a writable layer has left, like umount; the mount has ended
 * with its namespace. */
static void clear_mount(struct running *r)
{
	auto_inuse seen = {0};
	struct ovl_err why;

	r->view->layer = layer_ref_of(&r->l);
	if (r->view->dev)
		(void)umount_clear(r->st, r->view, &seen, &why);
}

/* A process that has entered the namespace from outside does not end with it and keeps
 * the mount. True if unknown. */
static bool is_still_mounted(const struct running *r)
{
	struct ovl_err why;

	return superblock_known(r->view->dev, 0) != SB_DEAD &&
		upper_ask_long(&r->l, &why) != 0;
}

/* On a directory, the writable layer itself is kept. An image layer must never change; if
 * the tree is still mounted, it gets a copy. */
static int keep(struct running *r, struct ovl_ran *ran, struct ovl_err *err)
{
	bool copy = r->req->in_memory || is_still_mounted(r);

	if (r->req->on) {
		if (!copy)
			upper_set_idle(&r->l, NULL);
		return commit_keep(&r->stage, NULL, r->req->name, ran, err);
	}
	if (fs_rmtree(r->stage.fd, FLOOR, NULL) < 0)
		return err_sys(err, errno, "cannot remove mount points");
	return commit_staged(&r->l, &r->stage, &r->base, copy, r->req->name, ran, err);
}

/* Over a directory, an ordinary user keeps their ids. */
static int enter_userns(struct running *r, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	bool over = r->req->on ||
		(layer_open(r->st, r->req->layer, LOCK_SH, &l, err) == 0 &&
			l.meta.on_dir);
	bool alone = false;
	int rc = userns_enter(!over, &alone, err);

	if (rc == 0 && alone && !over)
		store_detail(r->st,
			"only the user's own ids are mapped: no range in /etc/subuid and "
			"/etc/subgid, or newuidmap is not installed");
	return rc;
}

static int run(struct running *r, struct ovl_ran *ran, struct ovl_err *err)
{
	const struct ovl_run *req = r->req;
	const struct spawn s = {
		.enter = enter,
		.ctx = r,
		.argv = req->argv,
		.dir = req->dir,
		.umask = req->umask,
		.nofile = req->nofile,
	};
	int rc;

	r->ordinary = geteuid() != 0;
	rc = r->ordinary ? enter_userns(r, err) : 0;
	if (rc == 0)
		rc = privilege_check(r->st, err);
	if (rc == 0)
		rc = owners_check(r->st, err);
	if (rc == 0)
		rc = open_base(r, err);
	if (rc == 0 && req->name)
		rc = names_check(r->st, req->name, NULL, false, err);
	if (rc == 0)
		rc = begin_stage(r, err);
	if (rc == 0 && is_new(r))
		rc = fill_stage(r, err);
	if (rc == 0)
		rc = spawn_run(&s, &ran->status, err);
	if (!is_new(r) && r->l.fd >= 0)
		clear_mount(r);
	if (rc < 0 || ran->status != 0 || !(req->keep || req->name))
		return rc;
	return keep(r, ran, err);
}

int ovl_run(struct ovl_store *st, const struct ovl_run *req, struct ovl_ran *ran,
	struct ovl_err *err)
{
	struct running r = {
		.st = st,
		.req = req,
		.base = LAYER_INIT,
		.l = LAYER_INIT,
		.on = ONDIR_INIT,
		.memory = -1,
		.outer = STAGE_INIT,
		.stage = STAGE_INIT,
	};
	int rc;

	*ran = (struct ovl_ran){.status = SPAWN_FAILED};
	r.view = mmap(NULL, sizeof(*r.view), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r.view == MAP_FAILED)
		return err_nomem(err);
	rc = run(&r, ran, err);
	munmap(r.view, sizeof(*r.view));
	if (!is_new(&r))
		layer_close(&r.l);
	stage_end(&r.stage);
	stage_end(&r.outer);
	close_fdp(&r.memory);
	ondir_close(&r.on);
	layer_close(&r.base);
	return rc;
}
