/* SPDX-License-Identifier: ISC */
/* Decides how the tar of a layer is made: rebuilt or packed. For an image layer of
 * another program, it is rebuilt from what that program has kept, or packed if it has
 * kept nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/quote.h"
#include "codec/stream.h"
#include "content/pack.h"
#include "content/replay.h"
#include "foreign/foreign.h"
#include "store/layer_foreign.h"
#include "store/store.h"

/* ---- from a blob ------------------------------------------------------------------ */

static int give_blocks(struct stream *in, sink_fn sink, void *ctx, struct ovl_err *err)
{
	const void *block;
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = stream_next(in, &block, err)) != 0) {
		rc = n < 0 ? (int)n : sink(ctx, block, (size_t)n, err);
		if (n > 0)
			stream_release(in);
	}
	return rc;
}

/* 1: all of it was written; 0: the blob does not exist. */
static int give_blob(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err)
{
	const char *path = l->foreign->exact_path;
	auto_fd fd = foreign_open_file(l->st->foreign, path, err);
	const struct stream_config cfg = {
		.fd = fd, .max_size = OVL_MAX_SIZE, .stop = l->st->cfg.stop};
	struct stream *in;
	char hex[ID_LEN + 1];
	int rc;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	rc = stream_open(&in, &cfg, err);
	if (rc < 0)
		return err_prefix(err, rc, "%s", Q(path));
	rc = give_blocks(in, sink, ctx, err);
	if (rc == 0)
		rc = stream_digest(in, hex, err);
	stream_close(in);
	if (rc == 0 && strcmp(hex, l->meta.diff_id) != 0)
		rc = err_say(err, EUCLEAN, "it has the diff id sha256:%s", hex);
	return rc < 0 ?
		err_prefix(err, rc, "%s, which should be layer %.12s", Q(path), l->id.s) :
		1;
}

/* ---- from a tar-split ------------------------------------------------------------- */

void replay_close_trees(struct replay_trees *t)
{
	while (t->n)
		close(t->fd[--t->n]);
	free(steal(t->fd));
}

int replay_open_trees(const struct foreign *f, const struct foreign_layer *l,
	struct replay_trees *out, struct ovl_err *err)
{
	*out = (struct replay_trees){.fd = calloc(l->n_more + 1, sizeof(int))};
	if (!out->fd)
		return err_nomem(err);
	while (out->n <= l->n_more) {
		const char *path = out->n ? l->more[out->n - 1] : l->tree;
		int fd = foreign_open(f, path, O_PATH | O_DIRECTORY);

		if (fd < 0)
			return err_sys(err, errno, "cannot open %s", Q(path));
		out->fd[out->n++] = fd;
	}
	return 0;
}

/* 1: all of it was written; 0: nothing, because the tar-split does not exist, is damaged
 * or belongs to other files. */
static int give_split(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err)
{
	auto_trees trees = {0};
	auto_fd fd = foreign_open_file(l->st->foreign, l->foreign->exact_path, err);
	struct replay_split from = {
		.st = l->st,
		.layer = l->foreign,
		.trees = &trees,
		.split = fd,
		.only_look = true,
	};
	int rc;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	rc = replay_open_trees(l->st->foreign, l->foreign, &trees, err);
	/* Once the sink has received something, the layer can no longer be packed
	 * instead. */
	if (rc == 0)
		rc = replay_split(&from, sink, ctx, err);
	if (rc == -EUCLEAN || rc == -EBADMSG) {
		store_detail(l->st, "%s", err->text);
		return 0;
	}
	from.only_look = false;
	if (rc == 0)
		rc = replay_split(&from, sink, ctx, err);
	return rc < 0 ? rc : 1;
}

/* ---- packed ----------------------------------------------------------------------- */

struct summed {
	sink_fn sink;
	void *ctx;
	struct digest digest;
};

static int to_summed(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	struct summed *s = ctx;
	int rc = digest_update(&s->digest, p, n, err);

	return rc < 0 ? rc : s->sink(s->ctx, p, n, err);
}

/* The tar may then be identical to the original, but need not be. */
static int pack(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err)
{
	struct summed s = {.sink = sink, .ctx = ctx};
	char hex[ID_LEN + 1];
	int rc = digest_init(&s.digest, err);

	if (rc == 0)
		rc = pack_layer(l, to_summed, &s, NULL, err);
	if (rc == 0)
		rc = digest_final(&s.digest, hex, err);
	if (rc == 0 && *l->meta.diff_id && strcmp(hex, l->meta.diff_id) != 0)
		store_warn(l->st,
			"layer %.12s was packed from its files: the tar differs from the one "
			"that %s unpacked, and so does its diff id",
			l->id.s, ovl_owner(l->st));
	return rc;
}

static int give_foreign(
	const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err)
{
	int rc = 0;

	if (l->foreign->exact == FOREIGN_BLOB)
		rc = give_blob(l, sink, ctx, err);
	else if (l->foreign->exact == FOREIGN_TAR_SPLIT)
		rc = give_split(l, sink, ctx, err);
	return rc == 0 ? pack(l, sink, ctx, err) : rc < 0 ? rc : 0;
}

int replay_or_pack(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err)
{
	int rc;

	if (l->meta.kind != OVL_IMAGE)
		rc = pack_layer(l, sink, ctx, NULL, err);
	else
		rc = l->foreign ? give_foreign(l, sink, ctx, err) :
				  replay_layer(l, sink, ctx, NULL, err);
	return layer_foreign_failed(l->st, l->foreign, rc, err);
}
