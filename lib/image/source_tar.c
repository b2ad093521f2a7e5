/* SPDX-License-Identifier: ISC */
/* Makes an index of the members of an image archive. */
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "base/vec.h"
#include "image/signs.h"
#include "image/source_own.h"
#include "tar/tarin.h"

#define MAX_DEPTH 64

/* ---- members ---------------------------------------------------------------------- */

static bool add_name(struct source *s, const char *name, uint32_t *at)
{
	*at = (uint32_t)s->names.len;
	buf_add(&s->names, name, strlen(name) + 1);
	return !s->names.failed;
}

/* The target of a symlink as a path in the archive; false if it is outside, or no
 * path. */
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
	struct source *s, struct tarin *t, struct archive_entry *e, struct ovl_err *err)
{
	const char *raw = archive_entry_pathname(e);
	bool hard = archive_entry_hardlink(e) != NULL;
	bool soft = !hard && archive_entry_filetype(e) == AE_IFLNK &&
		archive_entry_symlink(e);
	struct member m = {
		.head = tarin_head_at(t),
		.offset = tarin_data_at(t),
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

/* Can this entry be a member of an image? Its data have not been read yet. */
static bool fits(struct tarin *t, struct archive_entry *e)
{
	enum fit fit = signs_fit(e);
	uint64_t at;
	const void *p;
	size_t n;

	if (fit != FIT_MAYBE)
		return fit == FIT;
	return tarin_data(t, "", &p, &n, &at, NULL) > 0 && signs_fit_content(p, n);
}

/* 1: all members were read; 0: one cannot be part of an image. */
static int read_members(struct source *s, struct tarin *t, bool any, struct ovl_err *err)
{
	struct archive_entry *e;
	int rc;

	while ((rc = tarin_next(t, &e, err)) > 0) {
		rc = store_stopped(s->st) ? err_stopped(err) : add_entry(s, t, e, err);
		if (rc < 0)
			return rc;
		if (!any && !fits(t, e))
			return 0;
	}
	return rc < 0 ? rc : 1;
}

static int by_name(const void *va, const void *vb, void *ctx)
{
	const struct member *a = va;
	const struct member *b = vb;
	int c = strcmp(member_name(ctx, a), member_name(ctx, b));

	return c ? c : a->head < b->head ? -1 : a->head > b->head;
}

int source_index(struct source *s, struct stream **from, bool any, struct ovl_err *err)
{
	struct tarin *t;
	int rc = tarin_open(&t, *from, NULL, err);

	*from = NULL;
	if (rc < 0)
		return rc;
	/* A link's target at offset 0 means none, so no name may be there. */
	buf_add(&s->names, "", 1);
	rc = s->names.failed ? err_nomem(err) : read_members(s, t, any, err);
	*from = tarin_detach(t);
	if (rc > 0 && s->n)
		qsort_r(s->member, s->n, sizeof(*s->member), by_name, s);
	return rc;
}

/* ---- sparse members --------------------------------------------------------------- */

int source_temp(struct ovl_store *st, struct ovl_err *err)
{
	int dir = store_dir_make(st, DIR_STAGING, err);
	int fd;

	if (dir < 0)
		return dir;
	fd = fs_temp(dir);
	return fd < 0 ? err_sys(err, errno, "cannot make a temporary file") : fd;
}

static int copy_data(
	struct source *s, struct tarin *t, const struct member *m, struct ovl_err *err)
{
	const void *p;
	uint64_t at;
	size_t n;
	int rc;

	if (m->size > INT64_MAX - s->temp_size)
		return err_sys(err, EFBIG, "cannot write a temporary file");
	while ((rc = tarin_data(t, "", &p, &n, &at, err)) > 0) {
		if (store_stopped(s->st))
			return err_stopped(err);
		if (n > m->size || at > m->size - n)
			return err_say(err, EBADMSG, "its data are out of order");
		if (fs_pwrite_all(s->temp, p, n, s->temp_size + at) < 0)
			return err_sys(err, errno, "cannot write a temporary file");
	}
	if (rc == 0 && ftruncate(s->temp, (off_t)(s->temp_size + m->size)) < 0)
		return err_sys(err, errno, "cannot write a temporary file");
	return rc;
}

/* Copies a sparse member, reading its headers again from where they begin. */
static int copy_member(struct source *s, const struct member *m, struct ovl_err *err)
{
	const struct stream_config cfg = {
		.fd = s->fd,
		.direct = true,
		.offset = m->head,
		.max_size = UINT64_MAX,
		.stop = s->st->cfg.stop,
	};
	struct archive_entry *e;
	struct stream *from;
	struct tarin *t;
	int rc = stream_open(&from, &cfg, err);

	if (rc == 0)
		rc = tarin_open(&t, from, NULL, err);
	if (rc < 0)
		return rc;
	rc = tarin_next(t, &e, err);
	if (rc == 0)
		rc = err_say(err, EBADMSG, "it is damaged");
	if (rc > 0)
		rc = copy_data(s, t, m, err);
	tarin_close(t);
	return rc;
}

int source_spread(struct source *s, struct member *m, struct ovl_err *err)
{
	int rc;

	if (s->temp < 0)
		s->temp = source_temp(s->st, err);
	if (s->temp < 0)
		return s->temp;
	rc = copy_member(s, m, err);
	if (rc < 0)
		return rc;
	m->offset = s->temp_size;
	m->spread = true;
	/* Aligned, as only whole blocks can be holes. */
	s->temp_size = (s->temp_size + m->size + 4095) & ~UINT64_C(4095);
	return 0;
}
