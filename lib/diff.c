/* SPDX-License-Identifier: ISC */
/* ovl_diff and ovl_diff_tar: the changes of a layer, as a list or as a tar. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/namelist.h"
#include "codec/encode.h"
#include "content/changes.h"
#include "content/replay.h"
#include "store/layer.h"
#include "store/store.h"

/* ---- the list --------------------------------------------------------------------- */

struct lister {
	int (*fn)(void *ctx, const struct ovl_change *c);
	void *ctx;
};

static int list_one(void *ctx, const struct change *c, struct ovl_err *err)
{
	const struct lister *ls = ctx;

	return changes_tell(ls->fn, ls->ctx, c->kind, c->path, err);
}

/*
 * Compared with any base, a directory that is equal itself counts as changed if something
 * in it is, which is known only later. So these changes are collected first, in the
 * walk's order, which is that of namelist_find(). The type of a path is its kind, in
 * lower case while it is not to be printed.
 */
static int collect_one(void *ctx, const struct change *c, struct ovl_err *err)
{
	int kind = c->only_inside ? tolower(c->kind) : c->kind;

	return namelist_add(ctx, (unsigned char)kind, c->path) < 0 ? err_nomem(err) : 0;
}

/* Marks the nearest directory above a path for printing. */
static int want_parent(struct namelist *all, size_t i, struct ovl_err *err)
{
	auto_free char *path = strdup(namelist_name(all, i));
	size_t dir = all->n;
	char *slash;

	if (!path)
		return err_nomem(err);
	while (dir == all->n && (slash = strrchr(path, '/'))) {
		*slash = '\0';
		dir = namelist_find(all, path);
	}
	if (dir < all->n)
		namelist_set_type(
			all, dir, (unsigned char)toupper(namelist_type(all, dir)));
	return 0;
}

static int list_against(const struct lister *ls, const struct layer *l,
	const struct layer *base, struct ovl_err *err)
{
	auto_namelist all = {0};
	int rc = changes_walk(l, base, collect_one, &all, err);

	/* From the end, so that a directory comes after everything in it. */
	for (size_t i = all.n; rc == 0 && i-- > 0;) {
		if (isupper(namelist_type(&all, i)))
			rc = want_parent(&all, i, err);
	}
	for (size_t i = 0; i < all.n && rc == 0; i++) {
		const char *path = namelist_name(&all, i);

		if (isupper(namelist_type(&all, i)))
			rc = changes_tell(
				ls->fn, ls->ctx, (char)namelist_type(&all, i), path, err);
	}
	return rc;
}

int ovl_diff(struct ovl_store *st, const char *layer, const char *base,
	int (*fn)(void *ctx, const struct ovl_change *c), void *ctx, struct ovl_err *err)
{
	struct lister ls = {.fn = fn, .ctx = ctx};
	auto_layer l = LAYER_INIT;
	auto_layer b = LAYER_INIT;
	int rc = layer_open(st, layer, LOCK_SH, &l, err);

	if (rc == 0 && base)
		rc = layer_open(st, base, LOCK_SH, &b, err);
	if (rc == 0 && base && b.drv == l.drv && l.meta.has_parent &&
		strcmp(l.meta.parent.s, b.id.s) == 0 && !changes_compared(&l))
		base = NULL;
	if (rc == 0 && !base && changes_compared(&l)) {
		base = l.meta.parent.s;
		rc = layer_open_parent(&l, LOCK_SH, &b, err);
	}
	if (rc == 0 && base)
		rc = list_against(&ls, &l, &b, err);
	else if (rc == 0)
		rc = changes_walk(&l, NULL, list_one, &ls, err);
	return rc;
}

/* ---- the tar ---------------------------------------------------------------------- */

struct output {
	const struct ovl_store *st;
	int fd;
	struct encode *e;
	struct pace pace;
	struct ovl_progress done;
};

static int to_fd(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	const struct output *out = ctx;

	if (fs_write_until(out->fd, p, n, out->st->cfg.stop) == 0)
		return 0;
	return store_stopped(out->st) ? err_stopped(err) :
					err_sys(err, errno, "cannot write the tar");
}

static int to_encoder(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct output *out = ctx;

	out->done.bytes += n;
	if (pace_due(&out->pace, &out->st->cfg))
		out->st->cfg.progress(out->st->cfg.ctx, &out->done);
	return encode_write(out->e, p, n, err);
}

int ovl_diff_tar(struct ovl_store *st, const char *layer, int fd, const char *compress,
	struct ovl_err *err)
{
	struct output out = {.st = st, .fd = fd};
	auto_layer l = LAYER_INIT;
	int rc = layer_open(st, layer, LOCK_SH, &l, err);

	if (rc < 0)
		return rc;
	out.done.total = l.meta.tar_size;
	rc = encode_open(&out.e, compress, st->cfg.stop, to_fd, &out, err);
	if (rc < 0)
		return rc;
	rc = replay_or_pack(&l, to_encoder, &out, err);
	if (rc == 0)
		rc = encode_finish(out.e, err);
	encode_close(out.e);
	return rc;
}
