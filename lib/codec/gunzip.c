/* SPDX-License-Identifier: ISC */
/*
 * Decodes gzip (RFC 1952) with ISA-L if it is installed, else with zlib: ISA-L gives the
 * same results in about half the time. It is loaded at first use, since create and mount
 * need no decoder. Both check the CRC and the length at the end of each member.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <zlib.h>
#if __has_include(<isa-l/igzip_lib.h>)
#include <isa-l/igzip_lib.h>
#define HAVE_ISAL
#endif

#include "codec/decode.h"

/* ---- zlib ------------------------------------------------------------------------- */

struct gz {
	z_stream z;
	struct decode_end b;
};

static bool gz_init(void *state)
{
	return inflateInit2(&((struct gz *)state)->z, 15 + 16) == Z_OK;
}

/* With Z_BLOCK, stops at the end of a header. */
static int gz_inflate(struct gz *gz, struct decode_io *io, int flush, struct ovl_err *err)
{
	int r;

	if (gz->b.ended) {
		r = decode_go_on(&gz->b, io, "gzip", 0x1f, err);
		if (r)
			return r;
		if (inflateReset(&gz->z) != Z_OK)
			return err_nomem(err);
	}
	gz->z.next_in = (unsigned char *)(uintptr_t)io->in;
	gz->z.avail_in = (unsigned)io->in_len;
	gz->z.next_out = io->out;
	gz->z.avail_out = (unsigned)io->out_len;
	r = inflate(&gz->z, flush);
	decode_moved(io, io->in_len - gz->z.avail_in, io->out_len - gz->z.avail_out);
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

static int gz_run(void *state, struct decode_io *io, struct ovl_err *err)
{
	return gz_inflate(state, io, Z_NO_FLUSH, err);
}

static void gz_release(void *state)
{
	inflateEnd(&((struct gz *)state)->z);
}

static const struct codec by_zlib = {
	"gzip", sizeof(struct gz), gz_init, gz_run, gz_release};

/* ---- ISA-L ------------------------------------------------------------------------ */

#ifdef HAVE_ISAL

/* zlib reads the headers of members: ISA-L loses its CRC if a header arrives in
 * pieces. */
struct isal {
	struct gz gz;
	struct inflate_state s;
	bool in_data; /* the header has been read */
	__typeof__(isal_inflate) *inflate;
	__typeof__(isal_inflate_reset) *reset;
};

static void *isal_find(const char *name)
{
	void *lib = dlopen("libisal.so.2", RTLD_NOW | RTLD_NODELETE);

	return lib ? dlsym(lib, name) : NULL;
}

static bool isal_init(void *state)
{
	struct isal *is = state;
	__typeof__(isal_inflate_init) *init;

	*(void **)&init = isal_find("isal_inflate_init");
	*(void **)&is->inflate = isal_find("isal_inflate");
	*(void **)&is->reset = isal_find("isal_inflate_reset");
	if (!init || !is->inflate || !is->reset || !gz_init(&is->gz))
		return false;
	init(&is->s);
	return true;
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
	int r;

	if (!is->in_data) {
		r = gz_inflate(&is->gz, io, Z_BLOCK, err);
		/* zlib(3), inflate(): bit 128 means the end of a header. */
		if (r || !(is->gz.z.data_type & 128))
			return r;
		is->in_data = true;
		is->reset(&is->s);
		is->s.crc_flag = ISAL_GZIP_NO_HDR_VER;
	}
	is->s.next_in = (unsigned char *)(uintptr_t)io->in;
	is->s.avail_in = (unsigned)io->in_len;
	is->s.next_out = io->out;
	is->s.avail_out = (unsigned)io->out_len;
	r = is->inflate(&is->s);
	/* In damaged data it may count more bytes than there are. */
	if (r < 0 || r == ISAL_NEED_DICT || is->s.avail_in > io->in_len)
		return decode_damaged(err, "gzip", isal_why(r));
	decode_moved(io, io->in_len - is->s.avail_in, io->out_len - is->s.avail_out);
	is->gz.b.ended = is->s.block_state == ISAL_BLOCK_FINISH;
	is->in_data = !is->gz.b.ended;
	return is->gz.b.ended;
}

static const struct codec by_isal = {
	"gzip", sizeof(struct isal), isal_init, isal_run, gz_release};

#endif

/* ----------------------------------------------------------------------------------- */

const struct codec *const gunzip_by_zlib = &by_zlib;

const struct codec *gunzip_best(void)
{
#ifdef HAVE_ISAL
	if (isal_find("isal_inflate"))
		return &by_isal;
#endif
	return &by_zlib;
}
