/* SPDX-License-Identifier: ISC */
/* The members of an image archive or directory, found by name. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/quote.h"
#include "image/source.h"
#include "tar/rawhead.h"

#define MAX_LINKS 8
#define READ_SIZE 10240

/* Of a member's header: all of it, its extension headers, and these if there is an ACL
 * among them. */
#define MAX_HEADER    (1u << 20)
#define MAX_EXTENSION (64u << 10)
#define MAX_WITH_ACL  (2u << 10)

struct member {
	char *name;
	char *link; /* another member; NULL: a file */
	uint64_t offset;
	uint64_t size;
	bool twice; /* which of them is meant nobody can say */
};

struct source {
	int fd; /* the caller's */
	bool dir;
	struct member *member; /* sorted by name */
	size_t n;
	unsigned reads; /* by source_read */
	uint64_t read;
};

void part_release(struct part *b)
{
	free(b->file);
	b->file = NULL;
}

int part_open(const struct part *b)
{
	return b->file ? fs_open_beneath(b->fd, b->file, O_RDONLY | O_NONBLOCK) :
			 fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
}

void source_close(struct source *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->member[i].name);
		free(s->member[i].link);
	}
	free(s->member);
	free(s);
}

/* ---- the index of a tar ----------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static char *clean(const char *raw)
{
	auto_buf out = {0};

	return raw && path_clean(raw, 64, &out, NULL) == 0 ? buf_steal(&out) : NULL;
}

/* Old archives have a layer that comes twice as a symlink: "../<id>/layer.tar". */
static char *link_target(const char *name, const char *target)
{
	auto_buf path = {0};
	const char *base = path_base(name);

	if (*target != '/')
		buf_add(&path, name, (size_t)(base - name));
	buf_adds(&path, target);
	return path.failed ? NULL : clean(path.data);
}

/* One entry into the next member: 1 taken, 0 of no use, -1 no memory. */
static int take(struct source *s, struct archive *a, struct archive_entry *e)
{
	struct member m = {.name = clean(archive_entry_pathname(e))};
	const char *hard = archive_entry_hardlink(e);

	if (!m.name || !*m.name) {
		free(m.name);
		return 0;
	}
	if (hard)
		m.link = clean(hard);
	else if (archive_entry_filetype(e) == AE_IFLNK && archive_entry_symlink(e))
		m.link = link_target(m.name, archive_entry_symlink(e));
	else if (archive_entry_filetype(e) == AE_IFREG &&
		archive_entry_sparse_count(e) == 0) {
		m.offset = (uint64_t)archive_filter_bytes(a, 0);
		m.size = (uint64_t)archive_entry_size(e);
	} else {
		free(m.name);
		return 0;
	}
	s->member[s->n++] = m;
	return 1;
}

static void sort(struct source *s)
{
	if (s->n)
		qsort(s->member, s->n, sizeof(*s->member), by_name);
	for (size_t i = 1; i < s->n; i++) {
		if (strcmp(s->member[i - 1].name, s->member[i].name) == 0)
			s->member[i - 1].twice = s->member[i].twice = true;
	}
}

/* The reader's input. */
struct input {
	int fd;
	uint64_t at;
	uint64_t in_header; /* bytes given of the header that is read */
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

/* What of it is behind the end of the file is for a read to find. */
static la_int64_t skip_cb(struct archive *a, void *ctx, la_int64_t n)
{
	struct input *in = ctx;

	(void)a;
	if (n > INT64_MAX - (la_int64_t)in->at)
		n = 0;
	in->at += (uint64_t)n;
	return n;
}

/* All of n bytes, or false: they are not there, or in->failed. */
static bool read_at(struct input *in, void *p, size_t n, uint64_t at)
{
	ssize_t got = fs_pread_upto(in->fd, p, n, at);

	if (got < 0)
		in->failed = errno;
	return got == (ssize_t)n;
}

/*
 * Are the extension headers at a place such as a member of an image has? The reader takes
 * memory and quadratic time for others; they are a layer's, and read in another way.
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
		if (body < 0)
			break;
		n += RAWHEAD_BLOCK;
		ok = body <= (long long)(MAX_EXTENSION - n) &&
			read_at(in, head + n, (size_t)body, at + n);
		n += ok ? (size_t)body : 0;
	}
	ok = ok && rawhead_read(&r, head, n, NULL) == 0 &&
		(!r.acl_keys.len || n <= MAX_WITH_ACL);
	rawhead_release(&r);
	free(head);
	return ok;
}

/* Such a file no image holds: this is the tree of a layer. */
static bool is_special(struct archive_entry *e)
{
	mode_t type = archive_entry_filetype(e);

	return !archive_entry_hardlink(e) &&
		(type == AE_IFCHR || type == AE_IFBLK || type == AE_IFIFO);
}

static int read_members(struct source *s, struct archive *a, struct input *in)
{
	struct archive_entry *e;
	size_t seen = 0;
	int r = ARCHIVE_OK;

	while (r == ARCHIVE_OK && seen < SOURCE_MAX_MEMBERS) {
		r = seen ? archive_read_data_skip(a) : ARCHIVE_OK;
		if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
			break;
		if (!plain_head(in, (uint64_t)archive_filter_bytes(a, 0)))
			return ARCHIVE_FATAL;
		in->in_header = 0;
		r = archive_read_next_header(a, &e);
		in->in_header = 0;
		if (r == ARCHIVE_OK && is_special(e))
			return ARCHIVE_FATAL;
		if (r == ARCHIVE_OK && ++seen)
			take(s, a, e);
	}
	return r;
}

static int read_index(struct source *s, struct ovl_err *err)
{
	struct archive *a = archive_read_new();
	struct input *in = calloc(1, sizeof(*in));
	int r = ARCHIVE_FATAL;
	int why;

	s->member = calloc(SOURCE_MAX_MEMBERS, sizeof(*s->member));
	if (!a || !in || !s->member) {
		archive_read_free(a);
		free(in);
		return err_nomem(err);
	}
	in->fd = s->fd;
	if (archive_read_support_format_tar(a) == ARCHIVE_OK)
		r = archive_read_open2(a, in, NULL, read_cb, skip_cb, NULL);
	if (r == ARCHIVE_OK)
		r = read_members(s, a, in);
	why = in->failed;
	archive_read_free(a);
	free(in);
	sort(s);
	if (err_is_system(-why))
		return err_sys(err, why, "cannot read it");
	return r == ARCHIVE_EOF ? 0 : -ENOENT;
}

int source_open(struct source **out, int fd, struct ovl_err *err)
{
	struct source *s = calloc(1, sizeof(*s));
	struct stat st;
	int rc = 0;

	if (!s)
		return err_nomem(err);
	s->fd = fd;
	if (fstat(fd, &st) < 0)
		rc = err_sys(err, errno, "cannot stat it");
	else if (S_ISDIR(st.st_mode))
		s->dir = true;
	else
		rc = read_index(s, err);
	if (rc < 0) {
		source_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

bool source_is_dir(const struct source *s)
{
	return s->dir;
}

/* ---- finding ---------------------------------------------------------------------- */

static int find_file(
	struct source *s, const char *name, struct part *out, struct ovl_err *err)
{
	auto_fd fd = fs_open_beneath(s->fd, name, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot open %s", Q(name));
	if (!S_ISREG(st.st_mode))
		return err_say(err, EINVAL, "%s is not a regular file", Q(name));
	*out = (struct part){
		.fd = s->fd, .file = strdup(name), .size = (uint64_t)st.st_size};
	return out->file ? 1 : err_nomem(err);
}

static int find_member(
	struct source *s, const char *name, struct part *out, struct ovl_err *err)
{
	struct member key = {.name = (char *)(uintptr_t)name};

	for (int i = 0; i < MAX_LINKS; i++) {
		const struct member *m = s->n ?
			bsearch(&key, s->member, s->n, sizeof(key), by_name) :
			NULL;

		if (!m)
			return 0;
		if (m->twice)
			return err_say(err, EINVAL, "%s is there twice", Q(name));
		if (!m->link) {
			*out = (struct part){
				.fd = s->fd, .offset = m->offset, .size = m->size};
			return 1;
		}
		key.name = m->link;
	}
	return err_say(err, ELOOP, "%s: too many links", Q(name));
}

int source_find(struct source *s, const char *name, struct part *out, struct ovl_err *err)
{
	auto_buf path = {0};
	int rc = path_clean(name, 64, &path, err);

	if (rc < 0)
		return rc;
	if (!path.len)
		return 0;
	return s->dir ? find_file(s, path.data, out, err) :
			find_member(s, path.data, out, err);
}

int source_read(struct source *s, const char *name, struct buf *out, struct ovl_err *err)
{
	auto_part b = {0};
	auto_fd fd = -1;
	int rc = source_find(s, name, &b, err);

	buf_clear(out);
	if (rc <= 0)
		return rc;
	if (b.size > SOURCE_MAX_JSON)
		return err_say(err, EFBIG, "%s is over 4 MiB", Q(name));
	s->read += b.size;
	if (s->reads++ == SOURCE_MAX_READS || s->read > SOURCE_MAX_READ)
		return err_say(err, E2BIG,
			"its indexes, manifests and configs are more than %d, or 32 MiB",
			SOURCE_MAX_READS);
	if (!buf_reserve(out, b.size + 1))
		return err_nomem(err);
	fd = part_open(&b);
	if (fd < 0)
		return err_sys(err, errno, "cannot open %s", Q(name));
	while (out->len < b.size) {
		ssize_t n = pread(fd, out->data + out->len, b.size - out->len,
			(off_t)(b.offset + out->len));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "cannot read %s", Q(name));
		if (!n)
			return err_say(err, EBADMSG, "%s ends too early", Q(name));
		out->len += (size_t)n;
	}
	out->data[out->len] = '\0';
	return 1;
}
