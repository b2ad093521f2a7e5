/* SPDX-License-Identifier: ISC */
/* Finds what the trees of a stack hide in the trees below; see hidden.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/vec.h"
#include "union/hidden.h"

/* Why an entry is not visible as itself, in addition to enum ovl_hidden. */
enum {
	STILL_USED = OVL_HIDDEN_WAYS, /* renamed, or the data of a metacopy */
	SAME_FILE, /* the tree above has another name of the same file in its place */
	COVERED, /* by an opaque directory; see why_covered() */
	NOT_HIDDEN
};

/* From where an entry of a lower tree is visible. */
enum sight {
	FROM_HERE, /* its own path */
	FROM_MOVED, /* the path that its directory was moved to */
	ANYHOW /* either, even if this tree hides it */
};

/* A name in one of the trees. All entries below a directory follow it. */
struct kept {
	uint64_t bytes; /* on disk */
	uint64_t size;
	struct timespec mtime;
	struct hidden_links *links;
	unsigned node; /* the first entry with the same path in any tree */
	unsigned dir;
	unsigned next; /* the next entry in the bucket, which was added before */
	unsigned below; /* the entry with the same path in the next lower tree that has
			 * one */
	unsigned end; /* one past the last entry below it */
	unsigned tier;
	unsigned by; /* the tier that hides it; 0: none */
	uint32_t name; /* where it is in the names */
	uint32_t hash; /* of the name and its directory's node */
	mode_t mode;
	unsigned char why;
	unsigned char marks;
	bool opaque; /* it, or a directory above it */
	unsigned char sight; /* FROM_MOVED: it, or a directory above it, was moved; node:
			      * the path it was moved from */
};

struct tier {
	unsigned tree;
	unsigned flags;
	unsigned first; /* entry */
	size_t n_log;
};

struct hidden {
	struct hidden_trees in;
	struct kept *entry; /* the first one is not used */
	unsigned n;
	struct buf names;
	unsigned *log; /* the entries that each tier hides, in order */
	size_t n_log;
	struct tier *tier; /* the first one is not used */
	unsigned n_tiers;
	unsigned *bucket;
	size_t buckets; /* a power of two */
	uint64_t seed; /* so that whoever chooses the names cannot make them collide */
};

static unsigned this_tier(const struct hidden *h)
{
	return h->n_tiers - 1;
}

struct hidden *hidden_new(const struct hidden_trees *in)
{
	struct hidden *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct hidden){.in = *in, .n = 1, .n_tiers = 1};
	h->entry = calloc(VEC_LEAST, sizeof(*h->entry));
	h->tier = calloc(VEC_LEAST, sizeof(*h->tier));
	buf_add(&h->names, "", 1);
	if (h->entry && h->tier && !h->names.failed &&
		getrandom(&h->seed, sizeof(h->seed), 0) == sizeof(h->seed))
		return h;
	hidden_free(h);
	return NULL;
}

void hidden_free(struct hidden *h)
{
	if (!h)
		return;
	while (this_tier(h))
		hidden_pop(h);
	free(h->entry);
	free(h->tier);
	free(h->log);
	free(h->bucket);
	buf_release(&h->names);
	free(h);
}

int hidden_push(struct hidden *h, unsigned tree, unsigned flags)
{
	if (!VEC_ROOM(h->tier, h->n_tiers))
		return -1;
	h->tier[h->n_tiers++] = (struct tier){
		.tree = tree, .flags = flags, .first = h->n, .n_log = h->n_log};
	return 0;
}

/* ---- by name ----------------------------------------------------------------------- */

static const char *name_of(const struct hidden *h, unsigned i)
{
	return h->names.data + h->entry[i].name;
}

static uint32_t hash_of(const struct hidden *h, unsigned node, const char *name)
{
	return (uint32_t)XXH64(name, strlen(name), h->seed ^ node);
}

static unsigned *bucket_of(const struct hidden *h, uint32_t hash)
{
	return &h->bucket[hash & (h->buckets - 1)];
}

static void put_in_bucket(struct hidden *h, unsigned i)
{
	unsigned *at = bucket_of(h, h->entry[i].hash);

	h->entry[i].next = *at;
	*at = i;
}

static int grow_buckets(struct hidden *h)
{
	size_t n = h->buckets ? 2 * h->buckets : 1024;
	unsigned *more = calloc(n, sizeof(*more));

	if (!more)
		return fs_fail(ENOMEM);
	free(h->bucket);
	h->bucket = more;
	h->buckets = n;
	for (unsigned i = 1; i < h->n; i++)
		put_in_bucket(h, i);
	return 0;
}

/* Finds the entry with that path that was added last before another entry, that is, in
 * the nearest tree; 0: none. */
static unsigned find(
	const struct hidden *h, unsigned node, const char *name, unsigned before)
{
	const struct kept *e = h->entry;
	uint32_t hash = hash_of(h, node, name);
	unsigned i = h->buckets ? *bucket_of(h, hash) : 0;

	while (i &&
		(i >= before || e[i].hash != hash || e[e[i].dir].node != node ||
			strcmp(name_of(h, i), name) != 0))
		i = e[i].next;
	return i;
}

void hidden_path(const struct hidden *h, unsigned entry, struct buf *out)
{
	size_t len = 0;

	for (unsigned i = entry; h->entry[i].dir; i = h->entry[i].dir)
		len += strlen(name_of(h, i)) + 1;
	buf_clear(out);
	for (size_t n = len; n; n--)
		buf_add(out, "/", 1);
	for (unsigned i = entry; h->entry[i].dir && !out->failed; i = h->entry[i].dir) {
		size_t n = strlen(name_of(h, i));

		len -= n;
		memcpy(out->data + len--, name_of(h, i), n);
	}
}

/* ---- hiding ------------------------------------------------------------------------ */

static bool is_visible(const struct hidden *h, unsigned i, enum sight sight)
{
	const struct kept *e = &h->entry[i];

	if (!i || !e->by || e->by != this_tier(h))
		return i && !e->by;
	return sight == ANYHOW || (sight == FROM_MOVED && e->why == STILL_USED);
}

static int hide(struct hidden *h, unsigned i, unsigned why)
{
	struct kept *e = &h->entry[i];

	if (!e->by && !VEC_ROOM(h->log, h->n_log))
		return fs_fail(ENOMEM);
	if (!e->by)
		h->log[h->n_log++] = i;
	e->by = this_tier(h);
	e->why = (unsigned char)why;
	return 0;
}

/* Why a directory hides the entry; NOT_HIDDEN if a complete tree has the directory as
 * well. */
static unsigned why_covered(const struct hidden *h, unsigned i)
{
	const struct tier *l = &h->tier[this_tier(h)];

	if (find(h, h->entry[h->entry[i].dir].node, name_of(h, i), h->n) < l->first)
		return OVL_HIDDEN_DELETED;
	return l->flags & HIDDEN_WHOLE ? NOT_HIDDEN : OVL_HIDDEN_OVERWRITTEN;
}

/* Hides everything visible at the path of a lower entry and below it. */
static int hide_path(struct hidden *h, unsigned at, unsigned why, enum sight sight)
{
	for (; is_visible(h, at, sight); at = h->entry[at].below) {
		for (unsigned i = at; i < h->entry[at].end; i++) {
			unsigned as = why;

			if (!is_visible(h, i, sight))
				continue;
			if (why == COVERED)
				as = why_covered(h, i);
			if (as != NOT_HIDDEN && hide(h, i, as) < 0)
				return -1;
		}
		if (!S_ISDIR(h->entry[at].mode) || h->entry[at].opaque)
			break;
	}
	return 0;
}

/* ---- a tree ------------------------------------------------------------------------ */

/* True if the regular file name in dirfd has the same data as a lower one of the same
 * size. */
static bool same_data(const struct hidden *h, unsigned below, int dirfd, const char *name)
{
	const struct kept *e = &h->entry[below];
	const int flags = O_RDONLY | O_NONBLOCK;
	auto_fd tree = h->in.open(h->in.ctx, h->tier[e->tier].tree);
	auto_fd lower = -1;
	auto_fd upper = -1;
	auto_buf path = {0};

	hidden_path(h, below, &path);
	if (tree < 0 || path.failed)
		return false;
	lower = fs_open_unread(tree, path.data + 1, flags);
	upper = fs_open_unread(dirfd, name, flags);
	return lower >= 0 && upper >= 0 &&
		fs_data_differs(lower, 0, upper, 0, (off_t)e->size, h->in.stop) == 0;
}

/* A copy-up because of metadata keeps size and time. */
static unsigned why_hidden(const struct hidden *h, unsigned below, int dirfd,
	const char *name, const struct stat *st)
{
	const struct kept *e = &h->entry[below];

	if (((e->mode ^ st->st_mode) & S_IFMT) || e->size != (uint64_t)st->st_size)
		return OVL_HIDDEN_OVERWRITTEN;
	if (fs_time_order(&e->mtime, &st->st_mtim) == 0)
		return OVL_HIDDEN_METADATA;
	return S_ISREG(st->st_mode) && same_data(h, below, dirfd, name) ?
		OVL_HIDDEN_METADATA :
		OVL_HIDDEN_OVERWRITTEN;
}

/* Finds the entry that a redirect leads to: an absolute path, or a name in the same
 * directory. */
static unsigned redirected_to(const struct hidden *h, unsigned dir, char *to)
{
	unsigned first = h->tier[this_tier(h)].first;
	unsigned at = *to == '/' ? find(h, 0, "", first) : dir;
	char *rest = NULL;

	for (char *name = strtok_r(to, "/", &rest); name && at;
		name = strtok_r(NULL, "/", &rest))
		at = find(h, h->entry[at].node, name, first);
	return at;
}

/* Whether it may be a metacopy: one has no data, but its xattrs may take a block. Not
 * every small file is examined, so a small one that was moved is missed. */
static bool may_be_metacopy(const struct hidden *h, unsigned below, const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;

	return h->tier[this_tier(h)].flags & HIDDEN_UPPER && S_ISREG(st->st_mode) &&
		size &&
		((uint64_t)st->st_blocks * 512 < size ||
			(st->st_blocks <= 8 && h->entry[below].size == size));
}

/* If the entry is a metacopy, keeps the file with its data visible: the one below, or the
 * one it was moved from. 1 if it is one, 0, -1. */
static int add_metacopy(struct hidden *h, unsigned dir, unsigned below, int dirfd,
	const char *name, const struct stat *st)
{
	auto_buf to = {0};
	int r = may_be_metacopy(h, below, st) ? wh_is_metacopy(h->in.xp, dirfd, name) : 0;

	if (r <= 0)
		return r;
	if (wh_redirect(h->in.xp, dirfd, name, &to) > 0)
		below = redirected_to(h, dir, to.data);
	return hide_path(h, below, STILL_USED, ANYHOW) < 0 ? -1 : 1;
}

/* Hides everything below a new entry that is not a directory. */
static int add_file(struct hidden *h, unsigned dir, unsigned below, int dirfd,
	const char *name, const struct stat *st, const struct hidden_links *links)
{
	enum sight sight = h->entry[dir].sight;
	int r = add_metacopy(h, dir, below, dirfd, name, st);

	if (r || !is_visible(h, below, sight))
		return r < 0 ? -1 : 0;
	if (links && links == h->entry[below].links)
		return hide(h, below, SAME_FILE);
	return hide_path(h, below, why_hidden(h, below, dirfd, name, st), sight);
}

static long append(struct hidden *h, unsigned dir, unsigned below, const char *name,
	const struct stat *st, struct hidden_links *links)
{
	const struct tier *l = &h->tier[this_tier(h)];
	unsigned i = h->n;

	if (h->names.len > UINT32_MAX || (i >= h->buckets && grow_buckets(h) < 0) ||
		!VEC_ROOM(h->entry, h->n))
		return fs_fail(ENOMEM);
	h->entry[i] = (struct kept){.bytes = (uint64_t)st->st_blocks * 512,
		.size = (uint64_t)st->st_size,
		.mtime = st->st_mtim,
		.links = links,
		.node = below ? h->entry[below].node : i,
		.dir = dir,
		.below = below,
		.end = i + 1,
		.tier = this_tier(h),
		.name = (uint32_t)h->names.len,
		.hash = hash_of(h, h->entry[dir].node, name),
		.mode = st->st_mode,
		.opaque = h->entry[dir].opaque || l->flags & HIDDEN_WHOLE ||
			(!dir && l->flags & HIDDEN_OPAQUE),
		.sight = h->entry[dir].sight};
	buf_add(&h->names, name, strlen(name) + 1);
	if (h->names.failed)
		return fs_fail(ENOMEM);
	h->n++;
	put_in_bucket(h, i);
	if (links)
		links->visible++;
	return i;
}

long hidden_add(struct hidden *h, unsigned dir, int dirfd, const char *name,
	const struct stat *st, struct hidden_links *links)
{
	const struct kept *d = &h->entry[dir];
	unsigned below = find(h, d->node, name, h->tier[this_tier(h)].first);
	int r = wh_is_whiteout(h->in.xp, dirfd, name, st, d->marks);

	if (r)
		return r < 0 ? -1 : hide_path(h, below, OVL_HIDDEN_DELETED, d->sight);
	if (!S_ISDIR(st->st_mode))
		r = add_file(h, dir, below, dirfd, name, st, links);
	else if (!S_ISDIR(h->entry[below].mode))
		r = hide_path(h, below, OVL_HIDDEN_OVERWRITTEN, d->sight);
	return r < 0 ? -1 : append(h, dir, below, name, st, links);
}

static int enter_moved(struct hidden *h, unsigned entry, int fd)
{
	struct kept *e = &h->entry[entry];
	auto_buf to = {0};
	int r = wh_redirect(h->in.xp, fd, NULL, &to);
	unsigned from = r > 0 ? redirected_to(h, e->dir, to.data) : 0;

	if (!from)
		return r < 0 ? -1 : 0;
	e->node = h->entry[from].node;
	e->below = from;
	e->sight = FROM_MOVED;
	e->opaque = false;
	return hide_path(h, from, STILL_USED, ANYHOW);
}

int hidden_enter(struct hidden *h, unsigned entry, int fd)
{
	struct kept *e = &h->entry[entry];
	enum wh_dir marks;

	if (this_tier(h) == 1)
		return 0;
	if (e->dir && h->tier[this_tier(h)].flags & HIDDEN_UPPER &&
		enter_moved(h, entry, fd) < 0)
		return -1;
	if (!e->below || e->opaque)
		return 0;
	if (wh_dir_marks(h->in.xp, fd, &marks) < 0)
		return -1;
	e->marks = (unsigned char)marks;
	/* WH_OPAQUE_X on the root only says that there may be whiteouts of the xattr
	 * form. */
	e->opaque = e->dir && marks == WH_OPAQUE_Y;
	return 0;
}

int hidden_leave(struct hidden *h, unsigned entry)
{
	struct kept *e = &h->entry[entry];

	e->end = h->n;
	if (!e->opaque || (e->dir && h->entry[e->dir].opaque))
		return 0;
	return hide_path(h, e->below, COVERED, e->sight);
}

/* ---- the sum ----------------------------------------------------------------------- */

/* The lowest tree that has this name of the file. */
static unsigned tree_of(const struct hidden *h, const struct kept *e)
{
	while (e->links && e->below && h->entry[e->below].links == e->links)
		e = &h->entry[e->below];
	return h->tier[e->tier].tree;
}

static int each_of(struct hidden *h, unsigned why, hidden_fn fn, void *ctx)
{
	const struct tier *l = &h->tier[this_tier(h)];
	int rc = 0;

	for (size_t i = l->n_log; i < h->n_log && rc == 0; i++) {
		const struct kept *e = &h->entry[h->log[i]];
		struct hidden_links *k = e->links;

		/* Skip it if it has another visible name or was reported already. */
		if (e->why != why || (k && (k->visible || k->hidden_by == l->tree + 1)))
			continue;
		if (k)
			k->hidden_by = l->tree + 1;
		rc = fn(ctx,
			&(struct hidden_file){tree_of(h, e), h->log[i],
				(enum ovl_hidden)why, e->bytes});
	}
	return rc;
}

int hidden_each(struct hidden *h, hidden_fn fn, void *ctx)
{
	const struct tier *l = &h->tier[this_tier(h)];
	int rc = 0;

	for (size_t i = l->n_log; i < h->n_log; i++) {
		struct kept *e = &h->entry[h->log[i]];

		if (e->links && e->why != STILL_USED)
			e->links->visible--;
	}
	/* If its names are hidden for different reasons, the first reason counts. */
	for (unsigned why = 0; why < OVL_HIDDEN_WAYS && rc == 0; why++)
		rc = each_of(h, why, fn, ctx);
	return rc;
}

void hidden_pop(struct hidden *h)
{
	struct tier *l = &h->tier[this_tier(h)];

	while (h->n_log > l->n_log) {
		struct kept *e = &h->entry[h->log[--h->n_log]];

		if (e->links && e->why != STILL_USED)
			e->links->visible++;
		e->by = 0;
	}
	while (h->n > l->first) {
		struct kept *e = &h->entry[--h->n];

		*bucket_of(h, e->hash) = e->next;
		if (e->links)
			e->links->visible--;
		buf_cut(&h->names, e->name);
	}
	h->n_tiers--;
}
