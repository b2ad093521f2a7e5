/*
 * The tree of an image layer against what was imported. Its tar is played back from the
 * recipe, whatever is damaged, and unpacked beside it without file data: so there is a
 * tree to compare with that has come the same way as the layer's. Data are known by their
 * sums.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checker.h"
#include "cleanup.h"
#include "driver.h"
#include "fs.h"
#include "ingest.h"
#include "piped.h"
#include "quote.h"
#include "replay.h"
#include "store.h"
#include "view.h"
#include "whiteout.h"

struct content {
	struct checker *c;
	const struct layer *l;
	struct buf bad; /* "PATH\0WHY\0" of files with other data */
	struct buf path; /* of what is compared */
};

static int differs(struct content *x, const char *kind, const char *how)
{
	return check_tell(x->c, OVL_ERROR, kind, x->l->id.s, x->path.data, false, "%s %s",
		Q(*x->path.data ? x->path.data : "/"), how);
}

/* ---- comparing -------------------------------------------------------------------- */

struct names {
	char **name;
	size_t n;
};

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_free(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->name[i]);
	free(l->name);
}

static int names_of(int dirfd, struct names *out)
{
	auto_fsdir d = {.fd = -1};
	size_t size = 0;
	const char *name;
	int r;

	*out = (struct names){0};
	if (fs_dir_open(&d, dirfd, ".") < 0)
		return -1;
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (out->n == size) {
			char **more;

			size = size ? size * 2 : 64;
			more = realloc(out->name, size * sizeof(*more));
			if (!more)
				return -1;
			out->name = more;
		}
		out->name[out->n] = strdup(name);
		if (!out->name[out->n])
			return -1;
		out->n++;
	}
	if (out->n)
		qsort(out->name, out->n, sizeof(*out->name), by_bytes);
	return r;
}

static int compare_xattrs(struct content *x, int want, int have, const char *name)
{
	auto_buf a = {0};
	auto_buf b = {0};
	auto_buf va = {0};
	auto_buf vb = {0};
	bool same;

	if (fs_listxattr(want, name, &a) < 0 || fs_listxattr(have, name, &b) < 0)
		return -1;
	same = a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
	for (size_t at = 0; same && at < a.len; at += strlen(a.data + at) + 1) {
		if (fs_getxattr_buf(want, name, a.data + at, &va) < 0 ||
			fs_getxattr_buf(have, name, a.data + at, &vb) < 0)
			return -1;
		same = va.len == vb.len && memcmp(va.data, vb.data, va.len) == 0;
	}
	return same ? 0 : differs(x, "xattr", "has other xattrs than were imported");
}

static int compare_links(struct content *x, int want, int have, const char *name)
{
	auto_buf a = {0};
	auto_buf b = {0};

	if (fs_readlink(want, name, 1 << 16, &a) < 0 ||
		fs_readlink(have, name, 1 << 16, &b) < 0)
		return -1;
	return strcmp(a.data, b.data) == 0 ?
		0 :
		differs(x, "data", "leads elsewhere than was imported");
}

/* 1: nothing below need be compared. */
static int compare_stat(
	struct content *x, const struct stat *want, const struct stat *have)
{
	bool dir = S_ISDIR(want->st_mode);
	int rc = 0;

	if ((want->st_mode ^ have->st_mode) & S_IFMT) {
		rc = differs(x, "type", "is a file of another type");
		return rc ? rc : 1;
	}
	if ((want->st_mode ^ have->st_mode) & 07777)
		rc = differs(x, "mode", "has another mode");
	if (rc == 0 && (want->st_uid != have->st_uid || want->st_gid != have->st_gid))
		rc = differs(x, "owner", "has another owner");
	if (rc == 0 &&
		(want->st_mtim.tv_sec != have->st_mtim.tv_sec ||
			want->st_mtim.tv_nsec != have->st_mtim.tv_nsec))
		rc = differs(x, "time", "has another time");
	if (rc == 0 && !dir && want->st_size != have->st_size)
		rc = differs(x, "data", "has another size");
	if (rc == 0 && !dir && want->st_rdev != have->st_rdev)
		rc = differs(x, "data", "is another device");
	if (rc == 0 && !dir && want->st_nlink != have->st_nlink)
		rc = differs(x, "links", "has other hard links");
	return rc;
}

static int compare_dir(struct content *x, int want, int have, unsigned depth);

static int compare_one(
	struct content *x, int want, int have, const char *name, unsigned depth)
{
	struct stat a;
	struct stat b;
	int rc;

	if (fstatat(want, name, &a, AT_SYMLINK_NOFOLLOW) < 0 ||
		fstatat(have, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(x->c->err, errno, "cannot stat %s", Q(x->path.data));
	/* Of a whiteout nothing but that it is one says anything. */
	if (wh_is_device(&a) && wh_is_device(&b))
		return 0;
	rc = compare_stat(x, &a, &b);
	if (rc)
		return rc > 0 ? 0 : rc;
	rc = compare_xattrs(x, want, have, name);
	if (rc == 0 && S_ISLNK(a.st_mode))
		rc = compare_links(x, want, have, name);
	if (rc == -1)
		return err_sys(x->c->err, errno, "cannot read %s", Q(x->path.data));
	if (rc == 0 && S_ISDIR(a.st_mode)) {
		auto_fd wd = fs_open_dir(want, name);
		auto_fd hd = fs_open_dir(have, name);

		if (wd < 0 || hd < 0)
			return err_sys(
				x->c->err, errno, "cannot open %s", Q(x->path.data));
		rc = compare_dir(x, wd, hd, depth + 1);
	}
	return rc;
}

/* One name of two sorted lists: in both, or in one alone. */
static int compare_name(struct content *x, int want, int have, const char *a,
	const char *b, int order, unsigned depth)
{
	size_t len = x->path.len;
	int rc;

	if (len)
		buf_add(&x->path, "/", 1);
	buf_adds(&x->path, order <= 0 ? a : b);
	if (x->path.failed)
		return err_nomem(x->c->err);
	if (store_stopped(x->c->st))
		rc = err_stopped(x->c->err);
	else if (order < 0)
		rc = differs(x, "missing", "is missing");
	else if (order > 0)
		rc = differs(x, "extra", "was not imported");
	else
		rc = compare_one(x, want, have, a, depth);
	buf_cut(&x->path, len);
	return rc;
}

static int compare_dir(struct content *x, int want, int have, unsigned depth)
{
	struct names a;
	struct names b = {0};
	size_t i = 0;
	size_t j = 0;
	int rc = names_of(want, &a);

	if (rc == 0)
		rc = names_of(have, &b);
	if (rc < 0)
		rc = err_sys(
			x->c->err, errno, "cannot read directory %s", Q(x->path.data));
	while (rc == 0 && (i < a.n || j < b.n)) {
		int order = i == a.n ? 1 : j == b.n ? -1 : strcmp(a.name[i], b.name[j]);

		rc = compare_name(x, want, have, order <= 0 ? a.name[i] : NULL,
			order >= 0 ? b.name[j] : NULL, order, depth);
		i += order <= 0;
		j += order >= 0;
	}
	names_free(&a);
	names_free(&b);
	return rc;
}

/* ---- what is to be ---------------------------------------------------------------- */

/* Of the thread that plays: told when it has ended. */
static void note_bad(void *ctx, const char *path, const char *why)
{
	struct content *x = ctx;

	buf_add(&x->bad, path, strlen(path) + 1);
	buf_add(&x->bad, why, strlen(why) + 1);
}

static int play(void *ctx, replay_sink sink, void *to, struct ovl_err *err)
{
	struct content *x = ctx;
	const struct replay_watch watch = {.bad = note_bad, .ctx = x};

	return replay_watched(x->l, sink, to, &watch, err);
}

/* What is no file any more, or has another size, is found by comparing. */
static bool in_place(const struct content *x, const char *path, const char *why)
{
	auto_fd tree = fs_open_dir(x->l->fd, x->l->drv->tree);
	auto_fd fd = tree < 0 ? -1 : fs_open_beneath(tree, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		strcmp(why, "is too short") != 0;
}

static int tell_bad(struct content *x)
{
	int rc = 0;

	if (x->bad.failed)
		return err_nomem(x->c->err);
	for (size_t at = 0; at < x->bad.len && rc == 0;) {
		const char *path = x->bad.data + at;
		const char *why = path + strlen(path) + 1;

		if (!*path || in_place(x, path, why))
			rc = check_tell(x->c, OVL_ERROR, *path ? "data" : "recipe",
				x->l->id.s, path, false, "%s %s",
				Q(*path ? path : "its recipe"), why);
		at += strlen(path) + strlen(why) + 2;
	}
	return rc;
}

static int compare(struct content *x, struct ingest *in, const struct layer *parent)
{
	auto_fd want = -1;
	auto_fd have = -1;
	int rc = ingest_settle(in, parent, x->c->err);

	if (rc < 0)
		return rc;
	want = fs_open_dir(in->stage.fd, x->l->drv->tree);
	have = fs_open_dir(x->l->fd, x->l->drv->tree);
	if (want < 0 || have < 0)
		return err_sys(x->c->err, errno, "cannot open the tree of layer %.12s",
			x->l->id.s);
	return compare_one(x, want, have, ".", 0);
}

static int check(struct content *x, struct ingest *in)
{
	struct layer_ref below = {
		.drv = (unsigned)driver_index(x->l->drv->name), .id = x->l->meta.parent};
	struct ingest_config cfg = {
		.drv = x->l->drv,
		.max_size = INT64_MAX,
		.max_entries = UINT64_MAX,
		.max_depth = UINT32_MAX,
		.no_data = true,
	};
	auto_layer parent = LAYER_INIT;
	int rc = 0;

	if (x->l->meta.has_parent)
		rc = layer_open_ref(
			x->c->st, &below, LOCK_SH, below.id.s, &parent, x->c->err);
	if (rc == 0)
		rc = piped_ingest(in, x->c->st, &cfg, play, x, x->c->err);
	if (rc == -EUCLEAN || rc == -EBADMSG)
		return check_tell(x->c, OVL_ERROR, "recipe", x->l->id.s, "", false, "%s",
			x->c->err->text);
	if (rc == 0)
		rc = tell_bad(x);
	return rc < 0 ? rc : compare(x, in, x->l->meta.has_parent ? &parent : NULL);
}

int check_content(struct checker *c, const struct layer *l)
{
	struct content x = {.c = c, .l = l};
	struct ingest in = INGEST_INIT;
	mode_t mask = umask(0);
	int rc;

	buf_add(&x.path, "", 0);
	rc = check(&x, &in);
	ingest_end(&in);
	umask(mask);
	buf_release(&x.bad);
	buf_release(&x.path);
	return rc;
}
