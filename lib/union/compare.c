/* SPDX-License-Identifier: ISC */
/* Compares two trees, file by file. */
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/walk.h"
#include "base/xattr.h"
#include "union/compare.h"
#include "union/whiteout.h"

#define TARGET_MAX (1 << 16)

static void fault(struct compared *o, const char *kind, const char *how)
{
	if (o->n < COMPARE_FAULTS)
		o->fault[o->n++] = (struct compare_fault){kind, how};
}

/* ---- one name --------------------------------------------------------------------- */

/* Hard links must join the same names in both trees, and owners the same files. The first
 * file of each group is remembered, and the others are compared with it. */
struct link_pair {
	ino_t want; /* first member: the key */
	ino_t have;
};

static int by_want(const void *a, const void *b)
{
	ino_t x = ((const struct link_pair *)a)->want;
	ino_t y = ((const struct link_pair *)b)->want;

	return x < y ? -1 : x > y;
}

/* 1 if they are a pair, 0 if not, -1 if out of memory. */
static int is_pair(void **links, ino_t want, ino_t have)
{
	struct link_pair *p = malloc(sizeof(*p));
	struct link_pair **known;

	if (!p)
		return -1;
	p->want = want;
	p->have = have;
	known = tsearch(p, links, by_want);
	if (!known) {
		free(p);
		return -1;
	}
	if (*known == p)
		return 1;
	free(p);
	return (*known)->have == have;
}

static int compare_pair(struct compared *o, void **links, ino_t want, ino_t have)
{
	int r = is_pair(links, want, have);

	if (r == 0)
		fault(o, "links", "is linked with other files");
	return r < 0 ? r : 0;
}

/* Checks, without link counts, that files are not linked that should not be. */
static int compare_group(struct comparison *c, struct compared *o)
{
	unsigned n = o->n;
	int rc = compare_pair(o, &c->links, o->want->st_ino, o->have->st_ino);

	if (rc < 0 || !c->shared || o->n > n)
		return rc;
	return compare_pair(o, &c->back, o->have->st_ino, o->want->st_ino);
}

/* Removes from the list the xattrs that only root can set and the other list does not
 * have. */
static void drop_denied(struct buf *list, const struct buf *other)
{
	size_t kept = 0;

	for (size_t at = 0, next; at < list->len; at = next) {
		const char *attr = list->data + at;
		size_t n = strlen(attr) + 1;

		next = at + n;
		if (xattr_wants_root(attr) && !memmem(other->data, other->len, attr, n))
			continue;
		memmove(list->data + kept, attr, n);
		kept += n;
	}
	list->len = kept;
}

static int compare_xattrs(const struct comparison *c, struct compared *o)
{
	auto_buf a = {0};
	auto_buf b = {0};
	auto_buf va = {0};
	auto_buf vb = {0};
	bool same;

	if (fs_listxattr(o->want_dir, o->name, &a) < 0 ||
		fs_listxattr(o->have_dir, o->name, &b) < 0)
		return -1;
	if (c->userns) {
		drop_denied(&a, &b);
		drop_denied(&b, &a);
	}
	same = a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
	for (size_t at = 0; same && at < a.len; at += strlen(a.data + at) + 1) {
		if (fs_getxattr_buf(o->want_dir, o->name, a.data + at, &va) < 0 ||
			fs_getxattr_buf(o->have_dir, o->name, a.data + at, &vb) < 0)
			return -1;
		same = va.len == vb.len && memcmp(va.data, vb.data, va.len) == 0;
	}
	if (!same)
		fault(o, "xattr", "has different xattrs");
	return 0;
}

static int compare_targets(struct compared *o)
{
	auto_buf a = {0};
	auto_buf b = {0};

	if (fs_readlink(o->want_dir, o->name, TARGET_MAX, &a) < 0 ||
		fs_readlink(o->have_dir, o->name, TARGET_MAX, &b) < 0)
		return -1;
	if (strcmp(a.data, b.data) != 0)
		fault(o, "data", "has a different target");
	return 0;
}

/* Unreadable data counts as different, so that the file is replaced. */
static int compare_data(const struct comparison *c, struct compared *o)
{
	auto_fd a = fs_open_file(o->want_dir, o->name, O_NONBLOCK);
	auto_fd b = fs_open_file(o->have_dir, o->name, O_NONBLOCK);

	if (a < 0 || b < 0)
		return -1;
	if (fs_data_differs(a, 0, b, 0, o->want->st_size, c->stop) != 0)
		fault(o, "data", "differs from what was imported");
	return 0;
}

static void compare_stat(const struct comparison *c, struct compared *o)
{
	const struct stat *want = o->want;
	const struct stat *have = o->have;
	bool dir = S_ISDIR(want->st_mode);

	if ((want->st_mode ^ have->st_mode) & 07777)
		fault(o, "mode", "has a different mode");
	if (want->st_mtim.tv_sec != have->st_mtim.tv_sec ||
		(want->st_mtim.tv_nsec != have->st_mtim.tv_nsec &&
			(dir || !c->finer || want->st_mtim.tv_nsec)))
		fault(o, "time", "has a different time");
	if (!dir && want->st_size != have->st_size)
		fault(o, "data", "has a different size");
	if (!dir && want->st_rdev != have->st_rdev)
		fault(o, "data", "is a different device");
	if (!dir && !c->shared && want->st_nlink != have->st_nlink)
		fault(o, "links", "has different hard links");
}

static int compare_owner(struct comparison *c, struct compared *o)
{
	const struct stat *want = o->want;
	const struct stat *have = o->have;
	int u = want->st_uid == have->st_uid;
	int g = want->st_gid == have->st_gid;

	if (c->mapped) {
		u = is_pair(&c->uids, want->st_uid, have->st_uid);
		g = is_pair(&c->gids, want->st_gid, have->st_gid);
	}
	if (u == 0 || g == 0)
		fault(o, "owner", "has a different owner");
	return u < 0 || g < 0 ? -1 : 0;
}

/* True if the file should be that of the layer below. */
static bool is_below(const struct compared *o, int below)
{
	struct stat st;

	return below >= 0 && fstatat(below, o->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		fs_same(o->want, &st);
}

static int compare_files(struct comparison *c, struct compared *o, int below)
{
	mode_t mode = o->want->st_mode;
	int rc = 0;

	if (c->shared && fs_same(o->want, o->have))
		return 0;

	/* The metadata of whiteouts has no meaning. */
	if (wh_is_device(o->want) && wh_is_device(o->have))
		return 0;
	if ((mode ^ o->have->st_mode) & S_IFMT) {
		fault(o, "type", "has a different type");
		return 0;
	}
	compare_stat(c, o);
	rc = compare_owner(c, o);
	if (rc == 0 && !S_ISDIR(mode) && (o->want->st_nlink > 1 || o->have->st_nlink > 1))
		rc = compare_group(c, o);
	if (rc == 0)
		rc = compare_xattrs(c, o);
	if (rc == 0 && S_ISLNK(mode))
		rc = compare_targets(o);
	if (rc == 0 && S_ISREG(mode) && o->want->st_size == o->have->st_size &&
		(c->data || is_below(o, below)))
		rc = compare_data(c, o);
	return rc;
}

/* ---- the trees -------------------------------------------------------------------- */

/* A directory in both trees, with its state when it was entered. */
struct pair {
	int fd[WALK_TREES];
	struct stat want;
	struct stat have;
};

static int stat_of(int dirfd, const char *name, struct stat *st, bool *there)
{
	*there = fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) == 0;
	return *there || errno == ENOENT ? 0 : -1;
}

static struct compared place_of(const struct walk *w)
{
	return (struct compared){.path = w->path.data,
		.name = w->name,
		.want_dir = w->fd[0],
		.have_dir = w->fd[1]};
}

static int compare_subdir(struct walk *w, const struct stat *want,
	const struct stat *have, struct ovl_err *err)
{
	struct pair *in;

	if (walk_enter(w) < 0)
		return err_sys(err, errno, "cannot open directory %s", Q(w->path.data));
	in = w->in;
	in->want = *want;
	in->have = *have;
	return 0;
}

/* True if one is a device and the other tree has nothing or a whiteout instead. */
static bool is_denied(const struct stat *one, const struct stat *other)
{
	return one && (S_ISCHR(one->st_mode) || S_ISBLK(one->st_mode)) &&
		!wh_is_device(one) && (!other || wh_is_device(other));
}

static int compare_one(struct comparison *c, struct walk *w, struct ovl_err *err)
{
	struct compared o = place_of(w);
	struct stat want;
	struct stat have;
	bool wanted;
	bool there;
	int rc = 0;

	if (stat_of(o.want_dir, o.name, &want, &wanted) < 0 ||
		stat_of(o.have_dir, o.name, &have, &there) < 0)
		return err_sys(err, errno, "cannot stat %s", Q(o.path));
	o.want = wanted ? &want : NULL;
	o.have = there ? &have : NULL;
	if (c->userns && (is_denied(o.want, o.have) || is_denied(o.have, o.want)))
		rc = 0;
	else if (wanted && there)
		rc = compare_files(c, &o, w->fd[2]);
	else if (wanted)
		fault(&o, "missing", "is missing");
	else if (there)
		fault(&o, "extra", "was not imported");
	if (c->stop && *c->stop)
		return err_stopped(err);
	if (rc < 0)
		return err_sys(err, errno, "cannot read %s", Q(o.path));
	rc = c->each(c->ctx, &o, err);
	if (rc == 0 && wanted && there && S_ISDIR(want.st_mode) && S_ISDIR(have.st_mode))
		rc = compare_subdir(w, &want, &have, err);
	return rc;
}

static int compare_left(struct comparison *c, struct walk *w, struct ovl_err *err)
{
	const struct pair *in = w->in;
	struct compared o = place_of(w);

	o.want = &in->want;
	o.have = &in->have;
	return c->leave ? c->leave(c->ctx, &o, err) : 0;
}

int compare_trees(struct comparison *c, int want, int have, struct ovl_err *err)
{
	auto_walk w = {
		.trees = 3,
		.top = {want, have, c->shared ? c->below : -1},
		.first = ".",
		.both = true,
		.size = sizeof(struct pair),
	};
	int rc = 0;
	int r;

	while (rc == 0 && (r = walk_next(&w)) > 0)
		rc = r == WALK_NAME ? compare_one(c, &w, err) : compare_left(c, &w, err);
	if (rc == 0 && r < 0)
		rc = err_sys(err, errno, "cannot read directory %s",
			Q(w.path.len ? w.path.data : "."));
	tdestroy(c->links, free);
	tdestroy(c->back, free);
	tdestroy(c->uids, free);
	tdestroy(c->gids, free);
	c->links = c->back = c->uids = c->gids = NULL;
	return rc;
}
