/* SPDX-License-Identifier: ISC */
/* The reader of recipes; see recipe.h. The recipe may be damaged or hostile. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "tar/recipe.h"

static const char first[] = "ovlctl-recipe 1\n";

/* More than ovlctl ever writes into one record. */
#define RAW_MAX    65536
#define WINDOW_LOG 23
#define BLOCK      65536

struct recipe_in {
	int fd;
	ZSTD_DCtx *z;
	size_t in_pos, in_len;
	size_t pos, len; /* position and length in the decompressed bytes */
	bool frame_ended;
	bool in_file;
	bool ended;
	uint64_t end; /* the end of the last run */
	uint64_t size; /* bytes of the tar so far */
	struct buf bytes;
	unsigned char in[BLOCK];
	unsigned char out[BLOCK];
};

static int damaged(struct ovl_err *err)
{
	return err_say(err, EUCLEAN, "'%s' is damaged", RECIPE_NAME);
}

static int refill_in(struct recipe_in *r, struct ovl_err *err)
{
	ssize_t n;

	do
		n = read(r->fd, r->in, sizeof(r->in));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "cannot read '%s'", RECIPE_NAME);
	r->in_pos = 0;
	r->in_len = (size_t)n;
	return 0;
}

/* Decompresses more bytes; r->len is 0 at the end of the frame. */
static int refill(struct recipe_in *r, struct ovl_err *err)
{
	r->pos = 0;
	r->len = 0;
	while (r->len == 0 && !r->frame_ended) {
		ZSTD_outBuffer out = {r->out, sizeof(r->out), 0};
		ZSTD_inBuffer in;
		size_t left;

		if (r->in_pos == r->in_len) {
			int rc = refill_in(r, err);

			if (rc < 0)
				return rc;
		}
		if (r->in_len == 0)
			return damaged(err);
		in = (ZSTD_inBuffer){r->in, r->in_len, r->in_pos};
		left = ZSTD_decompressStream(r->z, &out, &in);
		if (ZSTD_isError(left))
			return damaged(err);
		r->in_pos = in.pos;
		r->len = out.pos;
		r->frame_ended = left == 0;
	}
	return 0;
}

/* Makes sure that there is at least one byte. */
static int need_byte(struct recipe_in *r, struct ovl_err *err)
{
	int rc = r->pos == r->len ? refill(r, err) : 0;

	return rc == 0 && r->len == 0 ? damaged(err) : rc;
}

static int get_byte(struct recipe_in *r, unsigned char *out, struct ovl_err *err)
{
	int rc = need_byte(r, err);

	if (rc == 0)
		*out = r->out[r->pos++];
	return rc;
}

static int get_number(struct recipe_in *r, uint64_t *out, struct ovl_err *err)
{
	unsigned char c = 0;

	*out = 0;
	for (unsigned shift = 0; shift < 63; shift += 7) {
		int rc = get_byte(r, &c, err);

		if (rc < 0)
			return rc;
		*out |= (uint64_t)(c & 127) << shift;
		if (!(c & 128))
			return 0;
	}
	return damaged(err);
}

static int get_bytes(struct recipe_in *r, uint64_t n, size_t max, struct ovl_err *err)
{
	buf_clear(&r->bytes);
	if (n > max)
		return damaged(err);
	while (n) {
		int rc = need_byte(r, err);
		size_t now = r->len - r->pos < n ? r->len - r->pos : (size_t)n;

		if (rc < 0)
			return rc;
		buf_add(&r->bytes, r->out + r->pos, now);
		r->pos += now;
		n -= now;
	}
	return r->bytes.failed ? err_nomem(err) : 0;
}

static int get_counted(
	struct recipe_in *r, size_t max, struct recipe_rec *rec, struct ovl_err *err)
{
	uint64_t n = 0;
	int rc = get_number(r, &n, err);

	if (rc == 0)
		rc = get_bytes(r, n, max, err);
	rec->p = r->bytes.data ? r->bytes.data : "";
	rec->n = r->bytes.len;
	return rc;
}

/* Reads a path, which must not lead out of the tree. */
static int get_path(struct recipe_in *r, struct recipe_rec *rec, struct ovl_err *err)
{
	auto_buf clean = {0};
	int rc = get_counted(r, PATH_MAX_LEN, rec, err);

	if (rc < 0)
		return rc;
	if (!rec->n || memchr(rec->p, '\0', rec->n) ||
		path_clean(rec->p, UINT32_MAX, &clean, NULL) < 0 ||
		strcmp(clean.data, rec->p) != 0)
		return damaged(err);
	return 0;
}

static int get_run(struct recipe_in *r, struct recipe_rec *rec, struct ovl_err *err)
{
	uint64_t gap = 0;
	int rc = get_number(r, &gap, err);

	if (rc == 0)
		rc = get_number(r, &rec->size, err);
	if (rc < 0)
		return rc;
	if (gap > INT64_MAX - r->end || rec->size > INT64_MAX - r->end - gap ||
		rec->size > INT64_MAX - r->size)
		return damaged(err);
	rec->offset = r->end + gap;
	r->end = rec->offset + rec->size;
	r->size += rec->size;
	return 0;
}

static int get_sum(struct recipe_in *r, struct recipe_rec *rec, struct ovl_err *err)
{
	int rc = get_bytes(r, 8, 8, err);

	rec->sum = 0;
	for (int i = 7; i >= 0 && rc == 0; i--)
		rec->sum = rec->sum << 8 | (unsigned char)r->bytes.data[i];
	return rc;
}

/* The frame's checksum follows its last byte, and nothing may follow that. */
static int get_eof(struct recipe_in *r, struct ovl_err *err)
{
	int rc = r->pos == r->len ? refill(r, err) : 0;

	if (rc == 0 && r->len == 0 && r->in_pos == r->in_len)
		rc = refill_in(r, err);
	if (rc == 0 && (r->len != 0 || r->in_pos != r->in_len))
		return damaged(err);
	return rc;
}

static int get_end(struct recipe_in *r, struct recipe_rec *rec, struct ovl_err *err)
{
	int rc = get_number(r, &rec->size, err);

	if (rc == 0)
		rc = get_bytes(r, ID_LEN / 2, ID_LEN / 2, err);
	if (rc < 0)
		return rc;
	id_hex((const unsigned char *)r->bytes.data, ID_LEN / 2, rec->diff_id);
	if (rec->size != r->size)
		return damaged(err);
	r->ended = true;
	return get_eof(r, err);
}

static int get_record(struct recipe_in *r, struct recipe_rec *rec, struct ovl_err *err)
{
	int rc;

	switch (rec->type) {
	case RECIPE_RAW:
		rc = get_counted(r, RAW_MAX, rec, err);
		r->size += rec->n;
		return rc;
	case RECIPE_FILE: r->end = 0; return get_path(r, rec, err);
	case RECIPE_RUN: return get_run(r, rec, err);
	case RECIPE_FILE_END: return get_sum(r, rec, err);
	case RECIPE_KEEP:
		rc = get_number(r, &rec->number, err);
		return rc < 0 ? rc : get_path(r, rec, err);
	case RECIPE_END: return get_end(r, rec, err);
	default: return damaged(err);
	}
}

int recipe_next(struct recipe_in *r, struct recipe_rec *rec, struct ovl_err *err)
{
	unsigned char type = 0;
	bool inside;
	int rc = r->ended ? damaged(err) : get_byte(r, &type, err);

	if (rc < 0)
		return rc;
	*rec = (struct recipe_rec){.type = (enum recipe_type)type};
	inside = type == RECIPE_RUN || type == RECIPE_FILE_END;
	if (inside != r->in_file && type != RECIPE_RAW)
		return damaged(err);
	if (type == RECIPE_FILE || type == RECIPE_FILE_END)
		r->in_file = type == RECIPE_FILE;
	return get_record(r, rec, err);
}

int recipe_open(struct recipe_in **out, int dirfd, struct ovl_err *err)
{
	auto_recipe r = NULL;
	char line[sizeof(first)] = "";
	auto_fd fd = openat(
		dirfd, RECIPE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ?
			err_say(err, EUCLEAN, "'%s' is missing", RECIPE_NAME) :
			err_sys(err, errno, "cannot open '%s'", RECIPE_NAME);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_nomem(err);
	r->fd = steal_fd(&fd);
	r->z = ZSTD_createDCtx();
	if (!r->z ||
		ZSTD_isError(
			ZSTD_DCtx_setParameter(r->z, ZSTD_d_windowLogMax, WINDOW_LOG)))
		return err_nomem(err);
	if (fs_read_upto(r->fd, line, sizeof(first) - 1) < 0)
		return err_sys(err, errno, "cannot read '%s'", RECIPE_NAME);
	if (strcmp(line, first) != 0)
		return damaged(err);
	*out = steal(r);
	return 0;
}

void recipe_in_close(struct recipe_in *r)
{
	if (!r)
		return;
	close_fdp(&r->fd);
	ZSTD_freeDCtx(r->z);
	buf_release(&r->bytes);
	free(r);
}
