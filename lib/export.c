/* SPDX-License-Identifier: ISC */
/* ovl_export: stacks of layers as images. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/quote.h"
#include "base/vec.h"
#include "image/export.h"
#include "store/config.h"
#include "store/driver.h"
#include "store/layer_foreign.h"
#include "store/names.h"
#include "store/ondir.h"
#include "store/store.h"
#include "stage/used.h"

/* ---- what the receiver has --------------------------------------------------------- */

static int add_known(struct export *x, const struct ovl_id *id, struct ovl_err *err)
{
	if (!VEC_ROOM(x->known, x->n_known))
		return err_nomem(err);
	x->known[x->n_known++] = *id;
	return 0;
}

/* Adds a layer and all layers below it. */
static int add_stack(struct export *x, const char *what, struct ovl_err *err)
{
	struct layer_ref ref;
	unsigned depth = UINT_MAX;
	bool more = true;
	int rc = config_find_layer(x->st, what, &ref, err);

	while (rc == 0 && more) {
		auto_layer l = LAYER_INIT;

		rc = layer_open_ref(x->st, &ref, 0, what, &l, err);
		if (rc == 0)
			rc = add_known(x, &ref.id, err);
		/* If the store is damaged, parents may form a loop. */
		more = rc == 0 && l.meta.has_parent && l.meta.depth < depth;
		depth = l.meta.depth;
		ref.id = l.meta.parent;
	}
	return rc;
}

static int list_known(struct export *x, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < x->req->has.n && rc == 0; i++)
		rc = add_known(x, &x->req->has.id[i], err);
	for (char *const *w = x->req->without; w && *w && rc == 0; w++)
		rc = add_stack(x, *w, err);
	VEC_SORT(x->known, x->n_known, id_order);
	return rc;
}

/* ---- the stacks ------------------------------------------------------------------- */

static struct blob *find_blob(const struct export *x, const struct layer_ref *ref)
{
	for (size_t i = 0; i < x->n_blobs; i++) {
		struct blob *b = x->blob[i];

		if (b->l.drv == ref->drv && strcmp(b->l.id.s, ref->id.s) == 0)
			return b;
	}
	return NULL;
}

static int new_blob(struct export *x, struct blob **out, struct ovl_err *err)
{
	struct blob *b;

	if (!VEC_ROOM(x->blob, x->n_blobs))
		return err_nomem(err);
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_nomem(err);
	b->l.fd = -1;
	b->fd = -1;
	x->blob[x->n_blobs++] = b;
	*out = b;
	return 0;
}

/* The digest of a writable layer is known only after it has been packed; that of a layer
 * that is left out is the diff id, because it is described as uncompressed. */
static void note_digest(const struct export *x, struct blob *b)
{
	b->packed = b->l.meta.kind != OVL_IMAGE || b->l.foreign;
	if (b->l.meta.kind != OVL_IMAGE)
		return;
	memcpy(b->diff_id, b->l.meta.diff_id, sizeof(b->diff_id));
	if (VEC_FIND(x->known, x->n_known, &b->l.id, id_order)) {
		b->absent = true;
		b->size = b->l.meta.tar_size;
		memcpy(b->digest, b->diff_id, sizeof(b->digest));
		return;
	}
	for (size_t i = 0; i < x->n_blobs && !b->same && !b->packed; i++) {
		const struct blob *other = x->blob[i];

		if (other != b && !other->packed && !other->same && !other->absent &&
			strcmp(other->diff_id, b->diff_id) == 0)
			b->same = other;
	}
}

/* The id of an image layer must be its chain id; otherwise its parent is not the original
 * one. */
static int check_chain(const struct layer *l, struct ovl_err *err)
{
	struct ovl_id want;
	int rc;

	if (l->foreign)
		return 0;
	if (!*l->meta.diff_id)
		return err_say(err, EUCLEAN, "layer %.12s has no diff id", l->id.s);
	rc = digest_chain(l->meta.has_parent ? l->meta.parent.s : NULL, l->meta.diff_id,
		&want, err);
	if (rc == 0 && strcmp(want.s, l->id.s) != 0)
		rc = err_say(err, EUCLEAN,
			"layer %.12s is damaged: its id is not that of its diff id and "
			"its parent",
			l->id.s);
	return rc;
}

static int open_blob(struct export *x, const struct layer_ref *ref, const char *what,
	bool top, struct blob **out, struct ovl_err *err)
{
	struct blob *b = find_blob(x, ref);
	int rc;

	if (!b) {
		rc = new_blob(x, &b, err);
		if (rc == 0)
			rc = layer_open_ref(x->st, ref, LOCK_SH, what, &b->l, err);
		if (rc == 0)
			rc = ondir_refuse(&b->l, what, err);
		if (rc == 0 && b->l.meta.kind == OVL_IMAGE)
			rc = check_chain(&b->l, err);
		if (rc < 0)
			return rc;
		note_digest(x, b);
	}
	if (top)
		used_now(&b->l);
	if (!top && b->l.meta.kind != OVL_IMAGE)
		return err_say(err, EUCLEAN,
			"layer %.12s is not an image layer, but has "
			"layers on top",
			b->l.id.s);
	*out = b;
	return 0;
}

static int push(struct exported *img, struct blob *b, struct ovl_err *err)
{
	if (!VEC_ROOM(img->stack, img->n))
		return err_nomem(err);
	img->stack[img->n++] = b;
	return 0;
}

/* A missing parent means damage here, not a wrong operand; in another program's store, it
 * may have been removed. */
static int open_parents(struct export *x, struct exported *img, struct layer_ref *ref,
	struct ovl_err *err)
{
	struct blob *b = img->stack[0];
	size_t most = (size_t)b->l.meta.depth + 1;
	auto_stack lowers = {0};
	int rc = b->l.foreign ? driver_lowers(&b->l, &lowers, err) : 0;

	rc = layer_foreign_failed(x->st, b->l.foreign, rc, err);
	while (rc == 0 && b->l.meta.has_parent) {
		ref->id = b->l.meta.parent;
		if (img->n > most)
			return err_say(err, ELOOP,
				"layer %.12s has more parents than its .layer records",
				img->stack[0]->l.id.s);
		rc = open_blob(x, ref, ref->id.s, false, &b, err);
		if (rc < 0 && err->status == OVL_NOLAYER && !x->st->foreign) {
			err->status = OVL_FAILED;
			rc = err_prefix(err, rc, "the stack of %s", Q(img->what));
			rc = err_see_check(err, rc);
		}
		if (rc == 0)
			rc = push(img, b, err);
	}
	return rc;
}

static int open_image(struct export *x, const char *what, struct ovl_err *err)
{
	struct exported *img = &x->image[x->n_images];
	struct layer_ref ref;
	struct layer_ref owner;
	struct blob *top;
	int rc;

	for (size_t i = 0; i < x->n_images; i++) {
		if (strcmp(x->image[i].what, what) == 0)
			return err_status(err, OVL_USAGE, "%s is given twice", Q(what));
	}
	img->what = what;
	x->n_images++;
	rc = config_find_layer(x->st, what, &ref, err);
	if (rc < 0)
		return rc;
	rc = names_lookup(x->st, what, &owner, err);
	if (rc < 0)
		return rc;
	img->named = rc == 1;
	rc = open_blob(x, &ref, what, true, &top, err);
	if (rc == 0)
		rc = push(img, top, err);
	if (rc == 0)
		rc = open_parents(x, img, &ref, err);
	export_turn_over(img);
	return rc;
}

/* The config belongs to the name: without it, another one has been found. */
static int check_name(
	const struct export *x, const struct exported *img, struct ovl_err *err)
{
	struct layer_ref top = layer_ref_of(&img->stack[img->n - 1]->l);
	struct layer_ref owner;
	int rc = img->named ? names_lookup(x->st, img->what, &owner, err) : 0;

	if (rc < 0 || !img->named || (rc == 1 && layer_ref_same(&owner, &top)))
		return rc < 0 ? rc : 0;
	return err_status(err, OVL_NOLAYER, "no such layer %s", Q(img->what));
}

static int open_images(struct export *x, struct ovl_err *err)
{
	size_t n = 0;
	int rc = 0;

	while (x->req->layers[n])
		n++;
	x->image = calloc(n ? n : 1, sizeof(*x->image));
	if (!x->image)
		return err_nomem(err);
	if (!n)
		return err_status(err, OVL_USAGE, "no layer given");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = open_image(x, x->req->layers[i], err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = export_find_config(&x->image[i], err);
		if (rc == 0)
			rc = check_name(x, &x->image[i], err);
	}
	return rc;
}

/* ----------------------------------------------------------------------------------- */

static int choose_compress(struct export *x, struct ovl_err *err)
{
	const char *c = x->req->compress;

	if (!c)
		c = x->req->format == OVL_OCI ? "gzip" : "none";
	if (strcmp(c, "gzip") != 0 && strcmp(c, "zstd") != 0 && strcmp(c, "none") != 0)
		return err_status(err, OVL_USAGE,
			"layers of an image are compressed with gzip, zstd or none, not "
			"%s",
			Q(c));
	x->compress = c;
	return 0;
}

/* If the user forgot the target, the last layer is in its place. */
static int check_target(struct export *x, struct ovl_err *err)
{
	struct layer_ref ref;
	int rc;

	if (x->req->fd >= 0 || strchr(x->req->target, '/'))
		return 0;
	rc = layer_find(x->st, x->req->target, &ref, err);
	if (rc < 0)
		return err->status == OVL_FAILED ? rc : 0;
	return err_status(err, OVL_USAGE,
		"no destination given: %s is a layer ('./%.40s' would be a directory of "
		"that name)",
		Q(x->req->target), x->req->target);
}

static int run_export(struct export *x, struct ovl_err *err)
{
	int rc = choose_compress(x, err);

	if (rc == 0)
		rc = check_target(x, err);
	if (rc == 0)
		rc = list_known(x, err);
	if (rc == 0)
		rc = open_images(x, err);
	if (rc == 0)
		rc = export_begin(x, err);
	if (rc == 0)
		rc = export_blobs(x, err);
	for (size_t i = 0; i < x->n_images && rc == 0; i++)
		rc = export_make_config(&x->image[i], err);
	if (rc == 0)
		rc = x->req->format == OVL_OCI ? export_oci(x, err) :
						 export_docker(x, err);
	return rc < 0 ? rc : export_write(x, err);
}

static void release_export(struct export *x)
{
	for (size_t i = 0; i < x->n_images; i++) {
		buf_release(&x->image[i].found);
		buf_release(&x->image[i].config);
		json_decref(x->image[i].platform);
		free(x->image[i].stack);
	}
	for (size_t i = 0; i < x->n_blobs; i++) {
		close_fdp(&x->blob[i]->fd);
		layer_close(&x->blob[i]->l);
		free(x->blob[i]);
	}
	close_fdp(&x->spool_dir);
	export_end(x);
	free(x->image);
	free(x->blob);
	free(x->known);
}

int ovl_export(struct ovl_store *st, const struct ovl_export *req, struct ovl_err *err)
{
	struct export x = {
		.st = st,
		.req = req,
		.out_dir = -1,
		.out_blobs = -1,
		.spool_dir = -1,
	};
	int rc = run_export(&x, err);

	release_export(&x);
	return rc;
}
