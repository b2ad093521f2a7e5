/* SPDX-License-Identifier: ISC */
/*
 * The tree of a writable layer that becomes an image layer: packs it, and lists what has
 * to be removed so that it is the same as after an import of its tar.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/pathset.h"
#include "base/quote.h"
#include "base/walk.h"
#include "commit/commit.h"
#include "content/pack.h"
#include "store/becoming_finish.h"
#include "store/driver.h"
#include "store/store.h"
#include "tar/tarsum.h"
#include "union/whiteout.h"

/* ---- packing ---------------------------------------------------------------------- */

struct packing {
	const struct layer *l;
	struct committed *c;
	struct tarsum *sum;
	uint64_t left; /* bytes of the current run still to come */
	bool in_file;
	struct pace pace;
};

static void report_progress(void *ctx)
{
	struct packing *p = ctx;
	const struct ovl_config *cfg = &p->l->st->cfg;
	struct ovl_progress now = {
		.bytes = tarsum_bytes(p->sum), .entries = p->c->entries};

	if (pace_due(&p->pace, cfg))
		cfg->progress(cfg->ctx, &now);
}

/* Receives the writer's output: headers and padding, or the placeholder for a run that
 * was read already. */
static int sink(void *ctx, const void *bytes, size_t n, struct ovl_err *err)
{
	struct packing *p = ctx;

	if (!p->left)
		return tarsum_raw(p->sum, bytes, n, err);
	if (n > p->left)
		return err_say(err, EIO, "the tar writer gave other data than it got");
	p->left -= n;
	return 0;
}

static int entry(
	void *ctx, const struct change *c, enum pack_kind kind, struct ovl_err *err)
{
	struct packing *p = ctx;
	char what = kind == PACK_WHITEOUT ? 'w' : 'o';

	p->c->entries++;
	report_progress(p);
	if (kind == PACK_FILE)
		return 0;
	if (kind == PACK_OPAQUE && !c->path_len)
		p->c->opaque = true;
	if (pathset_add(p->c->keep, what, c->path, c->path_len) < 0)
		return err_nomem(err);
	return 0;
}

static bool is_own(const struct layer *l, const char *attr)
{
	const char *live = xattr_live_prefix(&l->st->xattrs);
	char as[XATTR_MAX_NAME + 16];

	return strncmp(attr, live, strlen(live)) == 0 &&
		!xattr_out(&l->st->xattrs, attr, as);
}

/* The length of the path of a path's directory; the root is its own directory. */
static size_t dir_len(const char *path)
{
	const char *base = path_base(path);

	return base > path ? (size_t)(base - path) - 1 : 0;
}

/* -EXDEV, after setting c->unpack, if the tree depends on the layers below. */
static int left_xattr(
	void *ctx, const struct change *c, const char *attr, struct ovl_err *err)
{
	struct packing *p = ctx;
	const struct xattr_policy *xp = &p->l->st->xattrs;
	const char *live = xattr_live_prefix(xp);
	struct stat st;

	if (!is_own(p->l, attr))
		return 0;
	attr += strlen(live);
	if (strcmp(attr, "metacopy") == 0)
		p->c->unpack = true;
	if (strcmp(attr, "redirect") == 0)
		p->c->unpack |= fstatat(c->dirfd, c->name, &st, AT_SYMLINK_NOFOLLOW) ==
				0 &&
			S_ISDIR(st.st_mode);
	if (p->c->unpack)
		return err_say(err, EXDEV, "the tree depends on the layers below");
	if (pathset_add(p->c->own, 'd', c->path, dir_len(c->path)) < 0)
		return err_nomem(err);
	return 0;
}

static int add_run(void *ctx, const struct change *c, int fd, uint64_t offset, uint64_t n,
	struct ovl_err *err)
{
	struct packing *p = ctx;
	int rc = p->in_file ? 0 : tarsum_file(p->sum, c->path, err);

	p->in_file = true;
	p->left = n;
	p->c->size += n;
	return rc == 0 ? tarsum_run(p->sum, fd, offset, n, err) : rc;
}

static int data_end(void *ctx, int fd, struct ovl_err *err)
{
	struct packing *p = ctx;
	bool was = p->in_file;

	p->in_file = false;
	if (was)
		return tarsum_file_end(p->sum, fd, err);
	close(fd);
	return 0;
}

static int pack_tree(struct packing *p, struct ovl_err *err)
{
	const struct pack_watch watch = {
		.ctx = p,
		.entry = entry,
		.left_xattr = left_xattr,
		.run = add_run,
		.data_end = data_end,
		.lost = &p->c->lost,
	};

	return pack_layer(p->l, sink, p, &watch, err);
}

static int pack(
	const struct layer *l, int stage_fd, struct committed *c, struct ovl_err *err)
{
	struct packing p = {.l = l, .c = c};
	int rc;

	c->keep = pathset_new();
	c->own = pathset_new();
	if (!c->keep || !c->own)
		return err_nomem(err);
	rc = tarsum_open(&p.sum, stage_fd, l->st->cfg.stop, err);
	if (rc < 0)
		return rc;
	if (l->st->cfg.progress)
		tarsum_while_waiting(p.sum, report_progress, &p);
	rc = pack_tree(&p, err);
	if (rc == 0)
		rc = tarsum_finish(p.sum, c->diff_id, &c->tar_size, err);
	tarsum_close(p.sum);
	return rc;
}

/* True if the layer has hard links that only a mount with index=on preserves, according
 * to its work directory. */
static int has_index(const struct commit *c, struct ovl_err *err)
{
	const char *path = P("%s/index", c->l.drv->work);
	auto_fsdir d = fs_dir_at(c->l.fd, path);
	const char *name;
	int r = d.fd < 0 && fs_is_gone(d.why) ? 0 : fs_dir_next(&d, &name, NULL);

	return r < 0 ? err_sys(err, errno, "cannot read '%s' of layer %s", path,
			       Q(c->req->layer)) :
		       r;
}

/* A failed commit leaves the layer unchanged, so nothing that a mount needs is removed
 * from its tree: in that case the image layer gets a new tree. */
static int keep_tree(struct commit *c, struct ovl_err *err)
{
	int r = c->c.lost.sockets ? 1 : has_index(c, err);

	c->c.unpack = r > 0;
	return r < 0 ? r : 0;
}

int commit_pack(struct commit *c, struct ovl_err *err)
{
	const char *clamp = secure_getenv("SOURCE_DATE_EPOCH");
	int rc;

	/* If times are clamped, those of the tar are used. With complete trees, the new
	 * tree must not share files with the old one. */
	c->c.unpack = c->l.drv->flat || (clamp && *clamp);
	rc = stage_begin_in(&c->l, c->req->layer, &c->stage, err);
	if (rc < 0 || c->c.unpack)
		return rc;
	rc = pack(&c->l, c->stage.fd, &c->c, err);
	if (rc == 0)
		rc = keep_tree(c, err);
	return c->c.unpack ? 0 : rc;
}

void committed_release(struct committed *c)
{
	pathset_free(c->keep);
	pathset_free(c->own);
	c->keep = NULL;
	c->own = NULL;
}

/* ---- cleaning --------------------------------------------------------------------- */

struct cleaner {
	const struct layer *l;
	int stage; /* the directory for the list, made only if there is something to
		    * list */
	int list; /* CLEANING_LIST */
	size_t whiteouts; /* CLEANING_WHITEOUT, made so far */
	struct buf text; /* lines of it still to be written */
	const struct committed *c;
	struct walk walk;
	const struct cleaned *listed; /* the directory that the list names last */
	struct ovl_err *err;
};

/* The directory that is being searched. */
struct cleaned {
	int fd[WALK_TREES];
	size_t len; /* length of its path */
	struct timespec mtime;
	enum wh_dir marks;
	bool own; /* files in it have overlayfs's own xattrs */
	bool has_own; /* the directory has such xattrs itself */
};

static int fail_clean(struct cleaner *w, const char *what)
{
	return err_sys(
		w->err, errno, "cannot %s %s", what, Q(path_shown(w->walk.path.data)));
}

static int write_text(struct cleaner *w, size_t most)
{
	if (w->text.failed)
		return err_nomem(w->err);
	if (w->text.len <= most)
		return 0;
	if (w->list < 0)
		w->list = openat(w->stage, CLEANING_LIST,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->list < 0 || fs_write_all(w->list, w->text.data, w->text.len) < 0)
		return err_sys(w->err, errno, "cannot write '" CLEANING_LIST "'");
	buf_clear(&w->text);
	return 0;
}

/* attr: NULL, or the second field of the line. */
static int list(struct cleaner *w, const struct cleaned *d, char kind, const char *name,
	const char *attr)
{
	if (w->listed != d) {
		buf_add(&w->text, "d", 1);
		buf_add(&w->text, w->walk.path.data, d->len);
		buf_add(&w->text, "", 1);
		buf_addf(&w->text, "%lld.%09ld", (long long)d->mtime.tv_sec,
			d->mtime.tv_nsec);
		buf_add(&w->text, "", 1);
	}
	w->listed = d;
	buf_add(&w->text, &kind, 1);
	buf_add(&w->text, name, strlen(name) + 1);
	if (attr)
		buf_add(&w->text, attr, strlen(attr) + 1);
	return write_text(w, 32768);
}

/* Lists overlayfs's own xattrs of name, or of the directory itself (NULL); not that of an
 * opaque directory that hides something. */
static int clean_xattrs(struct cleaner *w, const struct cleaned *d, const char *name)
{
	const struct xattr_policy *xp = &w->l->st->xattrs;
	const struct buf *path = &w->walk.path;
	size_t skip = strlen(xattr_live_prefix(xp));
	auto_buf attrs = {0};
	int rc = 0;

	if (fs_listxattr(d->fd[0], name, &attrs) < 0)
		return fail_clean(w, "list the xattrs of");
	for (size_t at = 0; at < attrs.len && rc == 0;
		at += strlen(attrs.data + at) + 1) {
		const char *attr = attrs.data + at;

		if (!is_own(w->l, attr))
			continue;
		if (strcmp(attr + skip, "opaque") == 0 && path->len &&
			pathset_has(w->c->keep, 'o', path->data, path->len))
			continue;
		rc = list(w, d, 'x', name ? name : "", attr);
	}
	return rc;
}

/* Lists a whiteout to be removed or, if it hides something, to be replaced by a
 * device, which is made here. */
static int clean_mark(struct cleaner *w, const struct cleaned *d, const struct stat *st)
{
	const struct buf *path = &w->walk.path;
	bool hides = pathset_has(w->c->keep, 'w', path->data, path->len);

	if (hides && wh_is_device(st))
		return 0;
	if (hides && wh_make(w->stage, P(CLEANING_WHITEOUT, w->whiteouts++)) < 0)
		return fail_clean(w, "make a whiteout for");
	return list(w, d, hides ? 'w' : 'u', w->walk.name, NULL);
}

static int enter_path(struct cleaner *w, bool own)
{
	const struct buf *path = &w->walk.path;
	struct cleaned *d;
	struct stat st;

	if (walk_enter(&w->walk) < 0)
		return fail_clean(w, "open directory");
	d = w->walk.in;
	if (fstat(d->fd[0], &st) < 0)
		return fail_clean(w, "stat");
	if (wh_dir_marks(&w->l->st->xattrs, d->fd[0], &d->marks) < 0)
		return fail_clean(w, "read the xattrs of");
	d->len = path->len;
	d->mtime = st.st_mtim;
	d->own = pathset_has(w->c->own, 'd', path->data, path->len);
	d->has_own = own;
	w->listed = NULL;
	return 0;
}

static int clean_one(struct cleaner *w)
{
	const struct xattr_policy *xp = &w->l->st->xattrs;
	const struct cleaned *d = w->walk.dir;
	unsigned char type = w->walk.type;
	struct stat st = {0};
	int hides;

	if (!w->walk.path.len)
		return enter_path(w, pathset_has(w->c->own, 'd', "", 0));
	if (type == DT_CHR || type == DT_UNKNOWN ||
		(type == DT_REG && d->marks == WH_OPAQUE_X)) {
		if (fstatat(d->fd[0], w->walk.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return fail_clean(w, "stat");
		hides = wh_is_whiteout(xp, d->fd[0], w->walk.name, &st, d->marks);
		if (hides < 0)
			return fail_clean(w, "read the xattrs of");
		if (hides)
			return clean_mark(w, d, &st);
	}
	if (type == DT_DIR || S_ISDIR(st.st_mode))
		return enter_path(w, d->own);
	return d->own ? clean_xattrs(w, d, w->walk.name) : 0;
}

/* A directory's own xattrs are listed after its names, because they determine how those
 * are read. */
static int clean_left(struct cleaner *w)
{
	const struct cleaned *d = w->walk.in;
	int rc = d->has_own ? clean_xattrs(w, d, NULL) : 0;

	w->listed = NULL;
	return rc;
}

int commit_clean(const struct layer *l, int stage_fd, const struct committed *c,
	struct ovl_err *err)
{
	auto_fd fd = layer_tree(l, err);
	struct cleaner w = {
		.l = l,
		.stage = stage_fd,
		.list = -1,
		.c = c,
		.walk = {.trees = 1,
			.top = {fd},
			.first = ".",
			.size = sizeof(struct cleaned)},
		.err = err,
	};
	int rc = fd < 0 ? fd : 0;
	int r = 0;

	while (rc == 0 && (r = walk_next(&w.walk)) > 0) {
		if (store_stopped(l->st))
			rc = err_stopped(err);
		else
			rc = r == WALK_NAME ? clean_one(&w) : clean_left(&w);
	}
	if (r < 0)
		rc = fail_clean(&w, "read directory");
	if (rc == 0)
		rc = write_text(&w, 0);
	close_fdp(&w.list);
	buf_release(&w.text);
	walk_end(&w.walk);
	return rc;
}
