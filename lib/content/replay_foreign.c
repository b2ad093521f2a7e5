/* SPDX-License-Identifier: ISC */
/* The tar of a layer of another program: as that has kept it, or else packed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/quote.h"
#include "codec/stream.h"
#include "content/pack.h"
#include "content/replay.h"
#include "foreign/foreign.h"
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

/* 1: all of it; 0: the blob is gone. */
static int give_blob(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err)
{
	const char *path = l->foreign->exact_path;
	auto_fd fd = foreign_open(l->st->foreign, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	const struct stream_config cfg = {
		.fd = fd, .max_size = OVL_MAX_SIZE, .stop = l->st->cfg.stop};
	struct stream *in;
	char hex[ID_LEN + 1];
	int rc;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, errno, "cannot read %s", Q(path));
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

/* Then the tar may come out as it was, but need not. */
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

int replay_foreign(const struct layer *l, sink_fn sink, void *ctx, struct ovl_err *err)
{
	int rc = l->foreign->exact == FOREIGN_BLOB ? give_blob(l, sink, ctx, err) : 0;

	return rc == 0 ? pack(l, sink, ctx, err) : rc < 0 ? rc : 0;
}
