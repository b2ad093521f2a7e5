/* SPDX-License-Identifier: ISC */
/* Layers, names and configs of another program's store, and the origin that layers of
 * ours note if they were taken from one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "foreign/foreign.h"
#include "store/layer_foreign.h"
#include "store/store.h"

/* ---- layers ----------------------------------------------------------------------- */

const struct foreign_layer *layer_foreign(
	const struct ovl_store *st, const struct ovl_id *id)
{
	return foreign_layer_find(st->foreign, id);
}

void layer_foreign_meta(const struct foreign_layer *f, struct meta *m)
{
	*m = (struct meta){
		.kind = f->kind,
		.has_parent = *f->parent.s,
		.parent = f->parent,
		.depth = f->depth,
		.lowers = f->lowers,
		.size = f->size < 0 ? 0 : (uint64_t)f->size,
		.unmeasured = f->size < 0,
		.created = f->created,
	};
	memcpy(m->diff_id, f->diff_id, sizeof(m->diff_id));
}

static int vanished(const struct ovl_store *st, const char *what, struct ovl_err *err)
{
	return err_status(err, OVL_NOLAYER, "layer %s has vanished: %s has removed it",
		Q(what), ovl_owner(st));
}

/* Does the layer still exist? True if that cannot be found out. */
static bool is_still_there(const struct ovl_store *st, const struct foreign_layer *l)
{
	const struct foreign *t = st->foreign;
	auto_fd tree = foreign_open(t, l->tree, O_PATH | O_DIRECTORY);
	const struct foreign_layer *found;
	struct foreign *now;
	struct ovl_err why;
	bool there;

	if (tree < 0)
		return errno != ENOENT;
	if (st->cfg.foreign->read(t->engine, t->root, t->noatime, false, &now, &why) < 0)
		return true;
	found = foreign_layer_find(now, &l->id);
	there = found ? l->fault || !found->fault : *now->unread.text;
	foreign_free(now);
	return there;
}

int layer_foreign_failed(const struct ovl_store *st, const struct foreign_layer *l,
	int rc, struct ovl_err *err)
{
	bool missed = rc == -ENOENT || rc == -EUCLEAN || rc == -EBADMSG;

	return l && missed && !is_still_there(st, l) ? vanished(st, l->id.s, err) : rc;
}

int layer_foreign_open(struct ovl_store *st, const struct layer_ref *ref,
	const char *what, struct layer *out, struct ovl_err *err)
{
	const struct foreign_layer *f = layer_foreign(st, &ref->id);
	struct layer l = {.st = st,
		.drv = st->drv,
		.drv_fd = st->foreign->root,
		.id = ref->id,
		.foreign = f};
	auto_free char *dir = NULL;

	if (!f)
		return err_status(err, OVL_NOLAYER, "no such layer %s", Q(what));
	if (f->fault)
		return err_say(err, EUCLEAN, "layer %s of %s cannot be used: %s", Q(what),
			ovl_owner(st), f->fault);
	dir = strndup(f->tree, (size_t)(layer_tree_name(&l) - f->tree));
	if (!dir)
		return err_nomem(err);
	l.fd = foreign_open(st->foreign, dir, O_RDONLY | O_DIRECTORY);
	if (l.fd < 0)
		return errno == ENOENT ?
			vanished(st, what, err) :
			err_sys(err, errno, "cannot open layer %s", Q(what));
	layer_foreign_meta(f, &l.meta);
	*out = l;
	return 0;
}

int layer_foreign_tree(
	const struct layer *l, const char *name, bool to_mount, struct ovl_err *err)
{
	int fd = to_mount ? fs_open_beneath(l->st->fd, name, O_PATH | O_DIRECTORY) :
			    foreign_open(l->st->foreign, name, O_RDONLY | O_DIRECTORY);

	if (fd >= 0)
		return fd;
	return errno == ENOENT ?
		err_status(err, OVL_NOLAYER,
			"lower layer %s has vanished: %s has removed it", Q(name),
			ovl_owner(l->st)) :
		err_sys(err, errno, "cannot open the tree %s of layer %.12s", Q(name),
			l->id.s);
}

int layer_foreign_each(struct ovl_store *st, layers_fn fn, void *ctx)
{
	const struct foreign *t = st->foreign;
	int r = 0;

	for (size_t i = 0; i < t->n_layers && r == 0; i++) {
		if (!t->layer[i].fault)
			r = fn(ctx, st->drv, t->root, t->layer[i].id.s);
	}
	return r;
}

int layer_foreign_children(const struct layer *l,
	int (*fn)(void *ctx, const struct layer_ref *child), void *ctx)
{
	const struct foreign *t = l->st->foreign;
	int r = 0;

	for (size_t i = l->foreign->child; i != FOREIGN_NONE && r == 0;
		i = t->layer[i].sibling) {
		const struct layer_ref ref = {.drv = l->drv, .id = t->layer[i].id};

		r = fn(ctx, &ref);
	}
	return r;
}

/* ---- names ------------------------------------------------------------------------ */

/* Finds the *n names that equal text, or start with it (prefix). image: only those of
 * images. */
static const struct foreign_name *names_of(
	const struct foreign *t, const char *text, bool prefix, bool image, size_t *n)
{
	const struct foreign_name *found = foreign_names_find(t, text, prefix, n);

	for (; image && *n && !found->config; --*n)
		found++;
	return *n ? found : NULL;
}

static const struct foreign_name *called(
	const struct foreign *t, const char *what, bool image, size_t *n)
{
	const struct foreign_name *found = names_of(t, what, false, image, n);
	char name[NAME_FORM_SIZE];

	for (unsigned i = 0; !found && name_form(what, i, name); i++)
		found = names_of(t, name, false, image, n);
	return found;
}

const struct foreign_name *layer_foreign_image(const struct foreign *t, const char *what)
{
	size_t n;
	const struct foreign_name *found = called(t, what, true, &n);

	if (found || !id_is_prefix(what))
		return found;
	found = names_of(t, what, true, true, &n);
	return n == 1 ? found : NULL;
}

int layer_foreign_named(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct ovl_err *err)
{
	size_t n;
	const struct foreign_name *found = called(st->foreign, name, false, &n);

	for (size_t i = 1; i < n; i++) {
		if (id_order(&found[i].layer, &found[0].layer) != 0)
			return err_status(err, OVL_USAGE,
				"%s is ambiguous: %zu layers have that name", Q(name), n);
	}
	if (n)
		*ref = (struct layer_ref){.drv = st->drv, .id = found->layer};
	return n != 0;
}

void layer_foreign_begun(struct ovl_store *st, const char *prefix,
	void (*fn)(void *ctx, const struct driver *drv, const char *id), void *ctx)
{
	size_t n;
	const struct foreign_name *found = foreign_names_find(
		st->foreign, prefix, true, &n);

	for (size_t i = 0; i < n; i++) {
		if (id_is_full(found[i].name))
			fn(ctx, st->drv, found[i].layer.s);
	}
}

static bool is_part(const struct foreign_layer *l, const char *path)
{
	size_t n = strlen(path);

	for (unsigned i = 0; i < l->n_more; i++) {
		if (strncmp(l->more[i], path, n) == 0 && l->more[i][n] == '/')
			return true;
	}
	return false;
}

/* What a directory in layers_dir is for; NULL: it is a layer, or part of one. */
static const char *use_of(const struct foreign *t, const char *name)
{
	const char *path = P("%s/%s", t->layers_dir, name);

	for (size_t i = 0; i < t->n_claims; i++) {
		if (strcmp(t->claim[i].path, path) == 0)
			return t->claim[i].whose;
	}
	for (size_t i = 0; i < t->n_layers; i++) {
		if (strcmp(t->layer[i].own_id, name) == 0 || is_part(&t->layer[i], path))
			return NULL;
	}
	return *t->unread.text ? t->unread.text :
				 "no record names it; see 'ovlctl check'";
}

int layer_foreign_no_layer(struct ovl_store *st, const char *what, struct ovl_err *err)
{
	const struct foreign *t = st->foreign;
	auto_fd fd = foreign_open(t, t->layers_dir, O_RDONLY | O_DIRECTORY);
	auto_fsdir d = fs_dir_at(fd < 0 ? -errno : fd, ".");
	size_t n = strlen(what);
	struct foreign *all = NULL;
	struct ovl_err why;
	const char *name;
	const char *use = NULL;
	bool found = false;
	int rc = 0;

	while (!found && fs_dir_next(&d, &name, NULL) > 0)
		found = strncmp(name, what, n) == 0 && (n >= 4 || !name[n]);
	if (found &&
		st->cfg.foreign->read(
			t->engine, t->root, t->noatime, false, &all, &why) == 0)
		use = use_of(all, name);
	if (use)
		rc = err_status(err, OVL_NOLAYER,
			"no such layer %s: directory %s is not one (%s)", Q(what),
			Q(P("%s/%s", t->layers_dir, name)), use);
	foreign_free(all);
	return rc;
}

static bool is_listed(const struct foreign_name *n)
{
	return n->listed && ovl_name_valid(n->name);
}

int layer_foreign_name(
	struct ovl_store *st, const struct layer_ref *ref, char out[NAME_LEN_MAX + 1])
{
	const struct foreign *t = st->foreign;
	const struct foreign_layer *f = layer_foreign(st, &ref->id);

	out[0] = '\0';
	for (size_t i = f ? f->name : FOREIGN_NONE; i != FOREIGN_NONE && !*out;
		i = t->name[i].next) {
		if (is_listed(&t->name[i]))
			strcpy(out, t->name[i].name);
	}
	return *out != '\0';
}

int layer_foreign_names(struct ovl_store *st,
	int (*fn)(void *ctx, const char *name, const struct layer_ref *ref), void *ctx)
{
	const struct foreign *t = st->foreign;
	int r = 0;

	for (size_t i = 0; i < t->n_names && r >= 0; i++) {
		const struct foreign_name *n = &t->name[i];
		const struct layer_ref ref = {.drv = st->drv, .id = n->layer};

		if (is_listed(n))
			r = fn(ctx, n->name, &ref);
	}
	return r < 0 ? r : 0;
}

/* ---- configs ---------------------------------------------------------------------- */

/* The next name of the layer that has a config, after n (NULL: the first); NULL: no
 * more. */
static const struct foreign_name *next_config(
	const struct layer *l, const struct foreign_name *n)
{
	const struct foreign *t = l->st->foreign;
	size_t i = n ? n->next : l->foreign->name;

	while (i != FOREIGN_NONE && !t->name[i].config)
		i = t->name[i].next;
	return i == FOREIGN_NONE ? NULL : &t->name[i];
}

void layer_foreign_configs(const struct layer *l, struct buf *out)
{
	const struct foreign_name *n = NULL;

	while ((n = next_config(l, n))) {
		if (!out->len || !strstr(out->data, n->config))
			buf_addf(out, "%s\n", n->config);
	}
}

int layer_foreign_config(const struct layer *l, const char *name, char hex[ID_LEN + 1])
{
	const struct foreign *t = l->st->foreign;
	const struct foreign_name *n = layer_foreign_image(t, name);

	if (!n || &t->layer[n->at] != l->foreign)
		return 0;
	memcpy(hex, n->config, ID_LEN + 1);
	return 1;
}

int layer_foreign_config_open(const struct layer *l, const char *hex)
{
	const struct foreign_name *n = NULL;
	int fd;

	while ((n = next_config(l, n))) {
		if (strcmp(n->config, hex) != 0)
			continue;
		fd = foreign_open_file(l->st->foreign, n->config_path, NULL);
		return fd < 0 ? fs_fail(-fd) : fd;
	}
	return fs_fail(ENOENT);
}

/* ---- taken over ------------------------------------------------------------------- */

bool layer_is_adopted(const struct layer *l)
{
	return !l->foreign && fs_exists(l->fd, LAYER_ADOPTED) > 0;
}

int layer_adopted(const struct layer *l, char **from, bool *verified)
{
	auto_buf text = {0};
	const char *path;

	*from = NULL;
	if (l->foreign || fs_read_file(l->fd, LAYER_ADOPTED, PATH_MAX + 16, &text) < 0)
		return text.failed ? -ENOMEM : 0;
	path = text.len ? strchr(text.data, ' ') : NULL;
	if (!path)
		return 0;
	*verified = text.data[0] == 'v';
	*from = strdup(path + 1);
	return *from ? 0 : -ENOMEM;
}

void layer_foreign_warn(const struct ovl_store *st)
{
	const struct foreign *t = st->foreign;
	size_t n = 0;

	for (size_t i = 0; i < t->n_layers; i++)
		n += t->layer[i].fault != NULL;
	if (*t->unread.text)
		store_warn(st, "%s; see 'ovlctl check'", t->unread.text);
	else if (n)
		store_warn(st, "%zu %s damaged and not listed; see 'ovlctl check'", n,
			n == 1 ? "layer is" : "layers are");
}
