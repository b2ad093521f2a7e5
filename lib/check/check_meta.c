/* SPDX-License-Identifier: ISC */
/*
 * Reconstructs a damaged or missing .layer from the rest of the store:
 *
 *  an image layer	its recipe ends with its diff id; its parent is the layer whose
 *			chain id and this diff id give its own chain id, the id; the rest
 *			is counted while rebuilding the tar from the recipe
 *  a writable layer	its parent has a hint of it, and the driver's files agree. Without
 *			hint and lower it is on a directory, if there is a file .on, or
 *			had no parent, if the first files that create writes exist
 *
 * A layer that cannot be restored is moved to aside/ if no layer is on top of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "check/check.h"
#include "content/ingest.h"
#include "content/replay.h"
#include "mount/family.h"
#include "store/driver.h"
#include "store/ondir.h"
#include "store/store.h"
#include "tar/recipe.h"
#include "union/whiteout.h"

/* ---- looking through the layers --------------------------------------------------- */

/* Is other the layer to be found? 1, 0, negative errno. */
typedef int (*fits_fn)(const struct layer *other, const struct ovl_id *id,
	const char *text, struct ovl_err *err);

/* Finds an intact layer of the driver: 1 and the first that fits; 0: none; negative
 * errno if one cannot be read at present, since that may be the one. */
static int find_layer(struct ovl_store *st, const struct layer_ref *of, fits_fn fits,
	const char *text, struct layer *out, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = of->drv};
	auto_fsdir d = fs_dir_at(store_driver_dir(st, of->drv, err), ".");
	const char *name;
	int rc = 0;
	int r = 0;

	while (r >= 0 && rc == 0 && (r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (!id_take(name, ref.id.s))
			continue;
		layer_close(out);
		rc = layer_open_ref(st, &ref, 0, name, out, err);
		if (rc == 0)
			rc = fits(out, &of->id, text, err);
		else if (!err_is_system(rc))
			rc = 0;
	}
	if (rc <= 0)
		layer_close(out);
	return r < 0 ? err_sys(err, errno, "cannot read the store") : rc;
}

/* Does an image layer of that diff id on the other layer have the id of l? */
static int gives_id(const struct layer *other, const struct ovl_id *id,
	const char *diff_id, struct ovl_err *err)
{
	struct ovl_id chain;
	int rc = digest_chain(other->id.s, diff_id, &chain, err);

	return rc < 0 ? rc : other->meta.kind == OVL_IMAGE && strcmp(chain.s, id->s) == 0;
}

static int has_hint(const struct layer *other, const struct ovl_id *id, const char *text,
	struct ovl_err *err)
{
	(void)text;
	return layer_has_hint(other, id, err);
}

static int has_link(const struct layer *other, const struct ovl_id *id, const char *link,
	struct ovl_err *err)
{
	(void)err;
	return strcmp(other->meta.link, link) == 0 && strcmp(other->id.s, id->s) != 0;
}

int check_find_parent(struct checker *c, const struct layer_ref *ref, const char *diff_id,
	struct layer *parent)
{
	struct ovl_id chain;
	int rc = digest_chain(NULL, diff_id, &chain, c->err);

	if (rc < 0)
		return rc;
	return strcmp(chain.s, ref->id.s) == 0 ?
		1 :
		find_layer(c->st, ref, gives_id, diff_id, parent, c->err);
}

/* ---- an image layer --------------------------------------------------------------- */

/* 1 if the recipe is complete, 0 if not, negative errno. */
static int read_recipe(const struct layer *l, struct meta *m, struct ovl_err *err)
{
	struct recipe_rec rec = {.type = RECIPE_RAW};
	auto_recipe in = NULL;
	int rc = recipe_open(&in, l->fd, err);

	while (rc == 0 && rec.type != RECIPE_END)
		rc = recipe_next(in, &rec, err);
	if (rc < 0)
		return err_is_system(rc) ? rc : 0;
	memcpy(m->diff_id, rec.diff_id, sizeof(m->diff_id));
	m->tar_size = rec.size;
	return 1;
}

static void ignore_bad(void *ctx, const char *path, const char *why)
{
	(void)ctx;
	(void)path;
	(void)why;
}

static int feed_quietly(void *ctx, sink_fn sink, void *to, struct ovl_err *err)
{
	const struct replay_watch watch = {.bad = ignore_bad};

	return replay_layer(ctx, sink, to, &watch, err);
}

/* Collects the metadata from the tar of the layer: 1, 0 if it cannot be rebuilt. */
static int count(struct checker *c, struct layer *l, bool *opaque)
{
	const struct ingest_config cfg = {
		.input = {.make = feed_quietly, .make_ctx = l},
		.drv = l->drv,
		INGEST_NO_LIMITS,
		.no_data = true,
		.may_be_empty = true,
	};
	struct ingest in = INGEST_INIT;
	int rc = ingest_all(&in, c->st, &cfg, c->err);

	if (rc == 0) {
		l->meta.size = in.unpack.bytes;
		l->meta.entries = in.unpack.entries;
		*opaque = unpack_hides_all(&in.unpack);
	}
	ingest_end(&in);
	return err_is_system(rc) ? rc : rc == 0;
}

static int image_meta(struct checker *c, struct layer *l)
{
	struct layer_ref self = layer_ref_of(l);
	auto_layer parent = LAYER_INIT;
	bool opaque = false;
	int rc;

	l->meta.kind = OVL_IMAGE;
	rc = read_recipe(l, &l->meta, c->err);
	if (rc <= 0)
		return rc;
	rc = check_find_parent(c, &self, l->meta.diff_id, &parent);
	if (rc <= 0)
		return rc;
	if (parent.fd >= 0)
		l->meta.parent = parent.id;
	rc = count(c, l, &opaque);
	driver_place(&l->meta, parent.fd < 0 ? NULL : &parent, opaque);
	return rc;
}

/* ---- a writable layer ------------------------------------------------------------- */

static int any_child(void *ctx, const struct layer_ref *child)
{
	(void)ctx;
	(void)child;
	return 1;
}

/* 1, 0, negative errno. */
static int has_file(struct checker *c, const struct layer *l, const char *name)
{
	int r = fs_exists(l->fd, name);

	return r < 0 ? err_sys(c->err, errno, "cannot look up '%s' of layer %.12s", name,
			       l->id.s) :
		       r;
}

/* 1 if there is a whiteout in the root of the layer's tree, 0 if not, negative errno. */
static int hides_something(struct checker *c, const struct layer *l)
{
	auto_fsdir d = fs_dir_at(l->fd, layer_tree_name(l));
	enum wh_dir marks;
	const char *name;
	int r = d.fd < 0 ? fs_fail(d.why) : 0;

	if (r == 0)
		r = wh_dir_marks(&l->st->xattrs, d.fd, &marks);
	while (r == 0 && (r = fs_dir_next(&d, &name, NULL)) > 0) {
		struct stat st;

		r = fstatat(d.fd, name, &st, AT_SYMLINK_NOFOLLOW);
		if (r == 0)
			r = wh_is_whiteout(&l->st->xattrs, d.fd, name, &st, marks);
		if (r > 0)
			return 1;
	}
	return r < 0 ?
		err_sys(c->err, errno, "cannot read the tree of layer %.12s", l->id.s) :
		0;
}

/*
 * For a layer without lowers of which no layer has a hint: was there never a parent, or
 * are its lowers missing too? create writes link, lower and .layer in this order: a
 * .layer, even if empty, shows that there was no lower, and a whiteout shows that there
 * was one. 1, 0, negative errno.
 */
static int never_had_parent(struct checker *c, const struct layer *l)
{
	char link[SHORT_LEN + 1];
	int rc = has_file(c, l, META_NAME);

	if (rc < 0)
		return rc;
	driver_link_of(l->drv, l->fd, ".", link);
	if (!rc && !id_is_short(link))
		return 0;
	rc = hides_something(c, l);
	return rc < 0 ? rc : !rc;
}

static int writable_meta(struct checker *c, struct layer *l)
{
	struct layer_ref self = layer_ref_of(l);
	auto_layer parent = LAYER_INIT;
	struct ovl_id said;
	int told = driver_parent_of(l, &said);
	int rc;

	l->meta.kind = OVL_WRITABLE;
	rc = has_file(c, l, l->drv->tree[OVL_WRITABLE]);
	if (rc > 0)
		rc = has_file(c, l, l->drv->work);
	if (rc <= 0)
		return rc;
	rc = has_file(c, l, RECIPE_KEPT);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = find_layer(c->st, &self, has_hint, NULL, &parent, c->err);
	if (rc < 0)
		return rc;
	if (rc == 0 ? told != 0 : told > 0 && strcmp(said.s, parent.id.s) != 0)
		return 0;
	if (rc == 0) {
		rc = has_file(c, l, ONDIR_NAME);
		l->meta.on_dir = rc > 0;
		if (rc == 0)
			rc = never_had_parent(c, l);
	}
	if (rc <= 0)
		return rc;
	driver_place(&l->meta, parent.fd < 0 ? NULL : &parent, false);
	return 1;
}

/* ---- both ------------------------------------------------------------------------- */

static bool is_link_taken(const struct layer *l, const char *link)
{
	struct layer_ref self = layer_ref_of(l);
	auto_layer other = LAYER_INIT;
	struct ovl_err why;

	return find_layer(l->st, &self, has_link, link, &other, &why) > 0;
}

void check_find_link(const struct layer *l, char link[SHORT_LEN + 1])
{
	auto_fsdir d = fs_dir_at(l->drv->links ? l->drv_fd : -ENOENT, l->drv->links);
	const char *name;
	struct ovl_id id;

	driver_link_of(l->drv, l->fd, ".", link);
	if (id_is_short(link) && !is_link_taken(l, link))
		return;
	id_short_new(link);
	while (fs_dir_next(&d, &name, NULL) > 0) {
		if (id_is_short(name) &&
			driver_by_link(l->drv, l->drv_fd, name, &id) == 1 &&
			strcmp(id.s, l->id.s) == 0)
			memcpy(link, name, SHORT_LEN + 1);
	}
}

/* 1: l->meta is reconstructed, except fields on which nothing depends. */
static int make_out(struct checker *c, struct layer *l)
{
	struct stat st;
	int image = has_file(c, l, RECIPE_NAME);

	if (image < 0)
		return image;
	memset(&l->meta, 0, sizeof(l->meta));
	check_find_link(l, l->meta.link);
	if (fstat(l->fd, &st) < 0)
		return err_sys(c->err, errno, "cannot stat layer %.12s", l->id.s);
	l->meta.created = st.st_mtim;
	return image ? image_meta(c, l) : writable_meta(c, l);
}

int check_rebuild(struct checker *c, const struct layer_ref *ref)
{
	auto_layer l = LAYER_INIT;
	int rc = layer_open_to_remove(c->st, ref, LOCK_EX, ref->id.s, &l, c->err);

	if (rc < 0) /* the next check of the layer reports damage */
		return err_is_system(rc) ? rc : 0;
	rc = meta_read(l.fd, &l.meta, c->err);
	if (rc == 0)
		return 1;
	if (!meta_is_damage(rc))
		return rc;
	rc = make_out(c, &l);
	if (rc > 0)
		rc = meta_replace(l.fd, &l.meta, c->err);
	else if (rc == 0)
		return 0;
	if (rc == 0)
		check_mended(c, "meta", l.id.s,
			"its file .layer was missing or damaged, and was written again");
	return rc < 0 ? rc : 1;
}

/* Keeps the layer's parent, if it is known, from being removed while it may be needed. */
static void note_aside(struct checker *c, const struct layer *l)
{
	struct layer_ref ref = {.drv = l->drv};
	auto_layer parent = LAYER_INIT;
	struct ovl_err why;

	if (driver_parent_of(l, &ref.id) > 0 &&
		layer_open_ref(c->st, &ref, 0, ref.id.s, &parent, &why) == 0)
		layer_add_child(&parent, &l->id, &why);
}

static int add_it(struct family *f, void *ctx, struct ovl_err *err)
{
	return family_add(f, ctx, "", false, err);
}

int check_put_aside(struct checker *c, const struct layer_ref *ref)
{
	const struct driver *drv = ref->drv;
	auto_family f = {.st = c->st};
	struct ovl_err why;
	const struct layer *l;
	struct layer_ref it = *ref;
	int rc;

	if (family_lock(&f, add_it, &it, &why) < 0)
		return check_fault(c, "meta", ref->id.s,
			"its file .layer is missing or damaged, and %s", why.text);
	l = &f.member[0].layer;
	rc = layer_children(l, any_child, NULL, c->err);
	if (rc < 0)
		return rc;
	if (rc)
		return check_fault(c, "meta", ref->id.s,
			"its file .layer is missing or damaged, and layers are on top of it");
	note_aside(c, l);
	rc = check_set_aside(c, "meta", ref->id.s, l->drv_fd, ref->id.s, drv->name,
		"its file .layer is missing or damaged");
	if (rc >= 0)
		driver_retract(drv, l->drv_fd, l->meta.link, &ref->id, NULL);
	return rc;
}
