/* SPDX-License-Identifier: ISC */
/*
 * The tree of a writable layer that becomes an image layer: packs it, and lists what has to
 * be removed to make it look as if its tar had been imported.
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
#include "commit/commit.h"
#include "content/pack.h"
#include "store/cleaning.h"
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

static void tell(void *ctx)
{
	struct packing *p = ctx;
	const struct ovl_config *cfg = &p->l->st->cfg;
	struct ovl_progress now = {
		.bytes = tarsum_bytes(p->sum), .entries = p->c->entries};

	if (pace_due(&p->pace, cfg))
		cfg->progress(cfg->ctx, &now);
}

/* The writer's output: headers and padding, or the placeholder for a run that was
 * passed on already. */
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
	tell(p);
	if (c->path_len >= PATH_MAX_LEN)
		return err_say(
			err, ENAMETOOLONG, "refused name %s: over 64 KiB", Q(c->path));
	if (kind == PACK_FILE)
		return 0;
	if (kind == PACK_OPAQUE && !c->path_len)
		p->c->cut = true;
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

/* The length of a path's directory. The root is its own. */
static size_t dir_len(const char *path)
{
	const char *base = path_base(path);

	return base > path ? (size_t)(base - path) - 1 : 0;
}

/* -EXDEV, and sets c->unpack: the tree alone is incomplete. */
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
		return err_say(err, EXDEV, "the tree is not all there is");
	if (pathset_add(p->c->own, 'd', c->path, dir_len(c->path)) < 0)
		return err_nomem(err);
	return 0;
}

static int run(void *ctx, const struct change *c, int fd, uint64_t offset, uint64_t n,
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

static int pack(struct packing *p, struct ovl_err *err)
{
	const struct pack_watch watch = {
		.ctx = p,
		.entry = entry,
		.left_xattr = left_xattr,
		.run = run,
		.data_end = data_end,
		.lost = &p->c->lost,
	};
	struct tarout *t;
	int rc = tarout_open_direct(&t, sink, p, err);

	if (rc < 0)
		return rc;
	rc = pack_layer(p->l, t, &watch, err);
	if (rc == 0)
		rc = tarout_finish(t, err);
	tarout_close(t);
	return rc;
}

int commit_pack(
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
		tarsum_while_waiting(p.sum, tell, &p);
	rc = pack(&p, err);
	if (rc == 0)
		rc = tarsum_finish(p.sum, c->diff_id, &c->tar_size, err);
	tarsum_close(p.sum);
	return rc;
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
	int stage; /* where the list is made, if there is something to list */
	int list; /* see cleaning.h */
	struct buf text; /* of that, to be written */
	const struct committed *c;
	struct buf path;
	unsigned depth;
	struct ovl_err *err;
};

/* The directory that is being searched. */
struct cleaned {
	int fd;
	size_t len; /* of its path */
	struct timespec mtime;
	bool listed; /* the list names it */
	enum wh_dir marks;
	bool own; /* files in it have overlayfs's own xattrs */
	char **subdir; /* NULL-terminated */
	size_t n;
	size_t size;
};

static void cleaned_release(struct cleaned *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->subdir[i]);
	free(d->subdir);
	close_fdp(&d->fd);
}

static int failed(struct cleaner *w, const char *what)
{
	return err_sys(
		w->err, errno, "cannot %s %s", what, Q(w->path.len ? w->path.data : "/"));
}

static int add_subdir(struct cleaned *d, const char *name)
{
	if (d->n == d->size) {
		size_t size = d->size ? d->size * 2 : 16;
		char **more = realloc(d->subdir, size * sizeof(*more));

		if (!more)
			return -1;
		d->subdir = more;
		d->size = size;
	}
	d->subdir[d->n] = strdup(name);
	return d->subdir[d->n] ? (d->n++, 0) : -1;
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

/* attr: NULL, or what belongs to it. */
static int list(struct cleaner *w, struct cleaned *d, char kind, const char *name,
	const char *attr)
{
	if (!d->listed) {
		buf_add(&w->text, "d", 1);
		buf_add(&w->text, w->path.data, d->len);
		buf_add(&w->text, "", 1);
		buf_addf(&w->text, "%lld.%09ld", (long long)d->mtime.tv_sec,
			d->mtime.tv_nsec);
		buf_add(&w->text, "", 1);
	}
	d->listed = true;
	buf_add(&w->text, &kind, 1);
	buf_add(&w->text, name, strlen(name) + 1);
	if (attr)
		buf_add(&w->text, attr, strlen(attr) + 1);
	return write_text(w, 32768);
}

/* Lists overlayfs's own xattrs, except an opaque mark that hides something, of name or of
 * the directory itself (NULL). */
static int clean_xattrs(struct cleaner *w, struct cleaned *d, const char *name)
{
	const struct xattr_policy *xp = &w->l->st->xattrs;
	size_t skip = strlen(xattr_live_prefix(xp));
	auto_buf attrs = {0};
	int rc = 0;

	if (fs_listxattr(d->fd, name, &attrs) < 0)
		return failed(w, "list the xattrs of");
	for (size_t at = 0; at < attrs.len && rc == 0;
		at += strlen(attrs.data + at) + 1) {
		const char *attr = attrs.data + at;

		if (!is_own(w->l, attr))
			continue;
		if (strcmp(attr + skip, "opaque") == 0 && w->path.len &&
			pathset_has(w->c->keep, 'o', w->path.data, w->path.len))
			continue;
		rc = list(w, d, 'x', name ? name : "", attr);
	}
	return rc;
}

/* Lists a whiteout to be removed, or to become a device if it hides something. */
static int clean_mark(
	struct cleaner *w, struct cleaned *d, const char *name, const struct stat *st)
{
	bool hides = pathset_has(w->c->keep, 'w', w->path.data, w->path.len);

	if (hides && wh_is_device(st))
		return 0;
	return list(w, d, hides ? 'w' : 'u', name, NULL);
}

static int clean_one(
	struct cleaner *w, struct cleaned *d, const char *name, unsigned char type)
{
	const struct xattr_policy *xp = &w->l->st->xattrs;
	struct stat st = {0};
	int hides;

	if (type == DT_CHR || type == DT_UNKNOWN ||
		(type == DT_REG && d->marks == WH_OPAQUE_X)) {
		if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return failed(w, "stat");
		hides = wh_is_whiteout(xp, d->fd, name, &st, d->marks);
		if (hides < 0)
			return failed(w, "read the xattrs of");
		if (hides)
			return clean_mark(w, d, name, &st);
	}
	if (type == DT_DIR || S_ISDIR(st.st_mode))
		return add_subdir(d, name) < 0 ? err_nomem(w->err) : 0;
	return d->own ? clean_xattrs(w, d, name) : 0;
}

static int enter(struct cleaner *w, size_t len, const char *name)
{
	buf_cut(&w->path, len);
	if (len)
		buf_add(&w->path, "/", 1);
	buf_adds(&w->path, name);
	return w->path.failed ? err_nomem(w->err) : 0;
}

static int clean_names(struct cleaner *w, struct cleaned *d)
{
	size_t len = w->path.len;
	auto_fsdir names = {.fd = -1};
	unsigned char type;
	const char *name;
	int rc = 0;
	int r;

	if (fs_dir_open(&names, d->fd, ".") < 0)
		return failed(w, "read directory");
	while (rc == 0 && (r = fs_dir_next(&names, &name, &type)) > 0) {
		rc = enter(w, len, name);
		if (rc == 0)
			rc = clean_one(w, d, name, type);
	}
	buf_cut(&w->path, len);
	return rc == 0 && r < 0 ? failed(w, "read directory") : rc;
}

/* Owns fd. own: it has overlayfs's own xattrs, which are listed after the names in it,
 * since they say how these are read. */
static int clean_dir(struct cleaner *w, int fd, bool own)
{
	__attribute__((cleanup(cleaned_release))) struct cleaned d = {
		.fd = fd,
		.len = w->path.len,
		.own = pathset_has(w->c->own, 'd', w->path.data, w->path.len),
	};
	size_t len = w->path.len;
	struct stat st;
	int rc;

	if (store_stopped(w->l->st))
		return err_stopped(w->err);
	if (w->depth++ == FS_MAX_DEPTH)
		return err_say(
			w->err, ENAMETOOLONG, "%s is nested too deep", Q(w->path.data));
	if (fstat(fd, &st) < 0)
		return failed(w, "stat");
	d.mtime = st.st_mtim;
	if (wh_dir_marks(&w->l->st->xattrs, fd, &d.marks) < 0)
		return failed(w, "read the xattrs of");
	rc = clean_names(w, &d);
	if (rc == 0 && own)
		rc = clean_xattrs(w, &d, NULL);
	for (size_t i = 0; i < d.n && rc == 0; i++) {
		int sub;

		rc = enter(w, len, d.subdir[i]);
		if (rc < 0)
			break;
		sub = fs_open_dir(fd, d.subdir[i]);
		rc = sub < 0 ? failed(w, "open directory") : clean_dir(w, sub, d.own);
		buf_cut(&w->path, len);
	}
	w->depth--;
	return rc;
}

int commit_clean(const struct layer *l, int stage_fd, const struct committed *c,
	struct ovl_err *err)
{
	struct cleaner w = {.l = l, .stage = stage_fd, .list = -1, .c = c, .err = err};
	int fd = layer_tree(l, err);
	int rc;

	if (fd < 0)
		return fd;
	buf_add(&w.path, "", 0);
	rc = clean_dir(&w, fd, pathset_has(c->own, 'd', "", 0));
	if (rc == 0)
		rc = write_text(&w, 0);
	close_fdp(&w.list);
	buf_release(&w.text);
	buf_release(&w.path);
	return rc;
}
