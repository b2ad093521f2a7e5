/* SPDX-License-Identifier: ISC */
/* Indexes the members of a tar that is a source. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/vec.h"
#include "image/signs.h"
#include "image/source_own.h"
#include "image/spool.h"
#include "tar/rawhead.h"
#include "tar/tarin.h"

#define READ_SIZE 10240
#define MAX_DEPTH 64

/* Limits of a member's headers: all of them, extension headers, and those if there is
 * an ACL among them. */
#define MAX_HEADER    (1u << 20)
#define MAX_EXTENSION (64u << 10)
#define MAX_WITH_ACL  (2u << 10)

/* ---- the reader's input ----------------------------------------------------------- */

struct input {
	int fd;
	uint64_t size;
	uint64_t at;
	uint64_t in_header; /* bytes given to the reader of the current header */
	int failed; /* errno of a read */
	unsigned char data[READ_SIZE];
};

static la_ssize_t read_cb(struct archive *a, void *ctx, const void **p)
{
	struct input *in = ctx;
	ssize_t n;

	(void)a;
	if (in->in_header > MAX_HEADER)
		return -1;
	do
		n = pread(in->fd, in->data, sizeof(in->data), (off_t)in->at);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		in->failed = errno;
		return -1;
	}
	in->at += (uint64_t)n;
	in->in_header += (uint64_t)n;
	*p = in->data;
	return n;
}

/* Beyond the end of the file the reader has to read, to notice that the tar is cut off. */
static la_int64_t skip_cb(struct archive *a, void *ctx, la_int64_t n)
{
	struct input *in = ctx;

	(void)a;
	if (in->at > in->size || (uint64_t)n > in->size - in->at)
		n = 0;
	in->at += (uint64_t)n;
	return n;
}

/* Reads all n bytes, or false: they do not exist, or in->failed. */
static bool read_at(struct input *in, void *p, size_t n, uint64_t at)
{
	ssize_t got = fs_pread_upto(in->fd, p, n, at);

	if (got < 0)
		in->failed = errno;
	return got == (ssize_t)n;
}

/*
 * True if the extension headers at an offset are plausible for a member of an image. For
 * others the reader takes memory and quadratic time; they belong to a layer, which is
 * read in another way.
 */
static bool plain_head(struct input *in, uint64_t at)
{
	unsigned char *head = malloc(MAX_EXTENSION + RAWHEAD_BLOCK);
	struct rawhead r = {0};
	size_t n = 0;
	long long body = 0;
	bool ok = head != NULL;

	while (ok && body >= 0 && n <= MAX_EXTENSION) {
		if (!read_at(in, head + n, RAWHEAD_BLOCK, at + n))
			break;
		body = rawhead_body(head + n);
		if (body < 0) {
			ok = rawhead_check(head + n, NULL) == 0;
			break;
		}
		n += RAWHEAD_BLOCK;
		ok = body <= (long long)(MAX_EXTENSION - n) &&
			read_at(in, head + n, (size_t)body, at + n);
		n += ok ? (size_t)body : 0;
	}
	ok = ok && rawhead_read(&r, head, n, NULL) == 0 &&
		(!r.hides || n <= MAX_WITH_ACL);
	rawhead_release(&r);
	free(head);
	return ok;
}

/* A reader of the tar from an offset on; NULL: out of memory. Its state is in *input. */
static struct archive *open_at(int fd, uint64_t at, struct input **input)
{
	struct archive *a = archive_read_new();
	struct input *in = calloc(1, sizeof(*in));
	struct stat st;

	if (!a || !in || archive_read_support_format_tar(a) != ARCHIVE_OK) {
		archive_read_free(a);
		free(in);
		return NULL;
	}
	in->fd = fd;
	in->size = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	in->at = at;
	*input = in;
	return a;
}

/* ---- members ---------------------------------------------------------------------- */

static bool add_name(struct source *s, const char *name, uint32_t *at)
{
	*at = (uint32_t)s->names.len;
	buf_add(&s->names, name, strlen(name) + 1);
	return !s->names.failed;
}

/* The target of a symlink in the archive; false: outside, or nowhere. */
static bool link_target(const char *name, const char *target, struct buf *out)
{
	auto_buf path = {0};

	if (*target == '/')
		return false;
	buf_add(&path, name, (size_t)(path_base(name) - name));
	buf_adds(&path, target);
	return !path.failed && path_clean(path.data, MAX_DEPTH, out, NULL) == 0;
}

static bool set_link(struct source *s, struct member *m, const char *name,
	struct archive_entry *e, bool hard)
{
	auto_buf to = {0};

	if (hard)
		m->out = path_clean(archive_entry_hardlink(e), MAX_DEPTH, &to, NULL) < 0;
	else
		m->out = !link_target(name, archive_entry_symlink(e), &to);
	return add_name(s, m->out ? "" : to.data, &m->link);
}

/* Adds an entry as the next member, if it is a file or a link. */
static int add_entry(
	struct source *s, struct archive *a, struct archive_entry *e, struct ovl_err *err)
{
	const char *raw = archive_entry_pathname(e);
	bool hard = archive_entry_hardlink(e) != NULL;
	bool soft = !hard && archive_entry_filetype(e) == AE_IFLNK &&
		archive_entry_symlink(e);
	struct member m = {
		.head = (uint64_t)archive_read_header_position(a),
		.offset = (uint64_t)archive_filter_bytes(a, 0),
		.size = (uint64_t)archive_entry_size(e),
		.sparse = archive_entry_sparse_count(e) > 0,
	};
	auto_buf name = {0};

	if ((!hard && !soft && archive_entry_filetype(e) != AE_IFREG) || !raw ||
		path_clean(raw, MAX_DEPTH, &name, NULL) < 0 || !name.len)
		return 0;
	if (s->n == SOURCE_MAX_MEMBERS || s->names.len > SOURCE_MAX_NAMES)
		return err_say(
			err, E2BIG, "it has more than %d members", SOURCE_MAX_MEMBERS);
	if (!VEC_ROOM(s->member, s->n) || !add_name(s, name.data, &m.name) ||
		((hard || soft) && !set_link(s, &m, name.data, e, hard)))
		return err_nomem(err);
	s->member[s->n++] = m;
	return 0;
}

static bool fits(struct archive *a, struct archive_entry *e)
{
	enum fit fit = signs_fit(e);
	la_int64_t at;
	const void *p;
	size_t n;

	if (fit != FIT_MAYBE)
		return fit == FIT;
	return archive_read_data_block(a, &p, &n, &at) == ARCHIVE_OK &&
		signs_fit_content(p, n);
}

/* 0: all were read; -ENOENT: it is not an image, or cannot be read. */
static int read_members(struct source *s, struct archive *a, struct input *in, bool any,
	struct ovl_err *err)
{
	struct archive_entry *e;
	bool begun = false;
	int rc = 0;

	while (rc == 0) {
		int r = begun ? archive_read_data_skip(a) : ARCHIVE_OK;

		begun = true;
		if ((r != ARCHIVE_OK && r != ARCHIVE_EOF) ||
			!plain_head(in, (uint64_t)archive_filter_bytes(a, 0)))
			return -ENOENT;
		in->in_header = 0;
		r = archive_read_next_header(a, &e);
		in->in_header = 0;
		if (r == ARCHIVE_EOF)
			return 0;
		if (r == ARCHIVE_WARN && tarin_only_charset(a))
			r = ARCHIVE_OK;
		if (r != ARCHIVE_OK || (!any && !fits(a, e)))
			return -ENOENT;
		rc = store_stopped(s->st) ? err_stopped(err) : add_entry(s, a, e, err);
	}
	/* It may be a layer that holds nothing else. */
	return rc == -E2BIG && !any ? -ENOENT : rc;
}

static int by_name(const void *va, const void *vb, void *ctx)
{
	const struct member *a = va;
	const struct member *b = vb;
	int c = strcmp(member_name(ctx, a), member_name(ctx, b));

	return c ? c : a->head < b->head ? -1 : a->head > b->head;
}

int source_index(struct source *s, bool any, struct ovl_err *err)
{
	struct input *in;
	struct archive *a = open_at(s->fd, 0, &in);
	int rc = -ENOENT;
	int why;

	/* The name of a link is never at 0. */
	buf_add(&s->names, "", 1);
	if (!a || s->names.failed) {
		archive_read_free(a);
		return err_nomem(err);
	}
	if (archive_read_open2(a, in, NULL, read_cb, skip_cb, NULL) == ARCHIVE_OK)
		rc = read_members(s, a, in, any, err);
	why = in->failed;
	archive_read_free(a);
	free(in);
	if (rc == 0 && s->n)
		qsort_r(s->member, s->n, sizeof(*s->member), by_name, s);
	return err_is_system(-why) ? err_sys(err, why, "cannot read it") : rc;
}

/* ---- sparse members --------------------------------------------------------------- */

static int copy_data(struct source *s, struct archive *a, struct input *in,
	const struct member *m, struct ovl_err *err)
{
	uint64_t done = 0;
	const void *p;
	la_int64_t at;
	size_t n;
	int r;

	if (m->size > INT64_MAX - s->temp_size)
		return err_sys(err, EFBIG, "cannot write a temporary file");
	in->in_header = 0;
	while ((r = archive_read_data_block(a, &p, &n, &at)) == ARCHIVE_OK) {
		in->in_header = 0;
		if (store_stopped(s->st))
			return err_stopped(err);
		if ((uint64_t)at < done || n > m->size || (uint64_t)at > m->size - n)
			return err_say(err, EBADMSG, "its data are out of order");
		if (lseek(s->temp, (off_t)(s->temp_size + (uint64_t)at), SEEK_SET) < 0 ||
			fs_write_all(s->temp, p, n) < 0)
			return err_sys(err, errno, "cannot write a temporary file");
		done = (uint64_t)at + n;
	}
	if (r != ARCHIVE_EOF)
		return err_say(err, EBADMSG, "it is damaged");
	if (ftruncate(s->temp, (off_t)(s->temp_size + m->size)) < 0)
		return err_sys(err, errno, "cannot write a temporary file");
	return 0;
}

int source_spread(struct source *s, struct member *m, struct ovl_err *err)
{
	struct archive_entry *e;
	struct input *in;
	struct archive *a;
	int rc = 0;

	if (s->temp < 0)
		s->temp = spool_file(s->st, err);
	if (s->temp < 0)
		return s->temp;
	a = open_at(s->fd, m->head, &in);
	if (!a)
		return err_nomem(err);
	if (archive_read_open2(a, in, NULL, read_cb, skip_cb, NULL) != ARCHIVE_OK ||
		archive_read_next_header(a, &e) != ARCHIVE_OK)
		rc = err_say(err, EBADMSG, "it is damaged");
	if (rc == 0)
		rc = copy_data(s, a, in, m, err);
	archive_read_free(a);
	free(in);
	if (rc < 0)
		return rc;
	m->offset = s->temp_size;
	m->spread = true;
	/* Holes are kept only between aligned blocks. */
	s->temp_size = (s->temp_size + m->size + 4095) & ~UINT64_C(4095);
	return 0;
}
