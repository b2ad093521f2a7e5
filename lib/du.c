/* SPDX-License-Identifier: ISC */
/* ovl_du: the disk space that layers take, share, hide and would free. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/inodes.h"
#include "base/pace.h"
#include "base/quote.h"
#include "base/vec.h"
#include "base/walk.h"
#include "store/driver.h"
#include "store/layer.h"
#include "store/store.h"
#include "union/hidden.h"

/* A layer; other layers are given by their index in the list, -1 for none. */
struct measured {
	long parent;
	long child;
	long sibling;
	bool asked;
	bool stacked; /* it was asked for, or a layer on top of it was */
	bool goes; /* it was asked for, or a layer below it was */
	bool gone; /* removed meanwhile */
	uint64_t own;
	uint64_t only; /* bytes of files that only this layer and those on top of it
		        * have */
	uint64_t hides[OVL_HIDDEN_WAYS]; /* bytes of files that it hides and that were
					  * visible below it */
	/* The directory of its children's hints, which is removed with the last hint. */
	uint64_t hints_bytes;
	unsigned hints;
	unsigned children;
	unsigned going;
};

/* A file with several names. */
struct linked {
	struct hidden_links links; /* for its names in trees */
	uint64_t missing; /* links that have not been found yet */
	long common; /* the topmost layer that all its names are in or on top of */
	bool stays; /* a layer that is not removed has a name of it */
};

struct du {
	struct ovl_store *st;
	struct ovl_du *out;
	struct measured *layer;
	long first; /* the first layer without a parent */
	struct hidden *stack;
	long top; /* its top layer */
	long at; /* the layer that is being read; -1: the rest of the store */
	struct stat tree; /* its own tree */
	struct inodes linked;
	struct inodes known; /* files and directories of layers, in the store's
			      * directories */
	size_t files; /* number of hidden files to report */
	size_t denied; /* places that may not be read */
	uint64_t least; /* only those larger than this are of interest */
	struct ovl_progress done;
	struct pace pace;
	struct ovl_err *err;
};

/* A directory of the tree that is being walked. */
struct du_dir {
	int fd[WALK_TREES];
	unsigned entry; /* its entry in the stack; 0: not in a layer's own tree */
};

/* ---- the layers -------------------------------------------------------------------- */

/* The order in which layers are read: parents before their children. */
static long next_layer(const struct du *d, long i)
{
	if (d->layer[i].child >= 0)
		return d->layer[i].child;
	while (i >= 0 && d->layer[i].sibling < 0)
		i = d->layer[i].parent;
	return i < 0 ? -1 : d->layer[i].sibling;
}

/* Backwards, so that each list begins with its first layer. */
static int link_layers(struct du *d)
{
	const struct ovl_list *list = &d->out->list;

	d->layer = calloc(list->n + 1, sizeof(*d->layer));
	if (!d->layer)
		return err_nomem(d->err);
	for (size_t i = 0; i < list->n; i++)
		d->layer[i].child = -1;
	for (long i = (long)list->n - 1; i >= 0; i--) {
		long parent = list->layer[i].parent_at;
		struct measured *m = parent < 0 ? NULL : &d->layer[parent];

		d->layer[i].parent = parent;
		d->layer[i].sibling = m ? m->child : d->first;
		*(m ? &m->child : &d->first) = i;
		if (m)
			m->children++;
	}
	return 0;
}

static void ask(struct du *d, size_t i)
{
	d->layer[i].asked = true;
	for (long k = (long)i; k >= 0 && !d->layer[k].stacked; k = d->layer[k].parent)
		d->layer[k].stacked = true;
}

static int ask_for(struct du *d, const char *what)
{
	const struct ovl_list *list = &d->out->list;
	auto_layer l = LAYER_INIT;
	int rc = layer_open(d->st, what, 0, &l, d->err);

	for (size_t i = 0; rc == 0 && i < list->n; i++) {
		if (strcmp(list->layer[i].id.s, l.id.s) == 0 &&
			strcmp(list->layer[i].driver, l.drv->name) == 0)
			ask(d, i);
	}
	return rc;
}

/* what NULL or empty: all layers. */
static int arrange(struct du *d, char *const *what)
{
	bool all = !what || !*what;
	int rc = link_layers(d);

	for (size_t i = 0; rc == 0 && all && i < d->out->list.n; i++)
		ask(d, i);
	for (; rc == 0 && !all && *what; what++)
		rc = ask_for(d, *what);
	return rc;
}

/* True if a is layer b or below it. */
static bool is_below(const struct du *d, long a, long b)
{
	while (b >= 0 && b != a)
		b = d->layer[b].parent;
	return b == a;
}

/* ---- counting ---------------------------------------------------------------------- */

/* *links is set for a file with several names; NULL: it has one. */
static int count(struct du *d, const struct stat *st, struct hidden_links **links)
{
	uint64_t bytes = (uint64_t)st->st_blocks * 512;
	bool single = !bytes || st->st_nlink < 2 || S_ISDIR(st->st_mode);
	struct linked new = {.missing = single ? 1 : st->st_nlink, .common = d->at};
	struct linked *f = single ? NULL : inodes_find(&d->linked, st);

	if (!f) {
		d->out->total += bytes;
		if (d->at >= 0)
			d->layer[d->at].own += bytes;
		f = single ? &new : inodes_put(&d->linked, st, &new, sizeof(new));
	}
	if (!f)
		return fs_fail(ENOMEM);
	f->stays |= d->at < 0 || !d->layer[d->at].goes;
	while (f->common >= 0 && !is_below(d, f->common, d->at))
		f->common = d->layer[f->common].parent;
	if (--f->missing == 0 && f->common >= 0)
		d->layer[f->common].only += bytes;
	if (f->missing == 0 && !f->stays)
		d->out->freed += bytes;
	*links = single ? NULL : &f->links;
	return 0;
}

/* ---- reading a tree ---------------------------------------------------------------- */

/* False if a file has disappeared or may not be read; these are not counted. */
static bool matters(struct du *d, int why, const char *path)
{
	if (why == EACCES && d->denied++ == 0)
		store_warn(d->st, "%s is not counted: %s", Q(path), strerror(why));
	return why != EACCES && err_is_system(-why);
}

/* Adds a name in the layer's own tree to the stack of names. */
static int stack_name(struct du *d, struct walk *w, const struct stat *st,
	struct hidden_links *links, bool entered)
{
	const struct du_dir *dir = w->dir;
	bool root = !dir->entry && S_ISDIR(st->st_mode) && fs_same(st, &d->tree);
	struct du_dir *in = w->in;
	long entry;

	if (!dir->entry && !root)
		return 0;
	entry = hidden_add(
		d->stack, dir->entry, dir->fd[0], root ? "" : w->name, st, links);
	if (entry <= 0 || !entered)
		return entry < 0 ? -1 : 0;
	in->entry = (unsigned)entry;
	return hidden_enter(d->stack, in->entry, in->fd[0]);
}

static int see_name(struct du *d, struct walk *w)
{
	const size_t n = strlen(LAYER_CHILDREN);
	struct hidden_links *links;
	bool entered = false;
	struct stat st;

	d->done.entries++;
	if (pace_due(&d->pace, &d->st->cfg))
		d->st->cfg.progress(d->st->cfg.ctx, &d->done);
	if (fstatat(w->fd[0], w->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (d->at < 0 && inodes_find(&d->known, &st))
		return 0;
	if (d->at >= 0 && !w->path.len && !inodes_put(&d->known, &st, "", 0))
		return fs_fail(ENOMEM);
	if (S_ISDIR(st.st_mode)) {
		entered = walk_enter(w) == 0;
		/* A file system mounted on it does not belong to the store. */
		if (!entered && (errno == EXDEV || matters(d, errno, w->path.data)))
			return -1;
	}
	if (count(d, &st, &links) < 0)
		return -1;
	if (d->at < 0)
		return 0;
	if (!((const struct du_dir *)w->dir)->entry &&
		strncmp(w->path.data, LAYER_CHILDREN, n) == 0) {
		d->layer[d->at].hints += w->path.data[n] == '/';
		d->layer[d->at].hints_bytes += (uint64_t)st.st_blocks * 512;
	}
	return stack_name(d, w, &st, links, entered);
}

/* Files that belong to layers were counted with them, and are skipped in the rest of the
 * store. */
static int read_tree(void *ctx, int dirfd, const char *name)
{
	struct du *d = ctx;
	auto_walk w = {.trees = 1,
		.top = {dirfd},
		.first = name,
		.open = fs_open_here,
		.size = sizeof(struct du_dir)};
	const struct du_dir *in;
	const char *where;
	int r;

	while ((r = walk_next(&w)) != 0) {
		if (store_stopped(d->st))
			return err_stopped(d->err);
		if (r == WALK_NAME)
			r = see_name(d, &w);
		else if (r == WALK_LEFT && (in = w.in)->entry)
			r = hidden_leave(d->stack, in->entry);
		where = w.path.len ? w.path.data : name;
		if (r < 0 && matters(d, errno, where))
			return err_sys(d->err, errno, "cannot read %s", Q(where));
	}
	return 0;
}

/* ---- hidden files ------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
	const struct ovl_hidden_file *x = a;
	const struct ovl_hidden_file *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void keep_largest(struct du *d)
{
	struct ovl_du *out = d->out;

	VEC_SORT(out->file, out->n_files, by_bytes);
	while (out->n_files > d->files)
		free(out->file[--out->n_files].path);
	if (out->n_files == d->files && d->files)
		d->least = out->file[out->n_files - 1].bytes;
}

static int add_hidden(void *ctx, const struct hidden_file *f)
{
	struct du *d = ctx;
	struct ovl_du *out = d->out;
	auto_buf path = {0};

	d->layer[d->at].hides[f->why] += f->bytes;
	if (!d->files || f->bytes <= d->least)
		return 0;
	if (!VEC_ROOM(out->file, out->n_files))
		return err_nomem(d->err);
	hidden_path(d->stack, f->entry, &path);
	out->file[out->n_files] = (struct ovl_hidden_file){.path = buf_steal(&path),
		.bytes = f->bytes,
		.why = f->why,
		.in = &out->list.layer[f->tree],
		.by = &out->list.layer[d->at]};
	if (!out->file[out->n_files].path)
		return err_nomem(d->err);
	if (++out->n_files / 2 >= d->files)
		keep_largest(d);
	return 0;
}

/* ---- a layer ----------------------------------------------------------------------- */

static int open_layer(const struct du *d, long i, struct layer *l, struct ovl_err *err)
{
	const struct ovl_layer *of = &d->out->list.layer[i];
	struct layer_ref ref = {.drv = store_driver(d->st, of->driver), .id = of->id};

	return layer_open_ref(d->st, &ref, 0, ref.id.s, l, err);
}

static int open_tree(void *ctx, unsigned i)
{
	auto_layer l = LAYER_INIT;
	struct ovl_err err;
	int rc = open_layer(ctx, i, &l, &err);

	return rc < 0 ? rc : layer_tree(&l, &err);
}

/* Puts the layer's tree on top of that of its parent; l is not open if the layer was
 * removed meanwhile. */
static int push(struct du *d, const struct layer *l)
{
	const struct ovl_layer *of = &d->out->list.layer[d->at];
	unsigned flags = of->kind == OVL_WRITABLE ? HIDDEN_UPPER : 0;
	auto_fd fd = l->fd < 0 ? -ENOENT : layer_tree(l, d->err);

	/* A damaged layer may have no tree. */
	if (fd == -EPERM || err_is_system(fd))
		return fd;
	if (fd >= 0 && fstat(fd, &d->tree) < 0)
		return err_sys(d->err, errno, "cannot read layer %.12s", of->id.s);
	if (of->kind == OVL_IMAGE && store_driver(d->st, of->driver)->flat)
		flags |= HIDDEN_WHOLE;
	else if (of->has_parent && !of->lowers)
		flags |= HIDDEN_OPAQUE;
	while (d->top != d->layer[d->at].parent) {
		hidden_pop(d->stack);
		d->top = d->layer[d->top].parent;
	}
	d->top = d->at;
	return hidden_push(d->stack, (unsigned)d->at, flags) < 0 ? err_nomem(d->err) : 0;
}

static int read_layer(struct du *d)
{
	struct measured *m = &d->layer[d->at];
	auto_layer l = LAYER_INIT;
	int rc = open_layer(d, d->at, &l, d->err);

	m->gone = rc < 0;
	if (rc < 0 && err_is_system(rc))
		return rc;
	d->tree = (struct stat){0};
	rc = m->stacked ? push(d, &l) : 0;
	if (rc == 0 && !m->gone)
		rc = read_tree(d, l.fd, ".");
	if (rc == 0 && !m->gone)
		rc = layer_outside(&l, read_tree, d, d->err);
	/* Other errors mean that it is being removed. */
	if (rc < 0 && !err_is_system(rc))
		rc = 0;
	return rc == 0 && m->stacked ? hidden_each(d->stack, add_hidden, d) : rc;
}

static int read_store(struct du *d)
{
	int rc = 0;

	for (d->at = d->first; d->at >= 0 && rc == 0; d->at = next_layer(d, d->at)) {
		struct measured *m = &d->layer[d->at];
		struct measured *parent = m->parent < 0 ? NULL : &d->layer[m->parent];

		m->goes = m->asked || (parent && parent->goes);
		if (parent)
			parent->going += m->goes;
		rc = read_layer(d);
	}
	if (rc < 0 || d->st->fd < 0)
		return rc;
	d->at = -1;
	return read_tree(d, d->st->fd, ".");
}

/* ---- the result -------------------------------------------------------------------- */

/* The directory of the hints is removed with the last child. */
static void add_hints(struct du *d, struct measured *m, uint64_t *freed)
{
	const struct measured *parent = m->parent < 0 ? NULL : &d->layer[m->parent];

	if (parent && parent->hints == 1)
		*freed += parent->hints_bytes;
	if (!m->goes && m->going && m->going == m->hints)
		d->out->freed += m->hints_bytes;
}

/* Adds up the sums of a layer over the layers below it and on top of it. */
static void sum_up(struct du *d, long i, struct ovl_usage *u)
{
	bool shared = d->layer[i].children > 0;

	u->own = d->layer[i].own;
	for (long k = i; k >= 0; k = d->layer[k].parent) {
		const struct measured *m = &d->layer[k];

		shared |= k != i && m->children > 1;
		u->stack += m->own;
		u->shared += k != i && shared ? m->own : 0;
		for (int why = 0; why < OVL_HIDDEN_WAYS; why++)
			u->hidden[why] += m->hides[why];
	}
}

static int report(struct du *d)
{
	size_t n = d->out->list.n;
	auto_free uint64_t *freed = calloc(n + 1, sizeof(*freed));

	d->out->usage = calloc(n + 1, sizeof(*d->out->usage));
	if (!freed || !d->out->usage)
		return err_nomem(d->err);
	for (long i = 0; i < (long)n; i++) {
		for (long k = i; k >= 0; k = d->layer[k].parent)
			freed[k] += d->layer[i].only;
		add_hints(d, &d->layer[i], &freed[i]);
	}
	for (long i = 0; i < (long)n; i++) {
		struct ovl_usage *u = &d->out->usage[d->out->n];

		if (!d->layer[i].asked || d->layer[i].gone)
			continue;
		u->layer = &d->out->list.layer[i];
		u->freed = freed[i];
		sum_up(d, i, u);
		d->out->n++;
	}
	keep_largest(d);
	return 0;
}

void ovl_du_free(struct ovl_du *d)
{
	for (size_t i = 0; i < d->n_files; i++)
		free(d->file[i].path);
	free(d->file);
	free(d->usage);
	ovl_list_free(&d->list);
	*d = (struct ovl_du){0};
}

int ovl_du(struct ovl_store *st, char *const *what, size_t files, struct ovl_du *out,
	struct ovl_err *err)
{
	struct ovl_du made = {0};
	struct du d = {.st = st,
		.out = &made,
		.first = -1,
		.top = -1,
		.files = files,
		.err = err};
	struct hidden_trees trees = {&st->xattrs, open_tree, &d, st->cfg.stop};
	int rc = ovl_list(st, NULL, 0, &made.list, err);

	if (rc == 0)
		rc = arrange(&d, what);
	if (rc == 0 && !(d.stack = hidden_new(&trees)))
		rc = err_nomem(err);
	if (rc == 0)
		rc = read_store(&d);
	if (rc == 0)
		rc = report(&d);
	if (d.denied > 1)
		store_warn(st, "%zu more are not counted: %s", d.denied - 1,
			strerror(EACCES));
	hidden_free(d.stack);
	inodes_release(&d.linked);
	inodes_release(&d.known);
	free(d.layer);
	if (rc < 0)
		ovl_du_free(&made);
	else
		*out = made;
	return rc;
}
