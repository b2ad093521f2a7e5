/* SPDX-License-Identifier: ISC */
/* ovl_adopt: takes over images of another program's store. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/quote.h"
#include "content/ingest.h"
#include "content/pack.h"
#include "foreign/foreign.h"
#include "foreign/foreign_stack.h"
#include "image/image.h"
#include "mount/together.h"
#include "store/config.h"
#include "store/layer_foreign.h"
#include "store/names.h"
#include "store/store.h"

/* ---- one image -------------------------------------------------------------------- */

/* False if the layer, or the directory with its record, has been removed meanwhile. */
static bool is_there(const struct foreign *t, const struct foreign_layer *l)
{
	const char *slash = l->exact_path ? strrchr(l->exact_path, '/') : NULL;

	if (slash &&
		!foreign_has(
			t->root, P("%.*s", (int)(slash - l->exact_path), l->exact_path)))
		return false;
	return foreign_has(t->root, l->tree) != 0;
}

static int unverifiable(
	const struct foreign *t, const struct foreign_layer *l, struct ovl_err *err)
{
	return err_say(err, is_there(t, l) ? EINVAL : ENOENT,
		"layer %.12s cannot be verified: its engine has kept neither its tar nor a "
		"tar-split; --unverified takes it over nevertheless",
		l->id.s);
}

static int to_digest(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	return digest_update(ctx, p, n, err);
}

/* Computes the diff id of the tar that is made from the layer's files. */
static int pack_digest(struct ovl_store *other, const struct foreign_layer *from,
	char hex[ID_LEN + 1], struct ovl_err *err)
{
	struct layer_ref ref = {.drv = other->drv, .id = from->id};
	auto_layer l = LAYER_INIT;
	struct digest d = {0};
	int rc = layer_open_ref(other, &ref, 0, ref.id.s, &l, err);

	if (rc == 0)
		rc = digest_init(&d, err);
	if (rc == 0)
		rc = pack_layer(&l, to_digest, &d, NULL, err);
	return rc < 0 ? rc : digest_final(&d, hex, err);
}

/* True if the engine has kept the layer's tar or a tar-split. If that cannot be
 * determined, opening it will report why. */
static bool has_tar(const struct foreign *t, const struct foreign_layer *l)
{
	return *l->diff_id && l->exact != FOREIGN_PACKED &&
		foreign_has(t->root, l->exact_path) != 0;
}

static int take_layer(const struct images *im, struct image_layer *out,
	const struct foreign_layer *l, struct ovl_err *err)
{
	if (l->kind != OVL_IMAGE)
		return err_say(err, EINVAL,
			"layer %.12s belongs to a container: commit it with its engine first",
			l->id.s);
	if (l->fault)
		return err_say(err, EUCLEAN, "layer %.12s cannot be used: %s", l->id.s,
			l->fault);
	out->from = l;
	if (!has_tar(im->other->foreign, l)) {
		out->packed = true;
		return im->unverified ? pack_digest(im->other, l, out->diff_id, err) :
					unverifiable(im->other->foreign, l, err);
	}
	memcpy(out->diff_id, l->diff_id, sizeof(out->diff_id));
	return 0;
}

static int take_layers(const struct images *im, const struct foreign_layer *l,
	struct image *i, struct ovl_err *err)
{
	int rc = 0;

	i->n_layers = l->depth + 1;
	i->layer = calloc(i->n_layers, sizeof(*i->layer));
	if (!i->layer)
		return err_nomem(err);
	while ((rc = take_layer(im, &i->layer[l->depth], l, err)) == 0 &&
		l->below != FOREIGN_NONE)
		l = &im->other->foreign->layer[l->below];
	if (rc == 0 && *l->parent.s)
		return err_say(err, EUCLEAN,
			"layer %.12s is missing, the parent of layer %.12s", l->parent.s,
			l->id.s);
	return rc;
}

/* If layers were packed, replaces the diff ids in the config by theirs. */
static int adapt_config(struct image *i, json_t *o, struct ovl_err *err)
{
	json_t *ids = json_array();
	bool packed = false;
	char *text;

	for (unsigned n = 0; n < i->n_layers; n++) {
		packed |= i->layer[n].packed;
		json_array_append_new(
			ids, json_sprintf("sha256:%s", i->layer[n].diff_id));
	}
	image_respell(o, "rootfs");
	image_respell(json_object_get(o, "rootfs"), "diff_ids");
	json_object_set_new(json_object_get(o, "rootfs"), "diff_ids", ids);
	if (!packed)
		return 0;
	text = json_dumps(o, JSON_COMPACT);
	buf_clear(&i->config);
	if (text)
		buf_adds(&i->config, text);
	free(text);
	if (!text || i->config.failed)
		return err_nomem(err);
	return digest_bytes(i->config.data, i->config.len, i->config_digest, err);
}

/* Takes the config's bytes after checking that they have its digest and describe these
 * layers. */
static int take_config(const struct foreign *t, const struct foreign_name *name,
	const struct foreign_layer *top, struct image *i, struct ovl_err *err)
{
	const char *path = name->config_path;
	struct foreign_stack stack = {0};
	auto_json o = NULL;
	int rc = foreign_file(t, path, CONFIG_MAX, &i->config, NULL, err);

	if (rc == 0)
		rc = err_sys(err, ENOENT, "cannot read the config %s", Q(path));
	if (rc > 0)
		rc = digest_bytes(i->config.data, i->config.len, i->config_digest, err);
	if (rc < 0)
		return rc;
	o = json_loadb(i->config.data, i->config.len, 0, NULL);
	rc = o ? foreign_stack_read(&stack, &i->config, err) : 0;
	if (rc < 0)
		return err_prefix(err, rc, "the config %s", Q(path));
	if (rc == 0 || strcmp(i->config_digest, name->config) != 0)
		return err_say(err, EUCLEAN, "the config %s is damaged", Q(path));
	if (id_order(foreign_stack_top(&stack), &top->id) != 0)
		return err_say(err, EUCLEAN, "the config %s has other layers", Q(path));
	image_platform_text(i->platform, o);
	memcpy(i->other_digest, i->config_digest, sizeof(i->other_digest));
	return adapt_config(i, o, err);
}

/* ---- all images ------------------------------------------------------------------- */

static struct image *find_taken(const struct images *im, const char *config)
{
	for (size_t i = 0; i < im->n; i++) {
		if (strcmp(im->image[i].other_digest, config) == 0)
			return &im->image[i];
	}
	return NULL;
}

/* name NULL: takes a layer without a config. */
static int take_image(const struct foreign *t, const struct foreign_layer *top,
	const struct foreign_name *name, struct images *out, struct ovl_err *err)
{
	struct image *i = name ? find_taken(out, name->config) : NULL;
	int rc = 0;

	if (!i) {
		i = image_add(out);
		rc = i ? take_layers(out, top, i, err) : err_nomem(err);
		if (rc == 0 && name)
			rc = take_config(t, name, top, i, err);
		rc = layer_foreign_failed(out->other, top, rc, err);
	}
	if (rc == 0 && name && name->listed)
		rc = image_add_name(i, name->name, err);
	return rc < 0 && name ? err_prefix(err, rc, "%s", Q(name->name)) : rc;
}

/* Takes the image; if it was given by an id, with all names of that image. */
static int take_named(const struct foreign *t, const struct foreign_name *name,
	struct images *out, struct ovl_err *err)
{
	int rc = take_image(t, &t->layer[name->at], name, out, err);

	for (size_t i = 0; i < t->n_names && rc == 0 && !name->listed; i++) {
		const struct foreign_name *other = &t->name[i];

		if (other->at == name->at && other->listed && other->config &&
			strcmp(other->config, name->config) == 0)
			rc = take_image(t, &t->layer[name->at], other, out, err);
	}
	return rc;
}

/* A name is looked up as that of an image first, because a container may have the same
 * name. */
static int take_wanted(const struct foreign *t, const char *want, struct images *out,
	struct ovl_err *err)
{
	const struct foreign_name *name = layer_foreign_image(t, want);
	struct layer_ref ref;
	int rc = name ? 0 : layer_find(out->other, want, &ref, err);

	if (rc < 0)
		return err_prefix(err, rc, "the store of %s", t->engine->owner);
	return name ? take_named(t, name, out, err) :
		      take_image(t, layer_foreign(out->other, &ref.id), NULL, out, err);
}

static int read_images(char *const *want, struct images *out, struct ovl_err *err)
{
	const struct foreign *t = out->other->foreign;
	int rc = 0;

	for (; want && *want && rc == 0; want++)
		rc = take_wanted(t, *want, out, err);
	for (size_t i = 0; !want && i < t->n_names && rc == 0; i++) {
		const struct foreign_name *name = &t->name[i];
		size_t before = out->n;

		if (!name->config)
			continue;
		rc = take_image(t, &t->layer[name->at], name, out, err);
		if (rc < 0 && rc != -ENOMEM) {
			images_cut(out, before);
			image_note(out, "%s", err->text);
			rc = 0;
		}
	}
	return rc;
}

/* ---- the stores -------------------------------------------------------------------- */

static void close_store(struct ovl_store **st)
{
	ovl_close(*st);
}

#define auto_store __attribute__((cleanup(close_store))) struct ovl_store *

static int open_other(struct ovl_store *st, const struct ovl_adopt *req,
	struct ovl_store **out, struct ovl_err *err)
{
	struct ovl_config cfg = st->cfg;
	auto_fd dir = open(req->from, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct foreign_engine *e;
	int rc = dir < 0 ? -1 : cfg.foreign->recognise(dir, &e);

	if (rc < 0)
		return err_sys(err, errno, "cannot open %s", Q(req->from));
	cfg.root = req->from;
	cfg.driver = NULL;
	if (rc > 0)
		rc = ovl_open(out, &cfg, OVL_READ, err);
	else
		rc = store_foreign_inside(cfg.foreign, dir, req->from, err);
	if (rc == 0 && (!*out || !(*out)->foreign))
		return err_status(err, OVL_USAGE,
			"%s is not a store of Docker, podman or containerd",
			Q(req->from));
	if (rc == 0 && *(*out)->foreign->unread.text && !(*out)->foreign->n_layers) {
		*err = (*out)->foreign->unread;
		rc = err_prefix(err, -EUCLEAN, "%s", Q(req->from));
	}
	return rc;
}

/* Opens both stores again through one private copy of a mount, unless they are on the same
 * mount already: files on different mounts cannot be linked. */
static int bring_together(
	struct ovl_store *st, struct ovl_store *other, struct ovl_err *err)
{
	struct foreign *t = other->foreign;
	int both[2];
	int rc = mount_together(
		st->fd, other->fd, t->layers_dir ? t->layers_dir : ".", both);

	if (rc < 0)
		store_warn(st,
			"the layers and %s cannot be reached through the same mount: files are "
			"copied",
			Q(st->root));
	if (rc > 0) {
		close(other->fd);
		other->fd = both[1];
		rc = store_move(st, both[0], err);
		if (rc < 0) {
			close(both[0]);
			return rc;
		}
	}
	t->root = other->fd;
	t->noatime = false;
	return 0;
}

static int adopt(struct ovl_store *st, const struct ovl_adopt *req, struct images *im,
	struct ovl_ids *ids, struct ovl_err *err)
{
	const struct ovl_import how = {
		.file = req->from,
		.name = req->name,
		.force = req->force,
		.no_names = req->no_names,
	};
	int rc;

	for (size_t at = 0; at < im->notes.len; at += strlen(im->notes.data + at) + 1)
		store_warn(st, "%s", im->notes.data + at);
	if (!im->n)
		return err_status(err, OVL_NOLAYER,
			"%s has no image that can be taken over", Q(req->from));
	rc = image_store(st, &how, im, ids, err);
	if (rc < 0)
		free_p(&ids->id);
	return rc < 0 && rc != -EINTR ? err_prefix(err, rc, "%s", Q(req->from)) : rc;
}

int ovl_adopt(struct ovl_store *st, const struct ovl_adopt *req, struct ovl_ids *ids,
	struct ovl_err *err)
{
	auto_store other = NULL;
	auto_images im = {0};
	struct ovl_ids made = {0};
	int rc = req->name ? name_check(req->name, NULL, err) : 0;

	if (rc == 0)
		rc = open_other(st, req, &other, err);
	if (rc == 0)
		rc = bring_together(st, other, err);
	im.other = other;
	im.unverified = req->unverified;
	if (rc == 0)
		rc = read_images(req->images, &im, err);
	if (rc < 0)
		return rc;
	rc = adopt(st, req, &im, &made, err);
	if (rc == 0) {
		*ids = made;
		ingest_warn_left(st);
	}
	return rc;
}
