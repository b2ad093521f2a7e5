/* SPDX-License-Identifier: ISC */
/*
 * The step of a commit: the image layer's files, and the rename that decides. If
 * something fails before that, it is undone; what cannot be undone is harmless.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "commit/commit.h"
#include "mount/mountnote.h"
#include "stage/grants.h"
#include "store/becoming_finish.h"
#include "store/config.h"
#include "store/driver.h"
#include "store/names.h"
#include "store/store.h"
#include "stage/used.h"
#include "tar/recipe.h"
#include "union/view.h"

bool commit_in_place(const struct driver *drv)
{
	return strcmp(drv->tree[OVL_IMAGE], drv->tree[OVL_WRITABLE]) != 0;
}

/* True if the tree of the image layer is made in staging/, because it cannot be in W. */
static bool is_apart(const struct commit *c)
{
	return c->c.unpack && !commit_in_place(c->l.drv);
}

/* The image layer before it exists: fd has all its files except .layer. */
static struct layer future(const struct commit *c, int fd)
{
	return (struct layer){
		.st = c->st,
		.drv = c->l.drv,
		.drv_fd = c->l.drv_fd,
		.fd = fd,
		.id = c->image.id,
		.meta = c->meta,
	};
}

/* ---- the image layer's files ------------------------------------------------------ */

/* The same as an import would write. */
static int write_meta(struct commit *c, struct ovl_err *err)
{
	const struct committed *found = &c->c;
	const struct driver *drv = c->l.drv;
	struct meta *m = &c->meta;

	m->kind = OVL_IMAGE;
	m->size = found->size;
	m->entries = found->entries;
	m->tar_size = found->tar_size;
	m->created = meta_now();
	driver_place(m, commit_parent(c), found->opaque);
	memcpy(m->link, c->stage.link, sizeof(m->link));
	memcpy(m->diff_id, found->diff_id, sizeof(m->diff_id));
	if (drv->link_file &&
		fs_write_new(c->stage.fd, drv->link_file, m->link, SHORT_LEN) < 0)
		return err_sys(err, errno, "cannot write '%s'", drv->link_file);
	return meta_write(c->stage.fd, m, err);
}

/* Moves a file that a writable layer ignores to its place in the image layer. */
static int place(
	struct commit *c, const char *from, int to, const char *name, struct ovl_err *err)
{
	if (fs_rmtree(to, name, NULL) == 0 &&
		fs_rename(c->stage.fd, from, to, name, RENAME_NOREPLACE) == 0)
		return 0;
	return err_sys(err, errno, "cannot put '%s' into layer %.12s", name, c->l.id.s);
}

static int put_new(struct commit *c, struct ovl_err *err)
{
	const char *tree = c->l.drv->tree[OVL_IMAGE];
	int rc = place(c, COMMIT_NEW "/" RECIPE_NAME, c->l.fd, RECIPE_NAME, err);

	if (rc == 0)
		rc = place(c, P(COMMIT_NEW "/%s", tree), c->l.fd, tree, err);
	if (rc == 0)
		rc = place(c, COMMIT_NEW "/" META_NAME, c->stage.fd, META_NAME, err);
	if (rc == 0 && unlinkat(c->stage.fd, COMMIT_NEW, AT_REMOVEDIR) < 0)
		rc = err_sys(err, errno, "cannot remove '" COMMIT_NEW "' of layer %.12s",
			c->l.id.s);
	return rc;
}

static int empty_dir(struct commit *c, const char *name, struct ovl_err *err)
{
	auto_fsdir d = fs_dir_at(c->l.fd, name);
	const char *entry;
	int r = 0;

	while (r >= 0 && (r = fs_dir_next(&d, &entry, NULL)) > 0)
		r = fs_rmtree(d.fd, entry, NULL);
	return r < 0 ?
		err_sys(err, errno, "cannot empty '%s' of layer %.12s", name, c->l.id.s) :
		0;
}

static int complete_new(struct commit *c, struct ovl_err *err)
{
	auto_view below = {.xp = &c->st->xattrs};
	int rc = c->has_parent ? layer_view(&c->parent, true, &below, err) : 0;

	if (rc == 0)
		rc = ingest_complete(&c->in, commit_parent(c), &below, &c->meta, err);
	return rc == 0 && !is_apart(c) ? put_new(c, err) : rc;
}

static int complete_own(struct commit *c, struct ovl_err *err)
{
	int rc = commit_clean(&c->l, c->stage.fd, &c->c, err);

	if (rc == 0)
		rc = write_meta(c, err);
	return rc == 0 ? place(c, RECIPE_NAME, c->l.fd, RECIPE_NAME, err) : rc;
}

/* A config left by an earlier commit belongs to another image. */
static int put_config(struct commit *c, int layer, struct ovl_err *err)
{
	const struct buf *config = &c->config;
	const char *path = P(CONFIGS "/%s", c->config_digest);

	if (fs_rmtree(layer, CONFIGS, NULL) == 0 &&
		(!config->len ||
			(mkdirat(layer, CONFIGS, 0700) == 0 &&
				fs_write_new(layer, path, config->data, config->len) ==
					0)))
		return 0;
	return err_sys(
		err, errno, "cannot write '" CONFIGS "' of layer %.12s", c->l.id.s);
}

static void drop_notes(const struct layer *l)
{
	auto_mountnotes notes = {0};

	if (mountnotes_read(l, &notes) == 0) {
		mountnotes_end(&notes);
		mountnotes_clear(l, &notes);
	}
}

static int complete_image(struct commit *c, struct ovl_err *err)
{
	int rc;

	if (c->complete)
		return 0;
	rc = c->c.unpack ? complete_new(c, err) : complete_own(c, err);
	/* Nothing is mounted, so the leftovers of mounts are not needed. */
	if (rc == 0 && !c->c.unpack)
		rc = empty_dir(c, c->l.drv->work, err);
	if (rc == 0 && !is_apart(c))
		drop_notes(&c->l);
	if (rc == 0)
		rc = put_config(c, is_apart(c) ? c->in.stage.fd : c->l.fd, err);
	c->complete = rc == 0;
	return rc;
}

/* ---- the step --------------------------------------------------------------------- */

/* 1 if the short link leads to the image layer, 0 if not, negative errno. */
static int is_linked(const struct commit *c, struct ovl_err *err)
{
	const struct driver *drv = c->l.drv;
	struct ovl_id leads;
	int rc = drv->links ? driver_by_link(drv, c->l.drv_fd, c->meta.link, &leads) : 1;

	if (rc < 0 && rc != -EUCLEAN)
		return err_sys(err, -rc, "cannot read link '%s'", c->meta.link);
	return rc > 0 && (!drv->links || strcmp(leads.s, c->image.id.s) == 0);
}

static int add_short_link(struct commit *c, struct ovl_err *err)
{
	const struct driver *drv = c->l.drv;
	auto_fd dir = -1;
	int rc = is_linked(c, err);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = driver_publish(drv, c->stage.drv_fd, c->stage.link, &c->image.id, err);
	if (rc < 0 || !store_durable(c->st))
		return rc;
	dir = fs_open_dir(c->l.drv_fd, drv->links);
	return dir < 0 || fsync(dir) < 0 ?
		err_sys(err, errno, "cannot sync '%s'", drv->links) :
		0;
}

/* Creates hint and short link before the names are locked. Prune may remove them again
 * until then. */
static int announce(struct commit *c, struct ovl_err *err)
{
	const struct layer *parent = commit_parent(c);
	int rc = store_lock(c->st, LOCK_SH, err);

	if (rc < 0)
		return rc;
	rc = parent ? layer_add_child(parent, &c->image.id, err) : 0;
	if (rc > 0 && store_durable(c->st))
		rc = layer_sync_children(parent, err);
	if (rc >= 0)
		rc = add_short_link(c, err);
	store_unlock(c->st);
	return rc;
}

/* Renames W to I: 1; 0 if there is such a layer; -ESTALE: hint or link must be made
 * again; -EAGAIN. */
static int rename_layer(struct commit *c, struct ovl_err *err)
{
	const struct layer *parent = commit_parent(c);
	struct layer *l = &c->l;
	int rc = parent ? layer_has_hint(parent, &c->image.id, err) : 1;

	if (rc > 0)
		rc = is_linked(c, err);
	if (rc <= 0)
		return rc < 0 ? rc : -ESTALE;
	rc = commit_check_promised(c, err);
	if (rc == 0 &&
		fs_rename(l->drv_fd, l->id.s, l->drv_fd, c->image.id.s,
			RENAME_NOREPLACE) == 0)
		return 1;
	if (rc == 0 && errno != EEXIST)
		rc = err_sys(
			err, errno, "cannot put layer %.12s in place", c->image.id.s);
	driver_retract(l->drv, l->drv_fd, c->meta.link, &c->image.id, NULL);
	return rc;
}

static int rename_locked(struct commit *c, struct ovl_err *err)
{
	int rc = names_lock(c->st, err);

	if (rc < 0)
		return rc;
	rc = store_lock(c->st, LOCK_SH, err);
	if (rc == 0) {
		rc = rename_layer(c, err);
		store_unlock(c->st);
	}
	names_unlock(c->st);
	return rc;
}

static int become(struct commit *c, struct ovl_err *err)
{
	struct layer image;
	int rc = complete_image(c, err);

	if (rc < 0)
		return rc;
	image = future(c, c->l.fd);
	if (c->has_parent && store_durable(c->st))
		rc = layer_add_child(&c->parent, &c->image.id, err);
	if (rc >= 0)
		rc = commit_prepare(c, &image, err);
	while (rc == 0 || rc == -ESTALE) {
		rc = announce(c, err);
		if (rc == 0)
			rc = rename_locked(c, err);
		if (rc == 0)
			return -EAGAIN;
	}
	if (rc > 0) {
		c->made = image;
		c->l.fd = -1;
		c->made.meta.was = c->l.id;
	}
	return rc;
}

/* ---- an image layer in another directory ------------------------------------------ */

/* Moves W to the trash, and makes its names lead to the image layer. */
static int leave(struct commit *c, const struct layer *image, struct trashed *old,
	struct ovl_err *err)
{
	const struct layer *parent = commit_parent(c);
	int rc = commit_check_promised(c, err);

	if (rc == 0 && image->fd == c->in.stage.fd) {
		c->in.stage.hold = true;
		c->in.stage.no_sync = true;
		rc = stage_appear(&c->in.stage, &image->id, parent, NULL,
			store_durable(c->st), err);
		rc = rc > 0 ? 0 : rc < 0 ? rc : -EAGAIN;
	}
	return rc == 0 ? trash_take(&c->l, c->req->layer, old, err) : rc;
}

static int step_aside(struct commit *c, const struct layer *image, struct trashed *old,
	struct ovl_err *err)
{
	int rc = commit_prepare(c, image, err);

	if (rc == 0)
		rc = names_lock(c->st, err);
	if (rc < 0)
		return rc;
	rc = leave(c, image, old, err);
	names_unlock(c->st);
	return rc;
}

/* Gives the config to a layer that existed before. */
static int give_config(struct commit *c, struct ovl_err *err)
{
	struct grants g = {.st = c->st, .dir = c->stage.fd};
	int rc = 0;

	if (c->config.len)
		rc = grants_config(&g, &c->made, c->config_digest, &c->config, err);
	if (rc == 0 && g.n)
		rc = store_sync(c->st, c->stage.fd, err);
	if (rc == 0 && g.n)
		rc = grants_give(&g, err);
	grants_release(&g);
	return rc;
}

static int join(struct commit *c, struct trashed *old, struct ovl_err *err)
{
	int rc = layer_open_ref(c->st, &c->image, LOCK_SH, c->image.id.s, &c->made, err);

	if (rc < 0)
		return err->status == OVL_NOLAYER ? -EAGAIN : rc;
	used_now(&c->made);
	rc = give_config(c, err);
	if (rc == 0)
		rc = step_aside(c, &c->made, old, err);
	return rc < 0 ? rc : 0;
}

static int step_into_other(struct commit *c, struct trashed *old, struct ovl_err *err)
{
	struct layer image;
	int rc = complete_image(c, err);

	if (rc < 0)
		return rc;
	image = future(c, c->in.stage.fd);
	/* leave() needs the hint, synced. */
	if (c->has_parent)
		rc = layer_add_child(&c->parent, &c->image.id, err);
	if (rc >= 0)
		rc = step_aside(c, &image, old, err);
	if (rc < 0)
		return rc;
	c->made = image;
	c->made.fd = steal_fd(&c->in.stage.held);
	return 1;
}

/* ---- all steps -------------------------------------------------------------------- */

static void undo_step(struct commit *c)
{
	if (c->l.fd < 0)
		return;
	commit_take_name(c);
	stage_end(&c->went);
	commit_unmark(c);
	if (c->meta.link[0] && !is_apart(c))
		driver_retract(c->l.drv, c->l.drv_fd, c->meta.link, &c->image.id, NULL);
	unlinkat(c->l.fd, RECIPE_NAME, 0);
	fs_rmtree(c->l.fd, CONFIGS, NULL);
	if (commit_in_place(c->l.drv))
		fs_rmtree(c->l.fd, c->l.drv->tree[OVL_IMAGE], NULL);
	layer_drop_hint(c->l.fd, &c->l.id);
	if (c->made.fd >= 0)
		layer_drop_hint(c->made.fd, &c->l.id);
	layer_drop_child(c->st, &c->image, &c->parent.id, OVL_IMAGE);
}

int commit_step(struct commit *c, struct trashed *old, struct ovl_err *err)
{
	int rc = -EAGAIN;

	/* Other processes may make or remove the same layer meanwhile. */
	for (int i = 0; i < 100 && rc == -EAGAIN; i++) {
		int there = layer_exists(c->st, &c->image, err);

		layer_close(&c->made);
		if (there)
			rc = there < 0 ? there : join(c, old, err);
		else
			rc = is_apart(c) ? step_into_other(c, old, err) : become(c, err);
	}
	if (rc < 0) {
		undo_step(c);
		return rc == -EAGAIN ?
			err_say(err, EEXIST,
				"layer %.12s keeps appearing and disappearing: run the command "
				"again",
				c->image.id.s) :
			rc;
	}
	stage_leave(&c->stage);
	return rc;
}

int commit_complete(struct commit *c, struct ovl_err *err)
{
	struct layer image;
	int rc = complete_image(c, err);

	if (rc < 0)
		return rc;
	image = future(c, c->l.fd);
	return becoming_settle(&image, err);
}
