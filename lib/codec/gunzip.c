/* SPDX-License-Identifier: ISC */
/*
 * Decodes gzip (RFC 1952) with ISA-L if it is installed, else with zlib: ISA-L gives the
 * same results in about half the time. It is loaded at first use, since create and mount
 * need no decoder. Both check the CRC and the length at the end of each member.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#if __has_include(<isa-l/igzip_lib.h>)
#include <isa-l/igzip_lib.h>
#define HAVE_ISAL
#endif

#include "codec/decode.h"

static bool is_gzip(const unsigned char *p, size_t n)
{
	return n >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8;
}

static unsigned clamp(size_t n)
{
	return n > 1u << 30 ? 1u << 30 : (unsigned)n;
}

/* ---- zlib ------------------------------------------------------------------------- */

struct gz {
	z_stream z;
	struct decode_end b;
};

static void *gz_open(void)
{
	struct gz *gz = calloc(1, sizeof(*gz));

	if (gz && inflateInit2(&gz->z, 15 + 16) != Z_OK) {
		free(gz);
		return NULL;
	}
	return gz;
}

static int gz_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	struct gz *gz = state;
	unsigned in;
	unsigned out;
	int r;

	if (gz->b.ended) {
		r = decode_go_on(&gz->b, io, "gzip", 0x1f, err);
		if (r)
			return r;
		if (inflateReset(&gz->z) != Z_OK)
			return err_nomem(err);
	}
	in = clamp(io->in_len);
	out = clamp(io->out_len);
	gz->z.next_in = (unsigned char *)(uintptr_t)io->in;
	gz->z.avail_in = in;
	gz->z.next_out = io->out;
	gz->z.avail_out = out;
	r = inflate(&gz->z, Z_NO_FLUSH);
	decode_moved(io, in - gz->z.avail_in, out - gz->z.avail_out);
	if (r == Z_STREAM_END) {
		gz->b.ended = true;
		return 1;
	}
	if (r == Z_OK || r == Z_BUF_ERROR)
		return 0;
	if (r == Z_MEM_ERROR)
		return err_nomem(err);
	return decode_damaged(err, "gzip", gz->z.msg ? gz->z.msg : "not valid");
}

static void gz_close(void *state)
{
	struct gz *gz = state;

	inflateEnd(&gz->z);
	free(gz);
}

static const struct codec by_zlib = {"gzip", is_gzip, gz_open, gz_run, gz_close};

/* ---- ISA-L ------------------------------------------------------------------------ */

#ifdef HAVE_ISAL

/*
 * The header of a member (RFC 1952, 2.3) is parsed here, since the library loses its CRC
 * if the header arrives in pieces.
 */
struct head {
	enum { FIXED, EXTRA_LEN, EXTRA, NAME, COMMENT, CRC, DONE } at;
	unsigned have; /* bytes of the field */
	unsigned flags;
	unsigned left; /* bytes left of EXTRA */
	unsigned crc;
	unsigned want; /* the CRC that the header says */
};

enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16, RESERVED = 0xe0 };

/* Moves on to the next field that is present. */
static void next_field(struct head *h)
{
	static const unsigned flag[] = {[EXTRA_LEN] = FEXTRA,
		[NAME] = FNAME,
		[COMMENT] = FCOMMENT,
		[CRC] = FHCRC};

	h->have = 0;
	h->want = 0;
	if (h->at == EXTRA_LEN && h->left) {
		h->at = EXTRA;
		return;
	}
	do
		h->at++;
	while (h->at == EXTRA || (h->at < DONE && !(h->flags & flag[h->at])));
}

static int fixed_byte(struct head *h, unsigned char c, struct ovl_err *err)
{
	static const unsigned char magic[] = {0x1f, 0x8b, 8};

	if (h->have < 3 && c != magic[h->have])
		return decode_damaged(err, "gzip", "incorrect header check");
	if (h->have == 3)
		h->flags = c;
	if (h->have == 3 && (c & RESERVED))
		return decode_damaged(err, "gzip", "unknown header flags set");
	if (++h->have == 10)
		next_field(h);
	return 0;
}

static int head_byte(struct head *h, unsigned char c, struct ovl_err *err)
{
	if (h->at != CRC)
		h->crc = (unsigned)crc32(h->crc, &c, 1);
	switch (h->at) {
	case FIXED: return fixed_byte(h, c, err);
	case EXTRA_LEN:
		h->left |= (unsigned)c << 8 * h->have;
		if (++h->have == 2)
			next_field(h);
		return 0;
	case EXTRA:
		if (--h->left == 0)
			next_field(h);
		return 0;
	case NAME:
	case COMMENT:
		if (!c)
			next_field(h);
		return 0;
	default: break;
	}
	h->want |= (unsigned)c << 8 * h->have;
	if (++h->have == 2 && h->want != (h->crc & 0xffff))
		return decode_damaged(err, "gzip", "header crc mismatch");
	if (h->have == 2)
		next_field(h);
	return 0;
}

struct isal {
	struct inflate_state s;
	struct head head;
	struct decode_end b;
	__typeof__(isal_inflate) *inflate;
	__typeof__(isal_inflate_reset) *reset;
};

static void *isal_find(const char *name)
{
	void *lib = dlopen("libisal.so.2", RTLD_NOW | RTLD_NODELETE);

	return lib ? dlsym(lib, name) : NULL;
}

static void *isal_open(void)
{
	struct isal *is = calloc(1, sizeof(*is));
	__typeof__(isal_inflate_init) *init;

	*(void **)&init = isal_find("isal_inflate_init");
	if (!is || !init)
		goto none;
	*(void **)&is->inflate = isal_find("isal_inflate");
	*(void **)&is->reset = isal_find("isal_inflate_reset");
	if (!is->inflate || !is->reset)
		goto none;
	init(&is->s);
	is->s.crc_flag = ISAL_GZIP_NO_HDR_VER;
	return is;
none:
	free(is);
	return NULL;
}

static const char *isal_why(int r)
{
	switch (r) {
	case ISAL_INCORRECT_CHECKSUM: return "incorrect data check";
	case ISAL_INVALID_LOOKBACK: return "invalid distance too far back";
	case ISAL_INVALID_BLOCK: return "invalid block type";
	default: return "not valid";
	}
}

static int isal_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	struct isal *is = state;
	unsigned in;
	unsigned out;
	int r;

	if (is->b.ended) {
		r = decode_go_on(&is->b, io, "gzip", 0x1f, err);
		if (r)
			return r;
		is->reset(&is->s);
		is->s.crc_flag = ISAL_GZIP_NO_HDR_VER;
		is->head = (struct head){.at = FIXED};
	}
	while (is->head.at != DONE) {
		if (!io->in_len)
			return 0;
		r = head_byte(&is->head, io->in[0], err);
		if (r < 0)
			return r;
		decode_moved(io, 1, 0);
	}
	in = clamp(io->in_len);
	out = clamp(io->out_len);
	is->s.next_in = (unsigned char *)(uintptr_t)io->in;
	is->s.avail_in = in;
	is->s.next_out = io->out;
	is->s.avail_out = out;
	r = is->inflate(&is->s);
	decode_moved(io, in - is->s.avail_in, out - is->s.avail_out);
	if (r < 0 || r == ISAL_NEED_DICT)
		return decode_damaged(err, "gzip", isal_why(r));
	is->b.ended = is->s.block_state == ISAL_BLOCK_FINISH;
	return is->b.ended;
}

static const struct codec by_isal = {"gzip", is_gzip, isal_open, isal_run, free};

static const struct codec *isal(void)
{
	return isal_find("isal_inflate") ? &by_isal : NULL;
}

#else

static const struct codec *isal(void)
{
	return NULL;
}

#endif

/* ----------------------------------------------------------------------------------- */

const struct codec *const gunzip_by_zlib = &by_zlib;

const struct codec *gunzip_best(void)
{
	const struct codec *best = isal();

	return best ? best : &by_zlib;
}
