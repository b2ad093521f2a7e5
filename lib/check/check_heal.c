/* SPDX-License-Identifier: ISC */
/*
 * check --repair --from: repairs an image layer from its tar.
 *
 *  1  unpacks the tar in staging/, like an import; its diff id must be the layer's
 *  2  locks the layer and all layers on top of it; none may be mounted
 *  3  compares the trees, which finds the damage
 *  4  replaces each damaged file from the staged tree by one rename, sets the metadata of
 *     directories, moves files that do not belong there to the stage. Layers on top that
 *     share a damaged file get the new one first
 *  5  repairs .layer, the recipe and the driver's files
 *  6  checks the layer like any other, with its content
 *
 * Intact files are not touched, so that they keep the inodes that layers on top refer to.
 * If it is killed, the layer is less damaged than before, and repairing it again
 * continues the work.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/pathset.h"
#include "base/quote.h"
#include "check/check.h"
#include "content/ingest.h"
#include "content/replay.h"
#include "mount/family.h"
#include "store/driver.h"
#include "store/store.h"
#include "tar/recipe.h"
#include "union/compare.h"
#include "union/links.h"

struct heal {
	struct checker *c;
	const struct layer_ref *ref;
	struct ingest in;
	struct layer parent; /* open if there is one */
	struct meta meta; /* the correct metadata */
	struct layer *l; /* open and exclusively locked */
	/* Names that are damaged, and inodes of the staged tree that have such a name:
	 * if one hard link is damaged, all of them are replaced, so that they stay one
	 * file. */
	struct pathset *bad;
	unsigned long replaced; /* number of names moved to the stage */
};

/* ---- what is damaged -------------------------------------------------------------- */

static bool is_link_group(const struct compared *one)
{
	return one->want && !S_ISDIR(one->want->st_mode) && one->want->st_nlink > 1;
}

static int note_damage(void *ctx, const struct compared *one, struct ovl_err *err)
{
	struct heal *h = ctx;
	int rc = 0;

	for (unsigned i = 0; i < one->n && rc == 0; i++)
		rc = check_found(h->c, OVL_ERROR, one->fault[i].kind, h->l->id.s,
			one->path, OVL_REPAIRED, "%s %s", Q(path_shown(one->path)),
			one->fault[i].how);
	if (!one->n || rc)
		return rc;
	if (pathset_add(h->bad, 'b', one->path, strlen(one->path)) < 0 ||
		(is_link_group(one) &&
			pathset_add(h->bad, 'i', (const char *)&one->want->st_ino,
				sizeof(ino_t)) < 0))
		return err_nomem(err);
	return 0;
}

/* ---- names ------------------------------------------------------------------------ */

/* Moves a file out of the layer, to be removed with the stage. */
static int take_out(struct heal *h, int dirfd, const char *name)
{
	char out[64];

	snprintf(out, sizeof(out), ".replaced-%lu", h->replaced++);
	return fs_rename(dirfd, name, h->in.stage.fd, out, RENAME_NOREPLACE);
}

/* Replaces the tree, or a file that belongs to it, with that of the stage. */
static int replace(struct heal *h, const char *name)
{
	if (take_out(h, h->l->fd, name) < 0 && errno != ENOENT)
		return -1;
	return fs_rename(h->in.stage.fd, name, h->l->fd, name, 0);
}

static int put_in(struct heal *h, const struct compared *one)
{
	bool dirs = S_ISDIR(one->want->st_mode) ||
		(one->have && S_ISDIR(one->have->st_mode));

	if (one->have && dirs && take_out(h, one->have_dir, one->name) < 0)
		return -1;
	return fs_rename(one->want_dir, one->name, one->have_dir, one->name, 0);
}

/* Leaves out the times, which later changes in the directory would modify. */
static int mend_dir(const struct compared *one)
{
	auto_fd want = fs_open_dir(one->want_dir, one->name);
	auto_fd have = fs_open_dir(one->have_dir, one->name);

	if (want < 0 || have < 0 || fs_drop_xattrs(have) < 0)
		return -1;
	return fs_copy_meta(want, have, NULL);
}

static bool is_bad(const struct heal *h, const struct compared *one)
{
	return pathset_has(h->bad, 'b', one->path, strlen(one->path)) ||
		(is_link_group(one) &&
			pathset_has(h->bad, 'i', (const char *)&one->want->st_ino,
				sizeof(ino_t)));
}

static int mend_one(void *ctx, const struct compared *one, struct ovl_err *err)
{
	struct heal *h = ctx;
	int rc;

	if (!is_bad(h, one))
		return 0;
	if (!one->want)
		rc = take_out(h, one->have_dir, one->name);
	else if (one->have && S_ISDIR(one->want->st_mode) && S_ISDIR(one->have->st_mode))
		rc = mend_dir(one);
	else
		rc = put_in(h, one);
	return rc < 0 ?
		err_sys(err, errno, "cannot repair %s", Q(path_shown(one->path))) :
		0;
}

static int mend_times(void *ctx, const struct compared *one, struct ovl_err *err)
{
	const struct timespec times[] = {one->want->st_atim, one->want->st_mtim};
	struct stat now;

	(void)ctx;
	if (fstatat(one->have_dir, one->name, &now, 0) == 0 &&
		fs_time_order(&now.st_mtim, &times[1]) == 0)
		return 0;
	return utimensat(one->have_dir, one->name, times, AT_SYMLINK_NOFOLLOW) < 0 ?
		err_sys(err, errno, "cannot set the times of %s",
			Q(path_shown(one->path))) :
		0;
}

/* Compares as the caller of check sees the store. */
static int compare(const struct heal *h, struct comparison how, int want, int have,
	struct ovl_err *err)
{
	how.stop = h->c->st->cfg.stop;
	how.userns = h->c->st->xattrs.user;
	how.mapped = store_is_mapped(h->c->st);
	how.below = -1;
	return compare_trees(&how, want, have, err);
}

/* ---- files shared with other layers ------------------------------------------------ */

struct sharing {
	const struct heal *h;
	struct links links;
};

static int note_shared(void *ctx, const struct compared *one, struct ovl_err *err)
{
	struct sharing *s = ctx;

	if (!one->want || !one->have || S_ISDIR(one->want->st_mode) ||
		S_ISDIR(one->have->st_mode) || !is_bad(s->h, one))
		return 0;
	return links_replaced(&s->links, one->have, one->path) < 0 ? err_nomem(err) : 0;
}

/* In layers on top, replaces links to replaced files with links to the new ones. */
static int relink_sharers(struct sharing *s, const struct family *f, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->n; i++) {
		const struct layer *l = &f->member[i].layer;
		auto_fd tree = -1;

		if (l == s->h->l || l->meta.kind != OVL_IMAGE)
			continue;
		tree = fs_open_dir(l->fd, layer_tree_name(l));
		if (tree >= 0) /* missing trees are reported elsewhere */
			rc = links_relink(&s->links, tree, err);
	}
	return rc;
}

/*
 * Before the layer itself: while that is damaged, the repair can be repeated. A kill may
 * leave a directory in a layer on top with a wrong time, which that layer's own tar
 * repairs.
 */
static int heal_others(const struct heal *h, const struct family *f, int want, int have,
	struct ovl_err *err)
{
	struct sharing s = {.h = h};
	int rc;

	links_begin(
		&s.links, want, h->in.stage.fd, &h->c->st->xattrs, h->c->st->cfg.stop);
	rc = compare(h,
		(struct comparison){.shared = true, .each = note_shared, .ctx = &s}, want,
		have, err);
	if (rc == 0)
		rc = relink_sharers(&s, f, err);
	links_end(&s.links);
	return rc;
}

static int heal_names(
	struct heal *h, const struct family *f, int want, int have, struct ovl_err *err)
{
	bool flat = h->l->drv->flat;
	bool adopted = layer_is_adopted(h->l);
	struct comparison find = {.data = true,
		.shared = flat || adopted,
		.finer = adopted,
		.each = note_damage,
		.ctx = h};
	struct comparison mend = find;
	int rc = compare(h, find, want, have, err);

	mend.data = false;
	mend.each = mend_one;
	mend.leave = mend_times;
	if (rc == 0 && h->c->later.n && flat)
		rc = heal_others(h, f, want, have, err);
	return rc == 0 && h->c->later.n ? compare(h, mend, want, have, err) : rc;
}

static int heal_tree(struct heal *h, const struct family *f, struct ovl_err *err)
{
	const char *tree = h->l->drv->tree[OVL_IMAGE];
	auto_fd want = fs_open_dir(h->in.stage.fd, tree);
	auto_fd have = fs_open_dir(h->l->fd, tree);
	int rc;

	h->bad = pathset_new();
	if (!h->bad)
		return err_nomem(err);
	if (want < 0)
		return err_sys(err, errno, "cannot open the staged tree");
	if (have >= 0) {
		h->c->holding = true;
		rc = heal_names(h, f, want, have, err);
		if (rc < 0)
			check_drop_held(h->c);
		return rc < 0 ? rc : check_flush(h->c, 0);
	}
	if (replace(h, tree) < 0)
		return err_sys(err, errno, "cannot put the tree in place");
	return check_mended(h->c, "tree", h->l->id.s, "its tree was missing");
}

/* ---- the rest of the layer -------------------------------------------------------- */

/* The recipe is replaced last: until then the layer is known to be damaged. The recipe
 * and the files kept for it are intact if the tar can be rebuilt. */
static int heal_recipe(struct heal *h, struct ovl_err *err)
{
	int rc = replay_layer(h->l, sink_nowhere, NULL, NULL, err);

	if (rc == 0 || rc == -EINTR || rc == -ENOMEM)
		return rc;
	if ((take_out(h, h->l->fd, RECIPE_NAME) < 0 && errno != ENOENT) ||
		(replace(h, RECIPE_KEPT) < 0 && errno != ENOENT) ||
		replace(h, RECIPE_NAME) < 0)
		return err_sys(err, errno, "cannot put the recipe in place");
	return check_mended(
		h->c, "recipe", h->l->id.s, "its recipe was missing or damaged");
}

static int heal_meta(struct heal *h, struct ovl_err *err)
{
	struct meta *m = &h->meta;
	struct meta now;
	char want[META_MAX];
	char have[META_MAX] = "";
	int rc;

	if (meta_read(h->l->fd, &now, NULL) == 0) {
		m->created = now.created;
		memcpy(m->link, now.link, sizeof(m->link));
		meta_format(&now, have);
	} else {
		check_find_link(h->l, m->link);
	}
	meta_format(m, want);
	h->l->meta = *m;
	if (strcmp(want, have) == 0)
		return 0;
	rc = meta_replace(h->l->fd, m, err);
	return rc < 0 ? rc :
			check_mended(h->c, "meta", h->l->id.s,
				"its file .layer was missing or damaged");
}

static int heal_layer(struct heal *h, const struct family *f, struct ovl_err *err)
{
	bool durable = h->c->st->cfg.sync != OVL_SYNC_NONE;
	int rc = 0;

	if (durable && syncfs(h->in.stage.fd) < 0)
		return err_sys(err, errno, "cannot sync the store");
	rc = heal_meta(h, err);
	if (rc == 0)
		rc = heal_tree(h, f, err);
	if (rc == 0)
		rc = heal_recipe(h, err);
	if (durable && syncfs(h->l->fd) < 0 && rc == 0)
		rc = err_sys(err, errno, "cannot sync the store");
	return rc;
}

/* ---- checks ----------------------------------------------------------------------- */

/* Locks all or none of them: no layer may be read through a mount meanwhile. */
static int add_all(struct family *f, void *ctx, struct ovl_err *err)
{
	const struct heal *h = ctx;

	return family_add(f, h->ref, "", true, err);
}

static int lock_family(struct heal *h, struct family *f, struct ovl_err *err)
{
	int rc = family_lock(f, add_all, h, err);

	for (size_t i = 0; rc == 0 && i < f->n; i++) {
		if (strcmp(f->member[i].ref.id.s, h->ref->id.s) == 0)
			h->l = &f->member[i].layer;
	}
	return rc;
}

/* Also called before the tar is unpacked, which takes long. Sets h->meta. */
static int may_heal(struct heal *h, struct ovl_err *err)
{
	auto_family f = {.st = h->c->st};
	int rc = lock_family(h, &f, err);

	if (rc < 0)
		return rc;
	if (meta_read(h->l->fd, &h->meta, NULL) < 0) {
		memset(&h->meta, 0, sizeof(h->meta));
		h->meta.kind = OVL_IMAGE;
		h->meta.created = meta_now();
	} else if (h->meta.kind != OVL_IMAGE) {
		rc = err_say(err, EINVAL,
			"layer %.12s is writable: it cannot be restored from a tar",
			h->ref->id.s);
	}
	h->l = NULL;
	return rc;
}

static int ingest_tar(struct heal *h, int fd, struct ovl_err *err)
{
	struct ingest_config cfg = {
		.input = {.fd = fd},
		.may_be_empty = true,
		.drv = h->ref->drv,
		INGEST_NO_LIMITS,
		.tell = true,
	};

	return ingest_all(&h->in, h->c->st, &cfg, err);
}

/* The layer's id proves whether this is its tar, and together with the store
 * determines the parent. */
static int find_parent(struct heal *h, struct ovl_err *err)
{
	auto_layer found = LAYER_INIT;
	struct layer_ref ref;
	int rc = check_find_parent(h->c, h->ref, h->in.diff_id, &found);

	if (rc == 0)
		return err_say(err, EBADMSG,
			"its diff id is sha256:%s, which does not give layer %.12s on "
			"any parent in the store",
			h->in.diff_id, h->ref->id.s);
	if (rc < 0 || found.fd < 0)
		return rc < 0 ? rc : 0;
	ref = layer_ref_of(&found);
	return layer_open_ref(h->c->st, &ref, LOCK_SH, ref.id.s, &h->parent, err);
}

static int compose_meta(struct heal *h, struct ovl_err *err)
{
	const struct layer *parent = h->parent.fd < 0 ? NULL : &h->parent;
	struct meta *m = &h->meta;

	driver_place(m, parent, unpack_hides_all(&h->in.unpack));
	memcpy(m->diff_id, h->in.diff_id, sizeof(m->diff_id));
	m->size = h->in.unpack.bytes;
	m->entries = h->in.unpack.entries;
	m->tar_size = h->in.tar_size;
	return ingest_resolve(&h->in, parent, err);
}

static int heal(struct heal *h, int fd, const char *file, struct ovl_err *err)
{
	auto_family f = {.st = h->c->st};
	int rc = may_heal(h, err);

	if (rc < 0)
		return rc;
	rc = ingest_tar(h, fd, err);
	if (rc == 0)
		rc = find_parent(h, err);
	if (rc == 0)
		rc = compose_meta(h, err);
	if (rc < 0)
		return rc == -EINTR ? rc : err_prefix(err, rc, "%s", Q(file));
	rc = lock_family(h, &f, err);
	return rc < 0 ? rc : heal_layer(h, &f, err);
}

int check_heal(struct checker *c, const struct layer_ref *ref, int fd, const char *file)
{
	struct heal h = {.c = c, .ref = ref, .in = INGEST_INIT, .parent = LAYER_INIT};
	int rc = heal(&h, fd, file, c->err);

	ingest_end(&h.in);
	layer_close(&h.parent);
	pathset_free(h.bad);
	return rc;
}
