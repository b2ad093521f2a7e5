/* SPDX-License-Identifier: ISC */
/* Compression of what is written. */
#include <bzlib.h>
#include <errno.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/thread.h"
#include "codec/encode.h"
#include "codec/pargz.h"
#include "ovl.h"

#define OUT_SIZE (128 * 1024)

struct encoder {
	const char *name;
	const char *suffixes[4];
	/* Returns the compressor's state; NULL: out of memory. NULL: it has none */
	void *(*open)(void);
	/* Takes all of p; end: also ends the stream. 0, or -1 if the library failed. */
	int (*run)(struct encode *e, const void *p, size_t n, bool end);
	void (*close)(void *state);
};

struct encode {
	const struct encoder *codec;
	void *state;
	sink_fn sink;
	void *ctx;
	struct ovl_err *err; /* of the current call */
	int rc;
	unsigned char *out; /* OUT_SIZE */
	size_t used; /* of it, by "none" */
};

static int write_sink(struct encode *e, size_t n)
{
	if (n && e->rc == 0)
		e->rc = e->sink(e->ctx, e->out, n, e->err);
	return e->rc;
}

/* ---- none ------------------------------------------------------------------------- */

/* Gathers small pieces. */
static int none_run(struct encode *e, const void *p, size_t n, bool end)
{
	if (end || e->used + n > OUT_SIZE) {
		write_sink(e, e->used);
		e->used = 0;
	}
	if (n < OUT_SIZE) {
		memcpy(e->out + e->used, p, n);
		e->used += n;
	} else if (e->rc == 0) {
		e->rc = e->sink(e->ctx, p, n, e->err);
	}
	return e->rc;
}

/* ---- gzip ------------------------------------------------------------------------- */

static void *gz_open(void)
{
	return pargz_new(thread_cores());
}

static int gz_run(struct encode *e, const void *p, size_t n, bool end)
{
	e->rc = pargz_run(e->state, p, n, end, e->sink, e->ctx, e->err);
	return e->rc;
}

static void gz_close(void *state)
{
	pargz_free(state);
}

/* ---- zstd ------------------------------------------------------------------------- */

/* With workers the output differs from that without, but is the same for any number of
 * them. */
static void *zstd_open(void)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();

	if (z) {
		ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, 3);
		ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
		ZSTD_CCtx_setParameter(z, ZSTD_c_nbWorkers, (int)thread_cores());
	}
	return z;
}

static int zstd_run(struct encode *e, const void *p, size_t n, bool end)
{
	ZSTD_inBuffer in = {p, n, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {e->out, OUT_SIZE, 0};

		left = ZSTD_compressStream2(
			e->state, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -1;
		if (write_sink(e, out.pos) < 0)
			return 0;
	} while (in.pos < n || (end && left));
	return 0;
}

static void zstd_close(void *state)
{
	ZSTD_freeCCtx(state);
}

/* ---- xz --------------------------------------------------------------------------- */

static void *xz_open(void)
{
	lzma_stream *s = calloc(1, sizeof(*s));
	lzma_mt mt = {.threads = thread_cores(), .preset = 6, .check = LZMA_CHECK_CRC64};

	if (s && lzma_stream_encoder_mt(s, &mt) != LZMA_OK) {
		free(s);
		return NULL;
	}
	return s;
}

static int xz_run(struct encode *e, const void *p, size_t n, bool end)
{
	lzma_stream *s = e->state;
	lzma_ret r = LZMA_OK;

	s->next_in = p;
	s->avail_in = n;
	while (s->avail_in || (end && r != LZMA_STREAM_END)) {
		s->next_out = e->out;
		s->avail_out = OUT_SIZE;
		r = lzma_code(s, end ? LZMA_FINISH : LZMA_RUN);
		if (r != LZMA_OK && r != LZMA_STREAM_END)
			return -1;
		if (write_sink(e, OUT_SIZE - s->avail_out) < 0)
			return 0;
	}
	return 0;
}

static void xz_close(void *state)
{
	lzma_end(state);
	free(state);
}

/* ---- bzip2 ------------------------------------------------------------------------ */

static void *bz_open(void)
{
	bz_stream *s = calloc(1, sizeof(*s));

	if (s && BZ2_bzCompressInit(s, 9, 0, 0) != BZ_OK) {
		free(s);
		return NULL;
	}
	return s;
}

static int bz_run(struct encode *e, const void *p, size_t n, bool end)
{
	bz_stream *s = e->state;
	int r = BZ_RUN_OK;

	s->next_in = (char *)(uintptr_t)p;
	s->avail_in = (unsigned)n;
	while (s->avail_in || (end && r != BZ_STREAM_END)) {
		s->next_out = (char *)e->out;
		s->avail_out = OUT_SIZE;
		r = BZ2_bzCompress(s, end ? BZ_FINISH : BZ_RUN);
		if (r != BZ_RUN_OK && r != BZ_FINISH_OK && r != BZ_STREAM_END)
			return -1;
		if (write_sink(e, OUT_SIZE - s->avail_out) < 0)
			return 0;
	}
	return 0;
}

static void bz_close(void *state)
{
	BZ2_bzCompressEnd(state);
	free(state);
}

/* ---- lz4 -------------------------------------------------------------------------- */

#define LZ4_CHUNK 65536

struct lz4 {
	LZ4F_cctx *c;
	bool begun;
};

static const LZ4F_preferences_t lz4_prefs = {
	.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled},
};

static void *lz4_open(void)
{
	struct lz4 *z = calloc(1, sizeof(*z));

	if (z && LZ4F_isError(LZ4F_createCompressionContext(&z->c, LZ4F_VERSION))) {
		free(z);
		return NULL;
	}
	return z;
}

static int lz4_give(struct encode *e, size_t r)
{
	if (LZ4F_isError(r))
		return -1;
	return write_sink(e, r) < 0 ? -1 : 0;
}

static int lz4_run(struct encode *e, const void *p, size_t n, bool end)
{
	struct lz4 *z = e->state;
	const char *at = p;

	if (!z->begun &&
		lz4_give(e, LZ4F_compressBegin(z->c, e->out, OUT_SIZE, &lz4_prefs)) < 0)
		return -1;
	z->begun = true;
	while (n) {
		size_t now = n < LZ4_CHUNK ? n : LZ4_CHUNK;

		/* One chunk and what was held back always fit: the library's bound is
		 * lower. */
		if (lz4_give(e,
			    LZ4F_compressUpdate(z->c, e->out, OUT_SIZE, at, now, NULL)) <
			0)
			return -1;
		at += now;
		n -= now;
	}
	return end ? lz4_give(e, LZ4F_compressEnd(z->c, e->out, OUT_SIZE, NULL)) : 0;
}

static void lz4_close(void *state)
{
	struct lz4 *z = state;

	LZ4F_freeCompressionContext(z->c);
	free(z);
}

/* ----------------------------------------------------------------------------------- */

static const struct encoder codecs[] = {
	{"none", {NULL}, NULL, none_run, NULL},
	{"gzip", {".gz", ".tgz"}, gz_open, gz_run, gz_close},
	{"zstd", {".zst", ".tzst"}, zstd_open, zstd_run, zstd_close},
	{"xz", {".xz", ".txz"}, xz_open, xz_run, xz_close},
	{"bzip2", {".bz2", ".tbz"}, bz_open, bz_run, bz_close},
	{"lz4", {".lz4"}, lz4_open, lz4_run, lz4_close},
};

#define N_CODECS (sizeof(codecs) / sizeof(codecs[0]))

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s);
	size_t m = strlen(end);

	return n > m && strcmp(s + n - m, end) == 0;
}

const char *ovl_compression_of(const char *file)
{
	for (size_t i = 0; i < N_CODECS; i++) {
		for (const char *const *s = codecs[i].suffixes; *s; s++) {
			if (ends_with(file, *s))
				return codecs[i].name;
		}
	}
	return codecs[0].name;
}

/* NULL, with the names that there are in err. */
static const struct encoder *find_codec(const char *compress, struct ovl_err *err)
{
	char names[64] = "";

	for (size_t i = 0; i < N_CODECS; i++) {
		size_t n = strlen(names);

		if (strcmp(codecs[i].name, compress) == 0)
			return &codecs[i];
		snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "",
			codecs[i].name);
	}
	err_status(err, OVL_USAGE, "unknown compression '%s'; the compressions are %s",
		compress, names);
	return NULL;
}

int ovl_compression_check(const char *compress, struct ovl_err *err)
{
	return find_codec(compress, err) ? 0 : -EINVAL;
}

static int run(struct encode *e, const void *p, size_t n, bool end, struct ovl_err *err)
{
	int r;

	if (e->rc < 0)
		return e->rc;
	e->err = err;
	r = e->codec->run(e, p, n, end);
	if (e->rc == 0 && r < 0)
		e->rc = err_say(err, EIO, "cannot compress with %s", e->codec->name);
	return e->rc;
}

int encode_write(struct encode *e, const void *p, size_t n, struct ovl_err *err)
{
	const size_t most = 1u << 30; /* the libraries take an int */
	const char *at = p;
	int rc = 0;

	while (n && rc == 0) {
		size_t now = n < most ? n : most;

		rc = run(e, at, now, false, err);
		at += now;
		n -= now;
	}
	return rc;
}

int encode_finish(struct encode *e, struct ovl_err *err)
{
	return run(e, "", 0, true, err);
}

int encode_open(struct encode **out, const char *compress, sink_fn sink, void *ctx,
	struct ovl_err *err)
{
	const struct encoder *codec = find_codec(compress, err);
	struct encode *e;

	if (!codec)
		return -EINVAL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return err_nomem(err);
	e->codec = codec;
	e->sink = sink;
	e->ctx = ctx;
	e->state = codec->open ? codec->open() : NULL;
	e->out = malloc(OUT_SIZE);
	if ((codec->open && !e->state) || !e->out) {
		encode_close(e);
		return err_nomem(err);
	}
	*out = e;
	return 0;
}

void encode_close(struct encode *e)
{
	if (!e)
		return;
	if (e->state)
		e->codec->close(e->state);
	free(e->out);
	free(e);
}
