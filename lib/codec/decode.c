/* SPDX-License-Identifier: ISC */
/* Decompression: the codec is recognised by the first bytes of the input. */
#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/decode.h"

void *decode_open(const struct codec *c)
{
	void *state = calloc(1, c->size);

	if (!state || !c->init || c->init(state))
		return state;
	free(state);
	return NULL;
}

void decode_close(const struct codec *c, void *state)
{
	if (c->release)
		c->release(state);
	free(state);
}

/* ---- large windows ---------------------------------------------------------------- */

/* Layers are decoded in parallel, but only one at a time if the window is larger than
 * this: there is only one large window in memory. */
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

#define BEGINS(p, n, magic) \
	((n) >= sizeof(magic) - 1 && memcmp(p, magic, sizeof(magic) - 1) == 0)
#define LZ4_MAGIC "\x04\x22\x4d\x18"

/* ---- none ------------------------------------------------------------------------- */

static int none_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	size_t n = io->in_len < io->out_len ? io->in_len : io->out_len;

	(void)state;
	(void)err;
	memcpy(io->out, io->in, n);
	decode_moved(io, n, n);
	return 1;
}

/* ---- zstd ------------------------------------------------------------------------- */

struct zstd {
	ZSTD_DCtx *d;
	struct decode_end end;
	bool large;
	unsigned char head[18]; /* the bytes of the frame that have been read */
	size_t n_head;
};

static void zstd_release(void *state)
{
	struct zstd *z = state;

	ZSTD_freeDCtx(z->d);
	give_large(&z->large);
}

static bool zstd_init(void *state)
{
	struct zstd *z = state;

	z->d = ZSTD_createDCtx();
	if (z->d)
		ZSTD_DCtx_setParameter(z->d, ZSTD_d_windowLogMax, SMALL_WINDOW_LOG);
	return z->d;
}

/* Decodes the frame again from its beginning, allowing a larger window. */
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
	int rc = z->end.ended ? decode_go_on(&z->end, io, "zstd", -1, err) : 0;
	ZSTD_inBuffer in = {io->in, io->in_len, 0};
	ZSTD_outBuffer out = {io->out, io->out_len, 0};
	size_t r;

	if (rc)
		return rc;
	r = ZSTD_decompressStream(z->d, &out, &in);
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
	z->end.ended = r == 0;
	return r == 0;
}

/* ---- xz --------------------------------------------------------------------------- */

/* liblzma handles several streams and their padding. Its state does not say whether the
 * input may end, so the result of the last call is kept. */
struct xz {
	lzma_stream s;
	bool ended;
	bool large;
};

static uint64_t xz_limit(unsigned window_log)
{
	return (UINT64_C(1) << window_log) + (1 << 20);
}

static bool xz_init(void *state)
{
	struct xz *xz = state;

	return lzma_stream_decoder(&xz->s, xz_limit(SMALL_WINDOW_LOG),
		       LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK) == LZMA_OK;
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
	/* The caller passes empty input only at the end. */
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

static void xz_release(void *state)
{
	struct xz *xz = state;

	lzma_end(&xz->s);
	give_large(&xz->large);
}

/* ---- bzip2 ------------------------------------------------------------------------ */

struct bz {
	bz_stream s;
	struct decode_end end;
};

static bool bz_init(void *state)
{
	return BZ2_bzDecompressInit(&((struct bz *)state)->s, 0, 0) == BZ_OK;
}

static int bz_again(struct bz *bz, struct decode_io *io, struct ovl_err *err)
{
	int r = decode_go_on(&bz->end, io, "bzip2", 'B', err);

	if (r)
		return r;
	BZ2_bzDecompressEnd(&bz->s);
	memset(&bz->s, 0, sizeof(bz->s));
	return BZ2_bzDecompressInit(&bz->s, 0, 0) == BZ_OK ? 0 : err_nomem(err);
}

static int bz_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	struct bz *bz = state;
	int r = bz->end.ended ? bz_again(bz, io, err) : 0;

	if (r)
		return r;
	bz->s.next_in = (char *)(uintptr_t)io->in;
	bz->s.avail_in = (unsigned)io->in_len;
	bz->s.next_out = (char *)io->out;
	bz->s.avail_out = (unsigned)io->out_len;
	r = BZ2_bzDecompress(&bz->s);
	decode_moved(io, io->in_len - bz->s.avail_in, io->out_len - bz->s.avail_out);
	if (r == BZ_STREAM_END) {
		bz->end.ended = true;
		return 1;
	}
	if (r == BZ_OK)
		return 0;
	if (r == BZ_MEM_ERROR)
		return err_nomem(err);
	return decode_damaged(err, "bzip2", "not valid");
}

static void bz_release(void *state)
{
	BZ2_bzDecompressEnd(&((struct bz *)state)->s);
}

/* ---- lz4 -------------------------------------------------------------------------- */

struct lz4 {
	LZ4F_dctx *d;
	struct decode_end end;
};

static bool lz4_init(void *state)
{
	struct lz4 *z = state;

	return !LZ4F_isError(LZ4F_createDecompressionContext(&z->d, LZ4F_VERSION));
}

static int lz4_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	struct lz4 *z = state;
	int rc = z->end.ended ? decode_go_on(&z->end, io, "lz4", -1, err) : 0;
	size_t in = io->in_len;
	size_t out = io->out_len;
	size_t r;

	if (rc)
		return rc;
	r = LZ4F_decompress(z->d, io->out, &out, io->in, &in, NULL);
	decode_moved(io, in, out);
	if (LZ4F_isError(r))
		return decode_damaged(err, "lz4", LZ4F_getErrorName(r));
	z->end.ended = r == 0;
	return r == 0;
}

static void lz4_release(void *state)
{
	LZ4F_freeDecompressionContext(((struct lz4 *)state)->d);
}

/* ---- skippable frames in front ---------------------------------------------------- */

static const struct codec by_zstd = {
	"zstd", sizeof(struct zstd), zstd_init, zstd_run, zstd_release};
static const struct codec by_lz4 = {
	"lz4", sizeof(struct lz4), lz4_init, lz4_run, lz4_release};

/* Both formats have the same skippable frames; the frame that follows tells which format
 * it is (RFC 8878, 3.1.2). */
static bool is_skippable(const unsigned char *p, size_t n)
{
	return n >= 4 && (p[0] & 0xf0) == 0x50 && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0;
}

struct skip {
	unsigned char head[8]; /* magic and length of a frame */
	size_t have;
	size_t left; /* bytes of the frame's content still to be skipped */
	const struct codec *codec; /* NULL: not recognised yet */
	void *state;
};

/* The head contains the magic of a frame that is not skipped. */
static int skip_begin(struct skip *s, struct decode_io *io, struct ovl_err *err)
{
	struct decode_io head = {s->head, s->have, io->out, io->out_len};
	int rc = 0;

	s->codec = BEGINS(s->head, s->have, LZ4_MAGIC) ? &by_lz4 : &by_zstd;
	s->state = decode_open(s->codec);
	if (!s->state) {
		s->codec = NULL;
		return err_nomem(err);
	}
	while (rc == 0 && head.in_len)
		rc = s->codec->run(s->state, &head, err);
	return rc;
}

static int skip_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	struct skip *s = state;
	int rc = 0;

	while (!s->codec && io->in_len && rc == 0) {
		size_t n = s->left < io->in_len ? s->left : io->in_len;

		s->left -= n;
		decode_moved(io, n, 0);
		if (n)
			continue;
		s->head[s->have++] = io->in[0];
		decode_moved(io, 1, 0);
		if (s->have == 4 && !is_skippable(s->head, 4))
			rc = skip_begin(s, io, err);
		if (s->have < sizeof(s->head))
			continue;
		for (size_t i = 0; i < 4; i++)
			s->left |= (size_t)s->head[4 + i] << 8 * i;
		s->have = 0;
	}
	if (rc < 0 || !s->codec)
		return rc < 0 ? rc : !s->have && !s->left;
	return s->codec->run(s->state, io, err);
}

static void skip_release(void *state)
{
	struct skip *s = state;

	if (s->codec)
		decode_close(s->codec, s->state);
}

/* ----------------------------------------------------------------------------------- */

static const struct codec by_xz = {"xz", sizeof(struct xz), xz_init, xz_run, xz_release};
static const struct codec by_bzip2 = {
	"bzip2", sizeof(struct bz), bz_init, bz_run, bz_release};
static const struct codec by_skip = {
	"zstd or lz4", sizeof(struct skip), NULL, skip_run, skip_release};
static const struct codec by_none = {"none", 1, NULL, none_run, NULL};

/* What follows the size of a block: the magic of a block or of the end. */
static bool is_bzip2(const unsigned char *p, size_t n)
{
	return BEGINS(p, n, "BZh") && n >= 10 && p[3] >= '1' && p[3] <= '9' &&
		(memcmp(p + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
			memcmp(p + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

const struct codec *decode_detect(const unsigned char *p, size_t n)
{
	return BEGINS(p, n, "\x1f\x8b\x08")      ? gunzip_best() :
		BEGINS(p, n, "\x28\xb5\x2f\xfd") ? &by_zstd :
		BEGINS(p, n, LZ4_MAGIC)          ? &by_lz4 :
		BEGINS(p, n, "\xfd\x37zXZ\0")    ? &by_xz :
		is_bzip2(p, n)                   ? &by_bzip2 :
		is_skippable(p, n)               ? &by_skip :
						   &by_none;
}
