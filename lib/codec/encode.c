/* SPDX-License-Identifier: ISC */
/* Compresses output. */
#include <bzlib.h>
#include <errno.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/text.h"
#include "base/thread.h"
#include "codec/decode.h"
#include "codec/encode.h"
#include "codec/pargz.h"
#include "ovl.h"

/* A step of a compressor needs half of it. */
#define OUT_SIZE (256 * 1024)

struct encoder {
	const char *name;
	const char *suffixes[4];
	bool (*init)(struct encode *e); /* false: out of memory */
	/* Reads from io->in, writes to io->out and advances both; end: there is no more
	 * input. 1: the stream has ended, 0: not yet, -1: the library failed. */
	int (*step)(struct encode *e, struct decode_io *io, bool end);
	/* Instead of step: takes all of p and calls the sink. */
	int (*run)(struct encode *e, const void *p, size_t n, bool end);
	void (*release)(struct encode *e); /* called even if init failed */
};

struct encode {
	const struct encoder *codec;
	union {
		struct pargz *gz;
		ZSTD_CCtx *zstd;
		lzma_stream xz;
		bz_stream bz;
		LZ4F_cctx *lz4;
	};
	bool begun; /* lz4's frame has been started */
	const atomic_int *stop;
	sink_fn sink;
	void *ctx;
	struct ovl_err *err; /* error of the current call */
	int rc;
	unsigned char *out; /* OUT_SIZE */
	size_t used; /* bytes used in it */
};

/* ---- none ------------------------------------------------------------------------- */

static int flush_out(struct encode *e)
{
	if (e->used && e->rc == 0)
		e->rc = e->sink(e->ctx, e->out, e->used, e->err);
	e->used = 0;
	return e->rc;
}

/* Collects small pieces. */
static int none_run(struct encode *e, const void *p, size_t n, bool end)
{
	if (end || e->used + n > OUT_SIZE)
		flush_out(e);
	if (n < OUT_SIZE) {
		memcpy(e->out + e->used, p, n);
		e->used += n;
	} else if (e->rc == 0) {
		e->rc = e->sink(e->ctx, p, n, e->err);
	}
	return e->rc;
}

/* ---- gzip ------------------------------------------------------------------------- */

static bool gz_init(struct encode *e)
{
	e->gz = pargz_new(thread_cores());
	return e->gz;
}

static int gz_run(struct encode *e, const void *p, size_t n, bool end)
{
	return pargz_run(e->gz, p, n, end, e->sink, e->ctx, e->err);
}

static void gz_release(struct encode *e)
{
	pargz_free(e->gz);
}

/* ---- zstd ------------------------------------------------------------------------- */

/* The output with workers differs from that without, but does not depend on their
 * number. */
static bool zstd_init(struct encode *e)
{
	e->zstd = ZSTD_createCCtx();
	if (!e->zstd)
		return false;
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, 3);
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_nbWorkers, (int)thread_cores());
	return true;
}

static int zstd_step(struct encode *e, struct decode_io *io, bool end)
{
	ZSTD_inBuffer in = {io->in, io->in_len, 0};
	ZSTD_outBuffer out = {io->out, io->out_len, 0};
	size_t left = ZSTD_compressStream2(
		e->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);

	decode_moved(io, in.pos, out.pos);
	return ZSTD_isError(left) ? -1 : end && left == 0;
}

static void zstd_release(struct encode *e)
{
	ZSTD_freeCCtx(e->zstd);
}

/* ---- xz --------------------------------------------------------------------------- */

/* A step waits for threads that compress 24 MiB each, but no longer than the timeout, so
 * that a stop is noticed. */
static bool xz_init(struct encode *e)
{
	lzma_mt mt = {.threads = thread_cores(),
		.timeout = 100,
		.preset = 6,
		.check = LZMA_CHECK_CRC64};

	return lzma_stream_encoder_mt(&e->xz, &mt) == LZMA_OK;
}

static int xz_step(struct encode *e, struct decode_io *io, bool end)
{
	lzma_stream *s = &e->xz;
	lzma_ret r;

	s->next_in = io->in;
	s->avail_in = io->in_len;
	s->next_out = io->out;
	s->avail_out = io->out_len;
	r = lzma_code(s, end ? LZMA_FINISH : LZMA_RUN);
	decode_moved(io, io->in_len - s->avail_in, io->out_len - s->avail_out);
	return r == LZMA_STREAM_END ? 1 : r == LZMA_OK ? 0 : -1;
}

static void xz_release(struct encode *e)
{
	lzma_end(&e->xz);
}

/* ---- bzip2 ------------------------------------------------------------------------ */

static bool bz_init(struct encode *e)
{
	return BZ2_bzCompressInit(&e->bz, 9, 0, 0) == BZ_OK;
}

static int bz_step(struct encode *e, struct decode_io *io, bool end)
{
	bz_stream *s = &e->bz;
	int r;

	s->next_in = (char *)(uintptr_t)io->in;
	s->avail_in = (unsigned)io->in_len;
	s->next_out = (char *)io->out;
	s->avail_out = (unsigned)io->out_len;
	r = BZ2_bzCompress(s, end ? BZ_FINISH : BZ_RUN);
	decode_moved(io, io->in_len - s->avail_in, io->out_len - s->avail_out);
	return r == BZ_STREAM_END ? 1 : r == BZ_RUN_OK || r == BZ_FINISH_OK ? 0 : -1;
}

static void bz_release(struct encode *e)
{
	BZ2_bzCompressEnd(&e->bz);
}

/* ---- lz4 -------------------------------------------------------------------------- */

#define LZ4_CHUNK 65536

static bool lz4_init(struct encode *e)
{
	return !LZ4F_isError(LZ4F_createCompressionContext(&e->lz4, LZ4F_VERSION));
}

/* OUT_SIZE is above the library's bound for a chunk and the bytes held back. */
static int lz4_step(struct encode *e, struct decode_io *io, bool end)
{
	static const LZ4F_preferences_t prefs = {
		.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled},
	};
	size_t in = io->in_len < LZ4_CHUNK ? io->in_len : LZ4_CHUNK;
	bool ends = e->begun && end;
	size_t out;

	if (!e->begun)
		out = LZ4F_compressBegin(e->lz4, io->out, io->out_len, &prefs);
	else if (ends)
		out = LZ4F_compressEnd(e->lz4, io->out, io->out_len, NULL);
	else
		out = LZ4F_compressUpdate(e->lz4, io->out, io->out_len, io->in, in, NULL);
	if (LZ4F_isError(out))
		return -1;
	decode_moved(io, e->begun ? in : 0, out);
	e->begun = true;
	return ends;
}

static void lz4_release(struct encode *e)
{
	LZ4F_freeCompressionContext(e->lz4);
}

/* ----------------------------------------------------------------------------------- */

static const struct encoder codecs[] = {
	{"none", {NULL}, .run = none_run},
	{"gzip", {".gz", ".tgz"}, gz_init, NULL, gz_run, gz_release},
	{"zstd", {".zst", ".tzst"}, zstd_init, zstd_step, NULL, zstd_release},
	{"xz", {".xz", ".txz"}, xz_init, xz_step, NULL, xz_release},
	{"bzip2", {".bz2", ".tbz"}, bz_init, bz_step, NULL, bz_release},
	{"lz4", {".lz4"}, lz4_init, lz4_step, NULL, lz4_release},
};

#define N_CODECS (sizeof(codecs) / sizeof(codecs[0]))

const char *ovl_compression_of(const char *file)
{
	for (size_t i = 0; i < N_CODECS; i++) {
		for (const char *const *s = codecs[i].suffixes; *s; s++) {
			if (text_ends(file, *s))
				return codecs[i].name;
		}
	}
	return codecs[0].name;
}

/* NULL, with the names of all codecs in err. */
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

static int run_steps(struct encode *e, const void *p, size_t n, bool end)
{
	struct decode_io io = {p, n, NULL, 0};
	int r = 0;

	while (e->rc == 0 && (io.in_len || (end && r == 0))) {
		io.out = e->out + e->used;
		io.out_len = OUT_SIZE - e->used;
		if (e->stop && *e->stop)
			return err_stopped(e->err);
		r = e->codec->step(e, &io, end);
		e->used = OUT_SIZE - io.out_len;
		if (r < 0)
			return err_say(
				e->err, EIO, "cannot compress with %s", e->codec->name);
		if (r || e->used > OUT_SIZE / 2)
			flush_out(e);
	}
	return e->rc;
}

static int run(struct encode *e, const void *p, size_t n, bool end, struct ovl_err *err)
{
	if (e->rc < 0)
		return e->rc;
	e->err = err;
	e->rc = e->codec->run ? e->codec->run(e, p, n, end) : run_steps(e, p, n, end);
	return e->rc;
}

int encode_write(void *e, const void *p, size_t n, struct ovl_err *err)
{
	return run(e, p, n, false, err);
}

int encode_finish(struct encode *e, struct ovl_err *err)
{
	return run(e, "", 0, true, err);
}

int encode_open(struct encode **out, const char *compress, const atomic_int *stop,
	sink_fn sink, void *ctx, struct ovl_err *err)
{
	const struct encoder *codec = find_codec(compress, err);
	struct encode *e;

	if (!codec)
		return -EINVAL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return err_nomem(err);
	e->codec = codec;
	e->stop = stop;
	e->sink = sink;
	e->ctx = ctx;
	e->out = malloc(OUT_SIZE);
	if (!e->out || (codec->init && !codec->init(e))) {
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
	if (e->codec->release)
		e->codec->release(e);
	free(e->out);
	free(e);
}
