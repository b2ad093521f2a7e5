/* SPDX-License-Identifier: ISC */
/* Where a file has data and where holes, in whole blocks. */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/sparse.h"

#define EXTENTS 64

union extents {
	struct fiemap map;
	char room[sizeof(struct fiemap) + EXTENTS * sizeof(struct fiemap_extent)];
};

struct mapper {
	int fd;
	sparse_fn fn;
	void *ctx;
	bool no_fiemap;
	bool synced;
	off_t size;
	off_t block;
	off_t from, to; /* a data range that may still grow */
};

static int flush_run(struct mapper *m)
{
	off_t from = m->from;
	off_t n = m->to - from;

	m->from = m->to;
	return n ? m->fn(m->ctx, from, n) : 0;
}

static int data(struct mapper *m, off_t from, off_t to)
{
	int rc = 0;

	if (from >= to)
		return 0;
	from -= from % m->block;
	to += (m->block - to % m->block) % m->block;
	if (from > m->to || !m->to) {
		rc = flush_run(m);
		m->from = from;
	}
	m->to = to < m->size ? to : m->size;
	return rc;
}

/* ---- allocated but unwritten space ------------------------------------------------ */

static bool is_unwritten(const struct fiemap_extent *e)
{
	return e->fe_flags & FIEMAP_EXTENT_UNWRITTEN;
}

/*
 * Gets the first extents of at..end; none if the file system cannot tell. Data that is
 * not on disk yet may be reported as unwritten, so the file is synced if anything is
 * reported so.
 */
static unsigned get_extents(struct mapper *m, off_t at, off_t end, union extents *x)
{
	unsigned n = 0;

	for (;;) {
		memset(&x->map, 0, sizeof(x->map));
		x->map.fm_start = (__u64)at;
		x->map.fm_length = (__u64)(end - at);
		x->map.fm_flags = m->synced ? FIEMAP_FLAG_SYNC : 0;
		x->map.fm_extent_count = EXTENTS;
		if (m->no_fiemap || ioctl(m->fd, FS_IOC_FIEMAP, &x->map) < 0) {
			m->no_fiemap = true;
			return 0;
		}
		for (n = 0; n < x->map.fm_mapped_extents; n++) {
			if (!m->synced && is_unwritten(&x->map.fm_extents[n]))
				break;
		}
		if (n == x->map.fm_mapped_extents)
			return n;
		m->synced = true;
	}
}

/* Reports at..end as data, except for ranges that were never written. */
static int written(struct mapper *m, off_t at, off_t end)
{
	union extents x;

	while (at < end) {
		unsigned n = get_extents(m, at, end, &x);
		off_t upto = end;
		int rc = 0;

		if (n == EXTENTS) {
			const struct fiemap_extent *last = &x.map.fm_extents[n - 1];
			off_t stop = (off_t)(last->fe_logical + last->fe_length);

			upto = stop > at && stop < end ? stop : end;
		}
		for (unsigned i = 0; i < n && rc == 0; i++) {
			const struct fiemap_extent *e = &x.map.fm_extents[i];
			off_t start = (off_t)e->fe_logical;
			off_t stop = start + (off_t)e->fe_length;

			if (!is_unwritten(e) || stop <= at || start >= upto)
				continue;
			rc = data(m, at, start);
			at = stop;
		}
		if (rc == 0)
			rc = data(m, at, upto);
		if (rc)
			return rc;
		at = at > upto ? at : upto;
	}
	return 0;
}

/* ----------------------------------------------------------------------------------- */

int sparse_map(int fd, off_t size, off_t block, sparse_fn fn, void *ctx)
{
	struct mapper m = {.fd = fd, .fn = fn, .ctx = ctx, .size = size, .block = block};
	off_t at = 0;
	int rc = 0;

	/* Most files have no holes, which one call tells. */
	if (size > 0 && lseek(fd, 0, SEEK_HOLE) >= size) {
		rc = written(&m, 0, size);
		at = size;
	}
	while (at < size && rc == 0) {
		off_t from = lseek(fd, at, SEEK_DATA);
		off_t to;

		if (from < 0 && errno == EINVAL)
			from = at; /* unknown: assume no holes */
		if (from < 0 && errno != ENXIO)
			return -1;
		if (from < 0 || from >= size)
			break;
		to = lseek(fd, from, SEEK_HOLE);
		if (to < 0 && errno != EINVAL)
			return -1;
		if (to < 0 || to > size)
			to = size;
		rc = written(&m, from, to);
		at = to;
	}
	return rc ? rc : flush_run(&m);
}
