/* SPDX-License-Identifier: ISC */
/*
 * ovl_commit: turns a writable layer into an image layer. A commit has either happened or
 * not: one rename decides. With writable layer W locked exclusively, it becomes image
 * layer I in these steps:
 *
 *	1  the tree is packed, which gives the diff id, the recipe and I
 *	2  the files that I needs are put into W: .recipe; .configs if the config changes;
 *	   and .image with files that will replace those of W, and a list of xattrs and
 *	   whiteouts to remove. W's .layer records what W becomes
 *	3  staging/W is made, which says where W went, with notes of the names and links
 *	   for them; with --keep it is an empty layer
 *	4  a hint is added to the parent; the name, if it is free, is made to lead to W;
 *	   everything is synced; the short link of I is made and synced
 *	5  under the lock of the names, it is checked that all of this is still in place
 *	6  W is renamed to I		<- this is the commit
 *	7  names are moved, the tree is cleaned, and the prepared files are moved to their
 *	   places (becoming_finish.c)
 *
 * Before step 6 the layer is W, and the files that were added are ignored; after it, the
 * layer is I. Step 7 only renames and removes, so it needs no space, and can be done by
 * any later command.
 *
 * If I exists already, W is moved to the trash in step 6. With the driver overlay, where
 * the trees of W and I have different names, the tree of I is unpacked into W from W's
 * tar. With overlay2 the names are the same. If the tree cannot stay as it is (xattrs
 * that only a mount can follow; $SOURCE_DATE_EPOCH), or if cleaning it would lose
 * something should the commit fail (sockets; hard links that index=on keeps together), I
 * is made in staging/ and renamed to its place just before W is moved to the trash. A
 * kill between the two leaves W, and I without a name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/quote.h"
#include "commit/commit.h"
#include "image/commit_config.h"
#include "image/config_change.h"
#include "mount/inuse.h"
#include "mount/volatile.h"
#include "store/config.h"
#include "store/driver.h"
#include "store/becoming_finish.h"
#include "store/lock.h"
#include "store/names.h"
#include "store/ondir.h"
#include "store/store.h"
#include "store/trash.h"

/* ---- checks ----------------------------------------------------------------------- */

/* Holds no lock when it fails: for lock_all(). */
static int open_unused(void *ctx, struct ovl_err *err)
{
	struct commit *c = ctx;
	const char *what = c->req->layer;
	auto_layer l = LAYER_INIT;
	auto_inuse inuse = {0};
	int rc = layer_open(c->st, what, LOCK_EX, &l, err);

	if (rc < 0)
		return rc;
	if (l.meta.kind != OVL_WRITABLE)
		return err_say(
			err, EINVAL, "layer %s is already an image layer", Q(what));
	rc = ondir_refuse(&l, what, err);
	if (rc == 0)
		rc = inuse_refuse(&inuse, &l, what, INUSE_TAKE, err);
	if (rc < 0)
		return rc;
	c->l = l;
	l.fd = -1;
	return volatile_check(&c->l, what, false, err);
}

static int open_parent(struct commit *c, struct ovl_err *err)
{
	int rc;

	if (!c->l.meta.has_parent)
		return 0;
	rc = layer_open_parent(&c->l, LOCK_SH, &c->parent, err);
	if (rc < 0)
		return err_prefix(err, rc, "the parent of layer %s", Q(c->req->layer));
	c->has_parent = true;
	return driver_check_depth(&c->parent, OVL_IMAGE, err);
}

/* ---- the result ------------------------------------------------------------------- */

static int unpack(struct commit *c, struct ovl_err *err)
{
	const struct stage *within = commit_in_place(c->l.drv) ? &c->stage : NULL;
	int rc = commit_unpack(&c->l, within, &c->in, &c->c.lost, err);

	memcpy(c->c.diff_id, c->in.diff_id, sizeof(c->c.diff_id));
	c->c.entries = c->in.unpack.entries;
	c->c.size = c->in.unpack.bytes;
	return rc;
}

/* True if a layer with that id exists and has configs of its own, to which the new config
 * does not belong. */
static int is_of_images(const struct commit *c, struct ovl_err *err)
{
	auto_layer l = LAYER_INIT;
	auto_buf list = {0};
	int rc = layer_exists(c->st, &c->image, err);

	if (rc <= 0)
		return rc;
	rc = layer_open_ref(c->st, &c->image, LOCK_SH, c->image.id.s, &l, err);
	if (rc < 0)
		return err->status == OVL_NOLAYER ? 0 : rc;
	rc = config_list(&l, &list, err);
	return rc < 0 ? rc : list.len > 0;
}

static int prepare_image(struct commit *c, struct ovl_err *err)
{
	int rc = commit_pack(c, err);

	if (rc == 0 && c->c.unpack)
		rc = unpack(c, err);
	if (rc < 0)
		return rc;
	c->image = layer_ref_of(&c->l);
	c->image.id.s[0] = '\0';
	rc = digest_chain(
		c->has_parent ? c->parent.id.s : NULL, c->c.diff_id, &c->image.id, err);
	if (rc == 0)
		rc = commit_check_name(c, err);
	if (rc == 0)
		rc = commit_has_config(c->req) ? 1 : is_of_images(c, err);
	return rc > 0 ? image_commit_config(commit_parent(c), c->c.diff_id, c->req,
				&c->config, c->config_digest, err) :
			rc;
}

/* ---- after the step --------------------------------------------------------------- */

/* The writable layer no longer exists or has been replaced by an empty one: removes what
 * is left of the old one. */
static int drop_old(struct commit *c, struct trashed *old, struct ovl_err *err)
{
	const struct layer *l = &c->l;
	struct layer_ref ref = layer_ref_of(l);
	int rc = 0;

	layer_drop_child(c->st, &ref, &l->meta.parent, OVL_WRITABLE);
	if (!c->req->keep)
		rc = driver_retract(l->drv, l->drv_fd, l->meta.link, &l->id, err);
	return rc == 0 && old->fd >= 0 ? trash_empty(old, err) : rc;
}

/* Whatever fails from here on, the layer is committed. */
static int finish_made(struct commit *c, struct trashed *old, struct ovl_err *err)
{
	struct ovl_err why;
	int rc = becoming_sync(&c->made, &why);

	if (rc < 0)
		return err_say(err, -rc,
			"layer %s is committed as %s, but may not survive a power cut: %s",
			Q(c->req->layer), c->image.id.s, why.text);
	rc = becoming_finish(&c->made, &c->l.id, true, old, &why);
	if (rc == 0)
		rc = drop_old(c, old, &why);
	if (rc < 0)
		store_warn(c->st,
			"layer %s is committed, but finishing it failed; the next command will do that: %s",
			Q(c->req->layer), why.text);
	return 0;
}

static void note_result(const struct commit *c, bool made)
{
	pack_warn(c->st, &c->c.lost);
	store_detail(c->st,
		"diff id sha256:%s, %" PRIu64 " entries, %" PRIu64 " bytes of files%s%s",
		c->c.diff_id, c->c.entries, c->c.size, c->c.unpack ? "; unpacked" : "",
		made ? "" : "; already in the store");
}

/* ---- all steps -------------------------------------------------------------------- */

static int commit(struct commit *c, struct ovl_id *id, struct ovl_err *err)
{
	const char *name = c->req->name;
	auto_trashed old = TRASHED_INIT;
	int made;
	int rc;

	rc = name ? name_check(name, NULL, err) : 0;
	if (rc == 0)
		rc = image_check_change(c->req, err);
	if (rc == 0)
		rc = lock_all(c->st, open_unused, c, err);
	if (rc == 0)
		rc = open_parent(c, err);
	if (rc == 0)
		rc = prepare_image(c, err);
	made = rc < 0 ? rc : commit_step(c, &old, err);
	if (made < 0)
		return made;
	rc = finish_made(c, &old, err);
	/* Until here, the lock kept prune from removing it. */
	stage_leave(&c->went);
	if (rc < 0)
		return rc;
	note_result(c, made);
	*id = c->image.id;
	return 0;
}

int ovl_commit(struct ovl_store *st, const struct ovl_commit *req, struct ovl_id *id,
	struct ovl_err *err)
{
	struct commit c = {
		.st = st,
		.req = req,
		.l = LAYER_INIT,
		.parent = LAYER_INIT,
		.made = LAYER_INIT,
		.stage = STAGE_INIT,
		.went = STAGE_INIT,
		.in = INGEST_INIT,
	};
	int rc = commit(&c, id, err);

	buf_release(&c.config);
	committed_release(&c.c);
	stage_end(&c.went);
	ingest_end(&c.in);
	stage_end(&c.stage);
	layer_close(&c.made);
	layer_close(&c.parent);
	layer_close(&c.l);
	return rc;
}
