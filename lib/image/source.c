/* SPDX-License-Identifier: ISC */
/* The parts of an image archive or directory, found by name. */
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
#include "image/source_own.h"

#define MAX_LINKS 8

void part_release(struct part *b)
{
	free(steal(b->file));
}

int part_open(const struct part *b)
{
	return b->file ? fs_open_link(b->fd, b->file, O_RDONLY | O_NONBLOCK) :
			 fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
}

void source_close(struct source *s)
{
	if (!s)
		return;
	close_fdp(&s->temp);
	buf_release(&s->names);
	free(s->member);
	free(s);
}

static struct source *make(struct ovl_store *st, int fd)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->st = st;
	s->fd = fd;
	s->temp = -1;
	return s;
}

int source_open_dir(
	struct source **out, struct ovl_store *st, int fd, struct ovl_err *err)
{
	struct source *s = make(st, fd);

	if (!s)
		return err_nomem(err);
	s->dir = true;
	*out = s;
	return 0;
}

int source_open(struct source **out, struct ovl_store *st, struct stream **from, bool any,
	struct ovl_err *err)
{
	struct source *s = make(st, -1);
	int rc = s ? source_index(s, from, any, err) : err_nomem(err);

	if (rc > 0)
		*out = s;
	else
		source_close(s);
	return rc;
}

void source_at(struct source *s, int fd)
{
	s->fd = fd;
}

/* ---- finding ---------------------------------------------------------------------- */

static int leads_out(const char *name, struct ovl_err *err)
{
	return err_say(err, EINVAL,
		"%s leads outside the image through a symlink: copy it with 'cp -rL' "
		"and import the copy",
		Q(name));
}

static int find_file(
	struct source *s, const char *name, struct part *out, struct ovl_err *err)
{
	auto_fd fd = fs_open_link(s->fd, name, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 && errno == EXDEV)
		return leads_out(name, err);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot open %s", Q(name));
	if (!S_ISREG(st.st_mode))
		return err_say(err, EINVAL, "%s is not a regular file", Q(name));
	*out = (struct part){
		.fd = s->fd, .file = strdup(name), .size = (uint64_t)st.st_size};
	return out->file ? 1 : err_nomem(err);
}

/* The first member of that name, or NULL. */
static struct member *lookup(const struct source *s, const char *name)
{
	size_t from = 0;
	size_t to = s->n;

	while (from < to) {
		size_t i = from + (to - from) / 2;

		if (strcmp(member_name(s, &s->member[i]), name) < 0)
			from = i + 1;
		else
			to = i;
	}
	return from < s->n && strcmp(member_name(s, &s->member[from]), name) == 0 ?
		&s->member[from] :
		NULL;
}

/* The next member of the same name, or NULL. */
static struct member *next_same(const struct source *s, struct member *m)
{
	struct member *next = m + 1;

	return next < s->member + s->n &&
			strcmp(member_name(s, m), member_name(s, next)) == 0 ?
		next :
		NULL;
}

static int differ_file(const char *name, struct ovl_err *err)
{
	return err_say(err, EINVAL,
		"%s occurs twice in the archive, with different content", Q(name));
}

/* Replaces the first n bytes of a path by the target of a link. */
static int follow(struct source *s, struct member *link, size_t n, struct buf *path,
	struct ovl_err *err)
{
	const char *name = member_name(s, link);
	const char *target = s->names.data + link->link;
	auto_buf to = {0};

	if (link->out)
		return leads_out(name, err);
	for (struct member *m = link; !link->checked && (m = next_same(s, m));) {
		if (!m->link || m->out || strcmp(s->names.data + m->link, target) != 0)
			return differ_file(name, err);
	}
	link->checked = true;
	buf_adds(&to, target);
	buf_adds(&to, path->data + n);
	if (to.failed)
		return err_nomem(err);
	return path_clean(to.data, 64, path, err);
}

/* Finds the member that a path leads to, following links: 1, 0, negative errno. */
static int resolve(
	struct source *s, struct buf *path, struct member **out, struct ovl_err *err)
{
	auto_buf asked = {0};

	buf_adds(&asked, path->data);
	for (int i = 0; i < MAX_LINKS; i++) {
		struct member *m = lookup(s, path->data);
		size_t n = path->len;
		int rc;

		if (m && !m->link) {
			*out = m;
			return 1;
		}
		/* It may be a link, or below one. */
		for (char *p = path->data; !m && (p = strchr(p, '/')); p++) {
			n = (size_t)(p - path->data);
			*p = '\0';
			m = lookup(s, path->data);
			*p = '/';
			if (m && !m->link)
				m = NULL;
		}
		if (!m)
			return 0;
		rc = follow(s, m, n, path, err);
		if (rc < 0)
			return rc;
	}
	return err_say(
		err, ELOOP, "%s: too many links", Q(asked.failed ? "" : asked.data));
}

/* Finds the data of a member; a sparse one is expanded into a temporary file first. */
static int place(
	struct source *s, struct member *m, struct part *out, struct ovl_err *err)
{
	int rc = m->sparse && !m->spread ? source_spread(s, m, err) : 0;

	if (rc < 0)
		return err_prefix(err, rc, "%s", Q(member_name(s, m)));
	*out = (struct part){
		.fd = m->spread ? s->temp : s->fd, .offset = m->offset, .size = m->size};
	return 1;
}

/* 1 if both have the same bytes, 0 if not, negative errno. */
static int equal(const struct source *s, const struct part *a, const struct part *b,
	struct ovl_err *err)
{
	int r = a->size != b->size ?
		1 :
		fs_data_differs(a->fd, (off_t)a->offset, b->fd, (off_t)b->offset,
			(off_t)a->size, s->st->cfg.stop);

	if (r < 0)
		return errno == EINTR ? err_stopped(err) :
					err_sys(err, errno, "cannot read it");
	return !r;
}

/* All members of one name must have the same content. first is not a link. */
static int check_others(struct source *s, struct member *first, const struct part *part,
	struct ovl_err *err)
{
	const char *name = member_name(s, first);

	for (struct member *m = first; (m = next_same(s, m));) {
		struct part other;
		int rc;

		/* tar writes a hard link to itself for a file that was named twice. */
		if (m->link && strcmp(s->names.data + m->link, name) == 0)
			continue;
		rc = m->link ? 0 : place(s, m, &other, err);
		if (rc > 0)
			rc = equal(s, part, &other, err);
		if (rc <= 0)
			return rc ? rc : differ_file(name, err);
	}
	first->checked = true;
	return 1;
}

static int find_member(
	struct source *s, struct buf *path, struct part *out, struct ovl_err *err)
{
	struct member *m;
	struct part part = {0};
	int rc = resolve(s, path, &m, err);

	if (rc > 0)
		rc = place(s, m, &part, err);
	if (rc > 0 && !m->checked)
		rc = check_others(s, m, &part, err);
	if (rc > 0)
		*out = part;
	return rc;
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
			find_member(s, &path, out, err);
}

int source_read(struct source *s, const char *name, struct buf *out, struct ovl_err *err)
{
	auto_part b = {0};
	auto_fd fd = -1;
	ssize_t n;
	int rc = source_find(s, name, &b, err);

	buf_clear(out);
	if (rc <= 0)
		return rc;
	if (b.size > SOURCE_MAX_JSON)
		return err_say(err, EFBIG, "%s is over 4 MiB", Q(name));
	s->read += b.size;
	if (s->reads++ == SOURCE_MAX_READS || s->read > SOURCE_MAX_READ)
		return err_say(err, E2BIG,
			"it has more than %d indexes, manifests and configs, or 32 MiB of them",
			SOURCE_MAX_READS);
	if (!buf_reserve(out, b.size + 1))
		return err_nomem(err);
	fd = part_open(&b);
	if (fd < 0)
		return err_sys(err, errno, "cannot open %s", Q(name));
	n = fs_pread_upto(fd, out->data, b.size, b.offset);
	if (n < 0)
		return err_sys(err, errno, "cannot read %s", Q(name));
	if ((size_t)n < b.size)
		return err_say(err, EBADMSG, "%s ends too early", Q(name));
	out->len = b.size;
	out->data[out->len] = '\0';
	return 1;
}
