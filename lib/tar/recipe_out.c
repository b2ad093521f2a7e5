/* SPDX-License-Identifier: ISC */
/* The writer of recipes; see recipe.h. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "tar/recipe.h"

/* Headers are very similar: a fast level compresses them to a tenth. */
#define LEVEL     1
#define RAW_BLOCK 65536

struct recipe_out {
	int fd;
	ZSTD_CCtx *z;
	XXH64_state_t sum;
	struct buf raw; /* bytes of an R record that may still grow */
	uint64_t gap; /* the gap before the run that may still grow */
	uint64_t n; /* bytes of that run */
	uint64_t end; /* the end of the last run */
	uint64_t size; /* bytes of the tar so far */
	struct ovl_err err;
	int rc;
	size_t out_len;
	unsigned char out[RAW_BLOCK];
};

static int fail_recipe(struct recipe_out *r, const char *what)
{
	r->rc = err_sys(&r->err, errno, "cannot %s '%s'", what, RECIPE_NAME);
	return r->rc;
}

static int flush_out(struct recipe_out *r)
{
	size_t n = r->out_len;

	r->out_len = 0;
	return fs_write_all(r->fd, r->out, n) < 0 ? fail_recipe(r, "write") : 0;
}

static int compress(struct recipe_out *r, const void *p, size_t n, ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = {p, n, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {r->out, sizeof(r->out), r->out_len};

		left = ZSTD_compressStream2(r->z, &out, &in, end);
		if (ZSTD_isError(left)) {
			errno = EIO;
			return fail_recipe(r, "compress");
		}
		r->out_len = out.pos;
		if (r->out_len == sizeof(r->out) && flush_out(r) < 0)
			return r->rc;
	} while (in.pos < n || (end == ZSTD_e_end && left));
	return 0;
}

static size_t put_number(unsigned char *to, uint64_t v)
{
	size_t n = 0;

	do {
		unsigned char low = v & 127;

		v >>= 7;
		to[n++] = (unsigned char)(low | (v ? 128 : 0));
	} while (v);
	return n;
}

/* Writes a record: its type, up to two numbers, bytes. */
static int put_record(struct recipe_out *r, enum recipe_type type, unsigned numbers,
	uint64_t a, uint64_t b, const void *p, size_t n)
{
	unsigned char head[32] = {(unsigned char)type};
	size_t len = 1;

	if (numbers > 0)
		len += put_number(head + len, a);
	if (numbers > 1)
		len += put_number(head + len, b);
	if (r->rc == 0)
		compress(r, head, len, ZSTD_e_continue);
	if (r->rc == 0 && n)
		compress(r, p, n, ZSTD_e_continue);
	return r->rc;
}

static int flush_raw(struct recipe_out *r)
{
	size_t n = r->raw.len;

	if (r->raw.failed && r->rc == 0)
		r->rc = err_nomem(&r->err);
	if (r->rc == 0 && n)
		put_record(r, RECIPE_RAW, 1, n, 0, r->raw.data, n);
	r->raw.len = 0;
	return r->rc;
}

/* Data arrives in pieces of any size; adjacent pieces become one run, so that a tar has
 * only one recipe. */
static int flush_run(struct recipe_out *r)
{
	if (r->n)
		put_record(r, RECIPE_RUN, 2, r->gap, r->n, NULL, 0);
	r->n = 0;
	return r->rc;
}

int recipe_raw(struct recipe_out *r, const void *p, size_t n)
{
	const char *at = p;

	r->size += n;
	if (n)
		flush_run(r);
	while (n && r->rc == 0) {
		size_t room = RAW_BLOCK - r->raw.len;
		size_t now = n < room ? n : room;

		buf_add(&r->raw, at, now);
		if (r->raw.failed || r->raw.len == RAW_BLOCK)
			flush_raw(r);
		at += now;
		n -= now;
	}
	return r->rc;
}

int recipe_file(struct recipe_out *r, const char *path)
{
	size_t n = strlen(path);

	XXH64_reset(&r->sum, 0);
	r->end = 0;
	flush_raw(r);
	return put_record(r, RECIPE_FILE, 1, n, 0, path, n);
}

int recipe_run(struct recipe_out *r, uint64_t offset, const void *p, size_t n)
{
	if (offset < r->end) {
		errno = EINVAL;
		return r->rc < 0 ? r->rc : fail_recipe(r, "write data out of order into");
	}
	if (!n)
		return r->rc;
	XXH64_update(&r->sum, p, n);
	flush_raw(r);
	if (offset != r->end || !r->n) {
		flush_run(r);
		r->gap = offset - r->end;
	}
	r->n += n;
	r->end = offset + n;
	r->size += n;
	return r->rc;
}

int recipe_file_end(struct recipe_out *r)
{
	uint64_t le = htole64(XXH64_digest(&r->sum));

	flush_run(r);
	return put_record(r, RECIPE_FILE_END, 0, 0, 0, &le, sizeof(le));
}

int recipe_kept(struct recipe_out *r, uint64_t number, const char *path)
{
	size_t n = strlen(path);

	flush_raw(r);
	return put_record(r, RECIPE_KEEP, 2, number, n, path, n);
}

int recipe_finish(
	struct recipe_out *r, const char *diff_id, uint64_t *size, struct ovl_err *err)
{
	unsigned char raw[ID_LEN / 2];

	flush_raw(r);
	id_unhex(diff_id, raw, sizeof(raw));
	put_record(r, RECIPE_END, 1, r->size, 0, raw, sizeof(raw));
	if (r->rc == 0)
		compress(r, NULL, 0, ZSTD_e_end);
	if (r->rc == 0)
		flush_out(r);
	if (r->rc < 0)
		return recipe_error(r, err);
	*size = r->size;
	return 0;
}

int recipe_error(const struct recipe_out *r, struct ovl_err *err)
{
	if (err)
		*err = r->err;
	return r->rc;
}

void recipe_out_close(struct recipe_out *r)
{
	if (!r)
		return;
	close_fdp(&r->fd);
	ZSTD_freeCCtx(r->z);
	buf_release(&r->raw);
	free(r);
}

int recipe_create(struct recipe_out **out, int dirfd, struct ovl_err *err)
{
	static const char first[] = "ovlctl-recipe 1\n";
	struct recipe_out *r = calloc(1, sizeof(*r));

	if (!r)
		return err_nomem(err);
	r->fd = openat(dirfd, RECIPE_NAME,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r->z = ZSTD_createCCtx();
	if (r->fd < 0 || fs_write_all(r->fd, first, sizeof(first) - 1) < 0)
		fail_recipe(r, "create");
	else if (!r->z || !buf_reserve(&r->raw, RAW_BLOCK))
		r->rc = err_nomem(&r->err);
	else if (ZSTD_isError(
			 ZSTD_CCtx_setParameter(r->z, ZSTD_c_compressionLevel, LEVEL)) ||
		ZSTD_isError(ZSTD_CCtx_setParameter(r->z, ZSTD_c_checksumFlag, 1)))
		r->rc = err_say(&r->err, EIO, "cannot set up libzstd");
	if (r->rc < 0) {
		int rc = recipe_error(r, err);

		recipe_out_close(r);
		return rc;
	}
	*out = r;
	return 0;
}
