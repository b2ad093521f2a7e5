/* SPDX-License-Identifier: ISC */
/* Decompression: the codec is recognised by the first bytes of the input. */
#include <bzlib.h>
#include <errno.h>
#include <lz4frame.h>
#include <lzma.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/decode.h"

static unsigned clamp(size_t n)
{
	return n > 1u << 30 ? 1u << 30 : (unsigned)n;
}

/* ---- large windows ---------------------------------------------------------------- */

/* Layers are decoded side by side, but those that need more than this one after the
 * other, so that there is one large window and not one for each. */
#define SMALL_WINDOW_LOG 23

static pthread_mutex_t large_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t large_free = PTHREAD_COND_INITIALIZER;
static bool large_taken;

static void take_large(bool *mine)
{
	pthread_mutex_lock(&large_mutex);
	while (large_taken)
		pthread_cond_wait(&large_free, &large_mutex);
	large_taken = *mine = true;
	pthread_mutex_unlock(&large_mutex);
}

static void give_large(bool *mine)
{
	if (!*mine)
		return;
	pthread_mutex_lock(&large_mutex);
	large_taken = *mine = false;
	pthread_cond_signal(&large_free);
	pthread_mutex_unlock(&large_mutex);
}

/* ---- none ------------------------------------------------------------------------- */

static bool is_any(const unsigned char *p, size_t n)
{
	(void)p;
	(void)n;
	return true;
}

static void *none_open(void)
{
	static char nothing;

	return &nothing;
}

static int none_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	size_t n = io->in_len < io->out_len ? io->in_len : io->out_len;

	(void)state;
	(void)err;
	memcpy(io->out, io->in, n);
	decode_moved(io, n, n);
	return 1;
}

static void none_close(void *state)
{
	(void)state;
}

/* ---- zstd ------------------------------------------------------------------------- */

static bool is_zstd(const unsigned char *p, size_t n)
{
	static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd};
	static const unsigned char skippable[] = {0x2a, 0x4d, 0x18};

	return n >= 4 &&
		(memcmp(p, frame, 4) == 0 ||
			((p[0] & 0xf0) == 0x50 && memcmp(p + 1, skippable, 3) == 0));
}

struct zstd {
	ZSTD_DCtx *d;
	bool large;
	unsigned char head[18]; /* of the frame, as much of it as was taken */
	size_t n_head;
};

static void zstd_close(void *state)
{
	struct zstd *z = state;

	ZSTD_freeDCtx(z->d);
	give_large(&z->large);
	free(z);
}

static void *zstd_open(void)
{
	struct zstd *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->d = ZSTD_createDCtx();
	if (!z->d) {
		free(z);
		return NULL;
	}
	ZSTD_DCtx_setParameter(z->d, ZSTD_d_windowLogMax, SMALL_WINDOW_LOG);
	return z;
}

/* The frame from its beginning, as far as it was taken, with a larger limit. */
static size_t zstd_again(struct zstd *z)
{
	ZSTD_inBuffer in = {z->head, z->n_head, 0};
	ZSTD_outBuffer out = {z->head, 0, 0};

	take_large(&z->large);
	ZSTD_DCtx_reset(z->d, ZSTD_reset_session_only);
	ZSTD_DCtx_setParameter(z->d, ZSTD_d_windowLogMax, DECODE_WINDOW_LOG);
	return z->n_head ? ZSTD_decompressStream(z->d, &out, &in) : 1;
}

static void zstd_keep_head(struct zstd *z, const unsigned char *p, size_t n)
{
	size_t room = sizeof(z->head) - z->n_head;

	n = n < room ? n : room;
	memcpy(z->head + z->n_head, p, n);
	z->n_head += n;
}

static int zstd_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	struct zstd *z = state;
	ZSTD_inBuffer in = {io->in, io->in_len, 0};
	ZSTD_outBuffer out = {io->out, io->out_len, 0};
	size_t r = ZSTD_decompressStream(z->d, &out, &in);

	if (ZSTD_getErrorCode(r) == ZSTD_error_frameParameter_windowTooLarge &&
		!z->large) {
		r = zstd_again(z);
		in.pos = out.pos = 0;
		if (!ZSTD_isError(r))
			r = ZSTD_decompressStream(z->d, &out, &in);
	}
	if (in.pos)
		zstd_keep_head(z, io->in, in.pos);
	if (r == 0)
		z->n_head = 0;
	decode_moved(io, in.pos, out.pos);
	if (ZSTD_isError(r))
		return decode_damaged(err, "zstd", ZSTD_getErrorName(r));
	return r == 0;
}

/* ---- xz --------------------------------------------------------------------------- */

static bool is_xz(const unsigned char *p, size_t n)
{
	static const unsigned char magic[] = {0xfd, '7', 'z', 'X', 'Z', 0};

	return n >= sizeof(magic) && memcmp(p, magic, sizeof(magic)) == 0;
}

/* Several streams and their padding are liblzma's to join; the end must be told, so the
 * state keeps what the last call said. */
struct xz {
	lzma_stream s;
	bool ended;
	bool large;
};

static uint64_t xz_limit(unsigned window_log)
{
	return (UINT64_C(1) << window_log) + (1 << 20);
}

static void *xz_open(void)
{
	const uint64_t limit = xz_limit(SMALL_WINDOW_LOG);
	struct xz *xz = calloc(1, sizeof(*xz));

	if (xz &&
		lzma_stream_decoder(&xz->s, limit,
			LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK) {
		free(xz);
		return NULL;
	}
	return xz;
}

static const char *xz_error(lzma_ret r)
{
	switch (r) {
	case LZMA_MEMLIMIT_ERROR: return "its dictionary is over 128 MiB";
	case LZMA_FORMAT_ERROR: return "garbage after its end";
	case LZMA_OPTIONS_ERROR: return "options this decoder does not know";
	case LZMA_UNSUPPORTED_CHECK: return "a checksum this decoder does not know";
	default: return "not valid";
	}
}

static int xz_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	struct xz *xz = state;
	lzma_ret r;

	if (xz->ended && !io->in_len)
		return 1;
	xz->s.next_in = io->in;
	xz->s.avail_in = io->in_len;
	xz->s.next_out = io->out;
	xz->s.avail_out = io->out_len;
	/* No input is how the caller says that there will be none. */
	r = lzma_code(&xz->s, io->in_len ? LZMA_RUN : LZMA_FINISH);
	if (r == LZMA_MEMLIMIT_ERROR && !xz->large) {
		take_large(&xz->large);
		lzma_memlimit_set(&xz->s, xz_limit(DECODE_WINDOW_LOG));
		r = lzma_code(&xz->s, io->in_len ? LZMA_RUN : LZMA_FINISH);
	}
	decode_moved(io, io->in_len - xz->s.avail_in, io->out_len - xz->s.avail_out);
	if (r == LZMA_STREAM_END) {
		xz->ended = true;
		return 1;
	}
	if (r == LZMA_OK || r == LZMA_BUF_ERROR)
		return 0;
	if (r == LZMA_MEM_ERROR)
		return err_nomem(err);
	return decode_damaged(err, "xz", xz_error(r));
}

static void xz_close(void *state)
{
	struct xz *xz = state;

	lzma_end(&xz->s);
	give_large(&xz->large);
	free(xz);
}

/* ---- bzip2 ------------------------------------------------------------------------ */

struct bz {
	bz_stream s;
	bool ended;
};

static bool is_bzip2(const unsigned char *p, size_t n)
{
	static const unsigned char block[] = {0x31, 0x41, 0x59, 0x26, 0x53, 0x59};
	static const unsigned char end[] = {0x17, 0x72, 0x45, 0x38, 0x50, 0x90};

	return n >= 10 && memcmp(p, "BZh", 3) == 0 && p[3] >= '1' && p[3] <= '9' &&
		(memcmp(p + 4, block, 6) == 0 || memcmp(p + 4, end, 6) == 0);
}

static void *bz_open(void)
{
	struct bz *bz = calloc(1, sizeof(*bz));

	if (bz && BZ2_bzDecompressInit(&bz->s, 0, 0) != BZ_OK) {
		free(bz);
		return NULL;
	}
	return bz;
}

static int bz_again(struct bz *bz, struct decode_io *io, struct ovl_err *err)
{
	if (io->in[0] != 'B')
		return decode_damaged(err, "bzip2", "garbage after its end");
	BZ2_bzDecompressEnd(&bz->s);
	memset(&bz->s, 0, sizeof(bz->s));
	bz->ended = false;
	return BZ2_bzDecompressInit(&bz->s, 0, 0) == BZ_OK ? 0 : err_nomem(err);
}

static int bz_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	struct bz *bz = state;
	unsigned in = clamp(io->in_len);
	unsigned out = clamp(io->out_len);
	int r;

	if (bz->ended) {
		r = io->in_len ? bz_again(bz, io, err) : 1;
		if (r)
			return r;
	}
	bz->s.next_in = (char *)(uintptr_t)io->in;
	bz->s.avail_in = in;
	bz->s.next_out = (char *)io->out;
	bz->s.avail_out = out;
	r = BZ2_bzDecompress(&bz->s);
	decode_moved(io, in - bz->s.avail_in, out - bz->s.avail_out);
	if (r == BZ_STREAM_END) {
		bz->ended = true;
		return 1;
	}
	if (r == BZ_OK)
		return 0;
	if (r == BZ_MEM_ERROR)
		return err_nomem(err);
	return decode_damaged(err, "bzip2", "not valid");
}

static void bz_close(void *state)
{
	struct bz *bz = state;

	BZ2_bzDecompressEnd(&bz->s);
	free(bz);
}

/* ---- lz4 -------------------------------------------------------------------------- */

static bool is_lz4(const unsigned char *p, size_t n)
{
	static const unsigned char magic[] = {0x04, 0x22, 0x4d, 0x18};

	return n >= 4 && memcmp(p, magic, 4) == 0;
}

static void *lz4_open(void)
{
	LZ4F_dctx *d = NULL;

	return LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)) ? NULL : d;
}

static int lz4_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	size_t in = io->in_len;
	size_t out = io->out_len;
	size_t r = LZ4F_decompress(state, io->out, &out, io->in, &in, NULL);

	decode_moved(io, in, out);
	if (LZ4F_isError(r))
		return decode_damaged(err, "lz4", LZ4F_getErrorName(r));
	return r == 0;
}

static void lz4_close(void *state)
{
	LZ4F_freeDecompressionContext(state);
}

/* ----------------------------------------------------------------------------------- */

static const struct codec codecs[] = {
	{"zstd", is_zstd, zstd_open, zstd_run, zstd_close},
	{"xz", is_xz, xz_open, xz_run, xz_close},
	{"bzip2", is_bzip2, bz_open, bz_run, bz_close},
	{"lz4", is_lz4, lz4_open, lz4_run, lz4_close},
	{"none", is_any, none_open, none_run, none_close},
};

const struct codec *decode_detect(const unsigned char *p, size_t n)
{
	const struct codec *c = codecs;

	if (gunzip_by_zlib->is(p, n))
		return gunzip_best();
	while (!c->is(p, n))
		c++;
	return c;
}
