/* SPDX-License-Identifier: ISC */
/* Writes what a commit needs before its step: what the layer becomes, where it goes, its
 * names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "commit/commit.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/names.h"
#include "store/store.h"

/* With --keep the writable layer keeps its name; else the image layer may get it. */
int commit_check_name(const struct commit *c, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(&c->l);
	struct layer_ref owner;
	int r;

	if (!c->req->name)
		return 0;
	r = names_lookup(c->st, c->req->name, &owner, err);
	if (r > 0 && layer_ref_same(&owner, &c->image))
		return 0;
	return r < 0 ?
		r :
		names_check(c->st, c->req->name, c->req->keep ? NULL : &self, false, err);
}

/* ---- files of the commit ---------------------------------------------------------- */

/* Adds what W becomes to its .layer. The old file is kept, so that undoing this needs no
 * writing. */
static int mark(struct commit *c, struct ovl_err *err)
{
	struct meta m = c->l.meta;

	if (linkat(c->l.fd, META_NAME, c->stage.fd, BECOMING_PREVIOUS, 0) < 0)
		return errno == EEXIST ?
			0 :
			err_sys(err, errno, "cannot keep '%s' of layer %.12s", META_NAME,
				c->l.id.s);
	m.becomes = c->image.id;
	m.was = c->l.id;
	return meta_replace(c->l.fd, &m, err);
}

void commit_unmark(struct commit *c)
{
	if (c->stage.fd >= 0)
		fs_rename(c->stage.fd, BECOMING_PREVIOUS, c->l.fd, META_NAME, 0);
}

/* Prepares what the finish moves to give the image layer its names, in staging/W. */
static int note_names(struct commit *c, const struct layer *image, struct ovl_err *err)
{
	const char *name = c->req->name;
	bool others = !c->req->keep && fs_exists(c->l.fd, NAMES_NOTES) != 0;
	struct layer_ref self = layer_ref_of(image);
	auto_fd names = -1;
	int rc = 0;

	if (!name && !others)
		return 0;
	if (mkdirat(c->went.fd, BECOMING_IMAGE_NAMES, 0700) == 0 &&
		fs_mkdir(image->fd, NAMES_NOTES, 0700) == 0)
		names = fs_open_dir(c->went.fd, BECOMING_IMAGE_NAMES);
	if (names < 0)
		return err_sys(err, errno, "cannot record the names of layer %.12s",
			image->id.s);
	if (others)
		rc = names_copy_notes(&c->l, names, &self, err);
	return rc == 0 && name ?
		names_prepare(names, name, c->config.len ? c->config_digest : NULL, &self,
			err) :
		rc;
}

/* Makes staging/W; with --keep that is a layer on top of the image layer. */
static int note_way(struct commit *c, const struct layer *image, struct ovl_err *err)
{
	struct stage *sg = &c->went;
	char to[ID_LEN + 64];
	int rc;

	stage_end(sg);
	unlinkat(c->l.fd, BECOMING_IMAGE_LAYER, 0); /* left by the previous commit */
	rc = becoming_forget(c->st, &c->l.id, err);
	if (rc == 0)
		rc = stage_begin(c->st, c->l.drv, &c->l.id, sg, err);
	if (rc == 0 && c->req->keep) {
		memcpy(sg->link, c->l.meta.link, sizeof(sg->link));
		rc = stage_fill_empty(sg, image, NULL, c->l.meta.created, err);
		if (rc == 0)
			rc = names_copy_notes(&c->l, sg->fd, NULL, err);
		if (rc == 0)
			rc = layer_add_child(image, &c->l.id, err);
	}
	if (rc >= 0)
		rc = note_names(c, image, err);
	snprintf(to, sizeof(to), "../../%s/%s", image->drv->name, image->id.s);
	if (rc >= 0 && symlinkat(to, sg->fd, BECOMING_IMAGE_LAYER) < 0)
		rc = err_sys(
			err, errno, "cannot record what layer %.12s becomes", c->l.id.s);
	return rc < 0 ? rc : 0;
}

/* ---- the name --------------------------------------------------------------------- */

/* True if the image layer, or the writable one whose names it gets, already has the
 * name. */
static int has_name(const struct commit *c, struct ovl_err *err)
{
	struct layer_ref owner;
	int rc = commit_check_name(c, err);

	return rc == 0 ? names_lookup(c->st, c->req->name, &owner, err) : rc;
}

/* Refuses the name if another running commit was first. */
static int check_rival(const struct commit *c, const char *file, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(&c->l);
	struct layer_ref rival;
	int r = names_promised(c->st, file, &rival);

	if (r <= 0 || layer_ref_same(&rival, &self))
		return r < 0 ?
			err_sys(err, -r, "cannot give the name %s", Q(c->req->name)) :
			0;
	return err_status(err, OVL_TAKEN,
		"the name %s is being given to another layer by a commit",
		Q(c->req->name));
}

/*
 * Under the lock of the names, before the sync: makes the name lead to W, which has no
 * note of it. The name therefore belongs to no layer until the step; then it belongs to
 * the image layer, by its note in staging/W.
 */
static int lead_to_self(struct commit *c, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(&c->l);
	char file[256];
	int rc = has_name(c, err);

	if (rc)
		return rc < 0 ? rc : 0;
	name_encode(c->req->name, file);
	rc = check_rival(c, file, err);
	if (rc < 0)
		return rc;
	unlinkat(c->l.fd, P(NAMES_NOTES "/%s", file), 0);
	c->promised = true;
	return names_link(c->st, c->req->name, &self, false, err);
}

static int promise_name(struct commit *c, struct ovl_err *err)
{
	int rc = c->req->name ? names_lock(c->st, err) : 0;

	if (rc < 0 || !c->req->name)
		return rc;
	rc = lead_to_self(c, err);
	names_unlock(c->st);
	return rc;
}

static bool leads_to_self(const struct commit *c)
{
	struct layer_ref self = layer_ref_of(&c->l);
	struct layer_ref leads;
	char file[256];

	name_encode(c->req->name, file);
	return names_read_link(store_dir(c->st, DIR_NAMES, NULL), file, &leads) > 0 &&
		layer_ref_same(&leads, &self);
}

/* Under the lock, at the step: -EAGAIN if the name has to be prepared again. */
int commit_check_promised(const struct commit *c, struct ovl_err *err)
{
	int rc = c->req->name ? has_name(c, err) : 1;

	return rc < 0 ? rc : rc || leads_to_self(c) ? 0 : -EAGAIN;
}

void commit_take_name(struct commit *c)
{
	struct ovl_err why;

	if (names_lock(c->st, NULL) < 0)
		return;
	if (c->promised && leads_to_self(c) && has_name(c, &why) == 0)
		names_unlink(c->st, c->req->name);
	/* If note_names() has made it. */
	unlinkat(c->l.fd, NAMES_NOTES, AT_REMOVEDIR);
	unlinkat(c->made.fd, NAMES_NOTES, AT_REMOVEDIR);
	names_unlock(c->st);
}

/* ---- all steps ------------------------------------------------------------------- */

/* The last part that may take long or be stopped. */
int commit_prepare(struct commit *c, const struct layer *image, struct ovl_err *err)
{
	int rc = mark(c, err);

	if (rc == 0)
		rc = note_way(c, image, err);
	if (rc == 0)
		rc = promise_name(c, err);
	/* Where the tree may go. */
	if (rc == 0)
		rc = store_dir_make(c->st, DIR_TRASH, err);
	if (rc >= 0)
		rc = store_sync(c->st, c->l.fd, err);
	return rc == 0 && store_stopped(c->st) ? err_stopped(err) : rc;
}
