/* SPDX-License-Identifier: ISC */
/* Bolt databases in the stores of other programs, and BuildKit's directories in Docker's
 * store. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "foreign/foreign_bolt.h"

int foreign_bolt(
	const struct foreign *t, const char *path, struct bolt *out, struct ovl_err *err)
{
	auto_fd fd = foreign_open_file(t, path, err);
	int rc;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	rc = bolt_load(fd, path, out, err);
	return rc < 0 ? rc : 1;
}

int foreign_bolt_each(struct bolt *b, const struct bolt_item *in,
	const char *const *names, foreign_bolt_fn *fn, void *ctx, struct ovl_err *err)
{
	struct bolt_item at;
	struct bolt_item item;
	struct bolt_walk w;
	int rc = 1;

	for (; rc > 0 && *names; names++) {
		rc = bolt_find(b, in, *names, &item, err);
		if (rc > 0 && !item.bucket)
			return 0;
		at = item;
		in = &at;
	}
	if (rc <= 0)
		return rc;
	rc = bolt_walk(&w, b, in, err);
	while (rc >= 0 && (rc = bolt_next(&w, &item, err)) > 0) {
		if (item.bucket)
			rc = fn(ctx, b, &item, err);
	}
	return rc;
}

uint64_t foreign_bolt_uvarint(const struct bolt_item *item)
{
	uint64_t v = 0;

	for (size_t i = 0; i < item->len && i < 10; i++) {
		v |= (uint64_t)(item->value[i] & 0x7f) << (7 * i);
		if (!(item->value[i] & 0x80))
			return v;
	}
	return 0;
}

int64_t foreign_bolt_varint(const struct bolt_item *item)
{
	uint64_t v = foreign_bolt_uvarint(item);

	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* time.MarshalBinary: a version, seconds since the year 1, nanoseconds, a zone. */
struct timespec foreign_bolt_time(const struct bolt_item *item)
{
	const unsigned char *p = item->value;
	struct timespec out = {0};
	uint64_t s = 0;
	uint32_t ns = 0;

	if (item->len < 15 || p[0] < 1 || p[0] > 2)
		return out;
	for (int i = 1; i < 9; i++)
		s = s << 8 | p[i];
	for (int i = 9; i < 13; i++)
		ns = ns << 8 | p[i];
	s -= UINT64_C(62135596800);
	if (s > INT32_MAX * UINT64_C(1000) || ns >= 1000000000)
		return out;
	out.tv_sec = (time_t)s;
	out.tv_nsec = ns;
	return out;
}

/* ---- BuildKit ---------------------------------------------------------------------- */

#define SNAPSHOTS "buildkit/snapshots.db"

/* No real store has more. */
#define CLAIMS_MAX (1u << 20)

struct claims {
	struct foreign *t;
	const char *trees;
	size_t n;
};

static void claim(const struct claims *c, const void *name, size_t len)
{
	foreign_add_claim(
		c->t, P("%s/%.*s", c->trees, (int)len, (const char *)name), "BuildKit");
}

/* A snapshot has a directory of its own, or uses that of another one. */
static int claim_snapshot(
	void *ctx, struct bolt *b, const struct bolt_item *item, struct ovl_err *err)
{
	struct claims *c = ctx;
	struct bolt_item other;
	int rc = bolt_find(b, item, "committed", &other, err);

	if (++c->n > CLAIMS_MAX)
		return err_say(err, E2BIG, "'" SNAPSHOTS "' has too many snapshots");
	claim(c, item->key, item->key_len);
	if (rc > 0)
		claim(c, other.value, other.len);
	return rc < 0 ? rc : 0;
}

void foreign_buildkit(struct foreign *t, const char *trees)
{
	struct claims c = {.t = t, .trees = trees};
	auto_bolt b = {0};
	struct ovl_err why;
	int rc = foreign_bolt(t, SNAPSHOTS, &b, &why);

	foreign_add_record(t, SNAPSHOTS);
	if (rc > 0)
		rc = foreign_bolt_each(
			&b, NULL, (const char *const[]){NULL}, claim_snapshot, &c, &why);
	if (rc < 0)
		foreign_unread(t, &why);
}
