/* SPDX-License-Identifier: ISC */
/* ovl_diff and ovl_diff_tar: the changes of a layer, as a list or as a tar. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/vec.h"
#include "codec/encode.h"
#include "content/changes.h"
#include "content/replay.h"
#include "store/layer.h"
#include "store/store.h"

/* ---- the list --------------------------------------------------------------------- */

struct lister {
	int (*fn)(void *ctx, const struct ovl_change *c);
	void *ctx;
	struct buf path;
};

static int report(struct lister *ls, char kind, const char *path, size_t len)
{
	struct ovl_change out = {.kind = kind};

	buf_clear(&ls->path);
	buf_add(&ls->path, "/", 1);
	buf_add(&ls->path, path, len);
	if (ls->path.failed)
		return -ENOMEM;
	out.path = ls->path.data;
	out.path_len = ls->path.len;
	return ls->fn(ls->ctx, &out);
}

static int list_one(
	void *ctx, struct changes *walk, const struct change *c, struct ovl_err *err)
{
	(void)walk;
	(void)err;
	return c->path_len ? report(ctx, c->kind, c->path, c->path_len) : 0;
}

/*
 * Compared with any base, an equal directory counts as changed if something in it is,
 * which is known only later: so these changes are collected first.
 */
struct record {
	char kind;
	bool wanted;
	bool parents_wanted; /* its parent directories are wanted, too */
	char *path;
};

struct records {
	struct record *rec;
	size_t n;
};

static int collect_one(
	void *ctx, struct changes *walk, const struct change *c, struct ovl_err *err)
{
	struct records *all = ctx;
	struct record *r;

	(void)walk;
	if (!VEC_ROOM(all->rec, all->n))
		return err_nomem(err);
	r = &all->rec[all->n];
	r->kind = c->kind;
	r->wanted = !c->only_inside;
	r->parents_wanted = false;
	r->path = strdup(c->path);
	if (!r->path)
		return err_nomem(err);
	all->n++;
	return 0;
}

static int by_record_path(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->path, ((const struct record *)b)->path);
}

static struct record *find_record(const struct records *all, char *path)
{
	struct record key = {.path = path};

	return bsearch(&key, all->rec, all->n, sizeof(key), by_record_path);
}

/* Marks the directories above a wanted path. The walk's order is that of bsearch. */
static void want_parents(const struct records *all, const struct record *r)
{
	char *slash;

	while ((slash = strrchr(r->path, '/'))) {
		struct record *dir;

		*slash = '\0';
		dir = find_record(all, r->path);
		if (dir && dir->parents_wanted)
			break;
		if (dir)
			dir->wanted = dir->parents_wanted = true;
	}
}

static int give_wanted(struct lister *ls, const struct records *all, struct ovl_err *err)
{
	for (size_t i = 0; i < all->n; i++) {
		struct record copy = all->rec[i];

		if (!copy.wanted || !strchr(copy.path, '/'))
			continue;
		copy.path = strdup(copy.path);
		if (!copy.path)
			return err_nomem(err);
		want_parents(all, &copy);
		free(copy.path);
	}
	for (size_t i = 0; i < all->n; i++) {
		const struct record *r = &all->rec[i];
		int rc = r->wanted ? report(ls, r->kind, r->path, strlen(r->path)) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

static int list_against(struct lister *ls, const struct layer *l,
	const struct layer *base, struct ovl_err *err)
{
	struct records all = {0};
	int rc = changes_walk(l, base, collect_one, &all, err);

	if (rc == 0)
		rc = give_wanted(ls, &all, err);
	for (size_t i = 0; i < all.n; i++)
		free(all.rec[i].path);
	free(all.rec);
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
	buf_release(&ls.path);
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
	rc = encode_open(&out.e, compress, to_fd, &out, err);
	if (rc < 0)
		return rc;
	rc = replay_or_pack(&l, to_encoder, &out, err);
	if (rc == 0)
		rc = encode_finish(out.e, err);
	encode_close(out.e);
	return rc;
}
