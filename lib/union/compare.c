/* SPDX-License-Identifier: ISC */
/* Compares two trees, file by file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
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
 * file of each group is remembered, and the others are compared with it. 1 if they are a
 * pair, 0 if not, -1 if out of memory. */
static int is_pair(struct inodes *pairs, ino_t want, ino_t have)
{
	const struct stat key = {.st_ino = want};
	const ino_t *known = inodes_find(pairs, &key);

	if (!known)
		known = inodes_put(pairs, &key, &have, sizeof(have));
	return known ? *known == have : -1;
}

static int compare_pair(struct compared *o, struct inodes *links, ino_t want, ino_t have)
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
	int rc = compare_pair(
		o, &c->pairs[COMPARE_LINKS], o->want->st_ino, o->have->st_ino);

	if (rc < 0 || !c->shared || o->n > n)
		return rc;
	return compare_pair(o, &c->pairs[COMPARE_BACK], o->have->st_ino, o->want->st_ino);
}

/* False for an xattr that only root can set, unless the other list has it too. */
static bool is_expected(const void *ctx, const char *attr)
{
	const struct buf *other = ctx;

	return !xattr_wants_root(attr) ||
		memmem(other->data, other->len, attr, strlen(attr) + 1);
}

static int compare_xattrs(const struct comparison *c, struct compared *o)
{
	auto_buf a = {0};
	auto_buf b = {0};
	int r;

	if (fs_listxattr(o->want_dir, o->name, &a) < 0 ||
		fs_listxattr(o->have_dir, o->name, &b) < 0)
		return -1;
	if (c->userns) {
		fs_keep_xattrs(&a, is_expected, &b);
		fs_keep_xattrs(&b, is_expected, &a);
	}
	r = fs_same_xattrs(o->want_dir, o->name, &a, o->have_dir, o->name, &b);
	if (r == 0)
		fault(o, "xattr", "has different xattrs");
	return r < 0 ? r : 0;
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
		u = is_pair(&c->pairs[COMPARE_UIDS], want->st_uid, have->st_uid);
		g = is_pair(&c->pairs[COMPARE_GIDS], want->st_gid, have->st_gid);
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
		return err_sys(err, errno, "cannot open directory %s",
			Q(path_shown(w->path.data)));
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
		return err_sys(err, errno, "cannot stat %s", Q(path_shown(o.path)));
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
	if (fs_stopped(c->stop))
		return err_stopped(err);
	if (rc < 0)
		return err_sys(err, errno, "cannot read %s", Q(path_shown(o.path)));
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
			Q(path_shown(w.path.data)));
	for (unsigned k = 0; k < COMPARE_PAIRS; k++)
		inodes_release(&c->pairs[k]);
	return rc;
}
