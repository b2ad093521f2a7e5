/* SPDX-License-Identifier: ISC */
/* Reads Bolt databases. Numbers are in the byte order of the machine that wrote them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "foreign/bolt.h"

#define PAGE_LEAST  1024
#define PAGE_MOST   65536
#define HEADER      16 /* id 8, flags 2, count 2, overflow 4 */
#define ELEMENT     16 /* leaf: flags, pos, ksize, vsize; branch: pos, ksize, page 8 */
#define PAGE_BRANCH 1
#define PAGE_LEAF   2
#define LEAF_BUCKET 1
#define BUCKET      16 /* root page 8, sequence 8; root 0: the only page follows */

/* Describes the database: magic, version, page size, flags, root bucket (page, sequence),
 * free list, first unused page, transaction, checksum of all before. */
#define META      64
#define META_SUM  56
#define MAGIC     0xED0CDAED
#define VERSION   2
#define META_HEAD (PAGE_MOST + HEADER + META)

/* How often a file is read again if it changes meanwhile, and the pause before that. */
#define TRIES    32
#define PAUSE_MS 5

static uint16_t u16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t u32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t u64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int damaged(const struct bolt *b, const char *what, struct ovl_err *err)
{
	return err_say(err, EUCLEAN, "database %s is damaged: %s", Q(b->name), what);
}

/* ---- meta pages ------------------------------------------------------------------ */

static uint64_t fnv1a(const unsigned char *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* The meta page at an offset; NULL if it is invalid. */
static const unsigned char *meta_at(const unsigned char *data, size_t len, size_t at)
{
	const unsigned char *m = data + at + HEADER;

	if (len < HEADER + META || at > len - HEADER - META || u32(m) != MAGIC ||
		u32(m + 4) != VERSION || u64(m + META_SUM) != fnv1a(m, META_SUM))
		return NULL;
	return m;
}

/* The current meta page: the one with the later transaction; NULL if neither is valid.
 * The second one is at an offset of one page; that size is in the first one, if that is
 * valid. */
static const unsigned char *meta_of(const unsigned char *data, size_t len)
{
	const unsigned char *first = meta_at(data, len, 0);
	const unsigned char *second = NULL;
	uint32_t size;

	for (size = PAGE_LEAST; size <= PAGE_MOST && !second; size *= 2) {
		if (!first || u32(first + 8) == size)
			second = meta_at(data, len, size);
		if (second && u32(second + 8) != size)
			second = NULL;
	}
	if (!first || !second)
		return first ? first : second;
	return u64(second + 48) > u64(first + 48) ? second : first;
}

/* Determines how many bytes of the file the database uses, from the first len bytes. */
static int measure(struct bolt *b, const unsigned char *data, size_t len,
	uint64_t file_size, struct ovl_err *err)
{
	const unsigned char *m = meta_of(data, len);
	uint64_t pages;

	if (!m)
		return err_say(err, EUCLEAN, "%s is not a bolt database, or is damaged",
			Q(b->name));
	b->page = u32(m + 8);
	b->root = u64(m + 16);
	pages = u64(m + 40);
	if (b->page < PAGE_LEAST || b->page > PAGE_MOST || (b->page & (b->page - 1)))
		return damaged(b, "the size of its pages", err);
	if (pages < 3 || pages > file_size / b->page)
		return damaged(b, "it is truncated", err);
	b->len = (size_t)pages * b->page;
	/* Each element is read only a few times, and most take far more than 16 bytes. */
	b->left = b->len / 4 + 4096;
	return 0;
}

int bolt_open(struct bolt *b, struct ovl_err *err)
{
	return measure(b, b->data, b->len, b->len, err);
}

/* 1 if it was read and not written to meanwhile; 0 if it was written to. */
static int load_once(int fd, struct bolt *b, struct ovl_err *err)
{
	auto_free unsigned char *heads = malloc((size_t)2 * META_HEAD);
	unsigned char *before = heads;
	unsigned char *after;
	struct stat st;
	ssize_t n;
	int rc;

	if (!heads)
		return err_nomem(err);
	after = heads + META_HEAD;
	n = fs_pread_upto(fd, before, META_HEAD, 0);
	/* The file grows before the meta page is updated. */
	if (n < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot read %s", Q(b->name));
	if (st.st_size > BOLT_MAX)
		return err_say(err, EFBIG, "%s is larger than %u MiB", Q(b->name),
			BOLT_MAX >> 20);
	rc = measure(b, before, (size_t)n, (uint64_t)st.st_size, err);
	if (rc < 0)
		return rc;
	free(b->data);
	b->data = malloc(b->len);
	if (!b->data)
		return err_nomem(err);
	if (fs_pread_upto(fd, b->data, b->len, 0) != (ssize_t)b->len ||
		fs_pread_upto(fd, after, (size_t)n, 0) != n)
		return err_sys(err, EIO, "cannot read %s", Q(b->name));
	return memcmp(before + HEADER, after + HEADER, META) == 0 &&
		memcmp(before + b->page + HEADER, after + b->page + HEADER, META) == 0;
}

int bolt_load(int fd, const char *name, struct bolt *out, struct ovl_err *err)
{
	struct timespec pause = {0, PAUSE_MS * 1000000};
	auto_bolt b = {.name = name};
	int rc = 0;

	for (int i = 0; i < TRIES && rc == 0; i++) {
		if (i)
			nanosleep(&pause, NULL);
		rc = load_once(fd, &b, err);
	}
	if (rc == 0)
		rc = err_status(err, OVL_BUSY,
			"%s is constantly being written to; try again", Q(name));
	if (rc < 0)
		return rc;
	*out = steal(b);
	return 0;
}

void bolt_release(struct bolt *b)
{
	free(steal(b->data));
	b->len = 0;
}

/* ---- pages ----------------------------------------------------------------------- */

/* Enters a page of len bytes; an inline one is a leaf. */
static int enter(
	struct bolt_walk *w, const unsigned char *page, size_t len, struct ovl_err *err)
{
	struct bolt_level *l = &w->level[w->depth];
	unsigned kind;

	if (len < HEADER)
		return damaged(w->b, "a page without a header", err);
	kind = u16(page + 8);
	*l = (struct bolt_level){.page = page, .len = len, .count = u16(page + 10)};
	if ((kind != PAGE_LEAF && kind != PAGE_BRANCH) ||
		(!l->count && kind == PAGE_BRANCH) || l->count > (len - HEADER) / ELEMENT)
		return damaged(w->b, "a page that has no elements", err);
	w->depth++;
	return 0;
}

static int enter_page(struct bolt_walk *w, uint64_t id, struct ovl_err *err)
{
	struct bolt *b = w->b;
	uint64_t pages = b->len / b->page;
	const unsigned char *page;

	if (w->depth == BOLT_DEPTH)
		return damaged(b, "a loop of pages", err);
	if (id < 2 || id >= pages)
		return damaged(b, "a page outside of it", err);
	page = b->data + id * b->page;
	if (u64(page) != id || u32(page + 12) >= pages - id)
		return damaged(b, "a page that is not the one expected", err);
	return enter(w, page, (size_t)(u32(page + 12) + 1) * b->page, err);
}

int bolt_walk(struct bolt_walk *w, struct bolt *b, const struct bolt_item *bucket,
	struct ovl_err *err)
{
	uint64_t id = b->root;

	w->b = b;
	w->depth = 0;
	if (bucket) {
		if (bucket->len < BUCKET)
			return damaged(b, "a bucket without a page", err);
		id = u64(bucket->value);
		if (!id)
			return enter(
				w, bucket->value + BUCKET, bucket->len - BUCKET, err);
	}
	return enter_page(w, id, err);
}

/* The element number i of a leaf. */
static int leaf_item(const struct bolt_walk *w, const struct bolt_level *l, unsigned i,
	struct bolt_item *out, struct ovl_err *err)
{
	size_t at = HEADER + (size_t)i * ELEMENT;
	uint64_t key = at + (uint64_t)u32(l->page + at + 4);
	uint64_t key_len = u32(l->page + at + 8);
	uint64_t len = u32(l->page + at + 12);

	if (key + key_len + len > l->len)
		return damaged(w->b, "a key outside of its page", err);
	out->bucket = u32(l->page + at) & LEAF_BUCKET;
	out->key = (const char *)l->page + key;
	out->key_len = (size_t)key_len;
	out->value = l->page + key + key_len;
	out->len = (size_t)len;
	return 1;
}

int bolt_next(struct bolt_walk *w, struct bolt_item *out, struct ovl_err *err)
{
	while (w->depth) {
		struct bolt_level *l = &w->level[w->depth - 1];
		unsigned i = l->next++;
		int rc;

		if (i == l->count) {
			w->depth--;
			continue;
		}
		if (!w->b->left)
			return damaged(w->b, "a loop of pages", err);
		w->b->left--;
		if (u16(l->page + 8) == PAGE_LEAF)
			return leaf_item(w, l, i, out, err);
		rc = enter_page(w, u64(l->page + HEADER + (size_t)i * ELEMENT + 8), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

bool bolt_is(const struct bolt_item *item, const char *key)
{
	return item->key_len == strlen(key) && memcmp(item->key, key, item->key_len) == 0;
}

int bolt_find(struct bolt *b, const struct bolt_item *bucket, const char *key,
	struct bolt_item *out, struct ovl_err *err)
{
	struct bolt_item item;
	struct bolt_walk w;
	int rc = bolt_walk(&w, b, bucket, err);

	while (rc >= 0 && (rc = bolt_next(&w, &item, err)) > 0) {
		if (bolt_is(&item, key)) {
			*out = item;
			return 1;
		}
	}
	return rc;
}
