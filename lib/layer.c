#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aside.h"
#include "cleanup.h"
#include "commit.h"
#include "driver.h"
#include "fs.h"
#include "layer.h"
#include "lock.h"
#include "marks.h"
#include "names.h"
#include "quote.h"
#include "store.h"
#include "view.h"

static const char children[] = ".children";

int layer_exists(struct ovl_store *st, const struct layer_ref *ref, struct ovl_err *err)
{
	int drv_fd = store_driver_dir(st, ref->drv, err);
	struct stat sb;

	if (drv_fd < 0)
		return drv_fd == -ENOENT ? 0 : drv_fd;
	if (fstatat(drv_fd, ref->id.s, &sb, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(sb.st_mode);
	if (errno == ENOENT)
		return 0;
	return err_sys(err, errno, "cannot look for layer %.12s", ref->id.s);
}

struct layer_ref layer_ref_of(const struct layer *l)
{
	return (struct layer_ref){.drv = l->drv, .id = l->id};
}

bool layer_ref_same(const struct layer_ref *a, const struct layer_ref *b)
{
	return a->drv == b->drv && strcmp(a->id.s, b->id.s) == 0;
}

/* ---- finding ---------------------------------------------------------------------- */

struct search {
	struct ovl_store *st;
	const char *what;
	struct layer_ref found;
	unsigned hits;
	bool twice; /* one layer, of two drivers */
	struct ovl_err *err;
};

static void hit(struct search *s, const struct driver *drv, const char *id)
{
	s->found.drv = drv;
	s->twice |= s->hits && strcmp(s->found.id.s, id) == 0;
	memcpy(s->found.id.s, id, ID_LEN + 1);
	s->hits++;
}

static int cannot_look(const struct search *s, int errnum)
{
	return err_sys(s->err, errnum, "cannot look for layer %s", Q(s->what));
}

static int find_full(struct search *s, const struct driver *drv, int drv_fd)
{
	struct layer_ref ref = {.drv = drv};
	int r;

	(void)drv_fd;
	memcpy(ref.id.s, s->what, ID_LEN + 1);
	r = layer_exists(s->st, &ref, s->err);
	if (r > 0)
		hit(s, drv, s->what);
	return r;
}

static int find_short(struct search *s, const struct driver *drv, int drv_fd)
{
	struct layer_ref ref = {.drv = drv};
	int r = drv->by_link(drv_fd, s->what, &ref.id);

	if (r < 0)
		return cannot_look(s, -r);
	if (r > 0)
		r = layer_exists(s->st, &ref, s->err);
	if (r > 0)
		hit(s, drv, ref.id.s);
	return r;
}

static int find_prefix(struct search *s, const struct driver *drv, int drv_fd)
{
	auto_fsdir d = {.fd = -1};
	size_t n = strlen(s->what);
	const char *name;
	int r;

	if (fs_dir_open(&d, drv_fd, ".") < 0)
		return cannot_look(s, errno);
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (id_is_full(name) && strncmp(name, s->what, n) == 0)
			hit(s, drv, name);
	}
	return r < 0 ? cannot_look(s, errno) : 0;
}

static int each_driver(
	struct search *s, int (*fn)(struct search *s, const struct driver *drv, int fd))
{
	for (const struct driver *const *d = driver_list; *d; d++) {
		int fd;
		int rc;

		if (!store_covers(s->st, *d))
			continue;
		fd = store_driver_dir(s->st, *d, s->err);
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		rc = fn(s, *d, fd);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int layer_find(struct ovl_store *st, const char *what, struct layer_ref *ref,
	struct ovl_err *err)
{
	struct search s = {.st = st, .what = what, .err = err};
	int rc = names_lookup(st, what, ref, err);

	if (rc < 0)
		return rc;
	if (rc > 0 && !store_covers(st, ref->drv))
		return err_status(err, OVL_NOLAYER,
			"no such layer %s of driver %s: it is one of %s", Q(what),
			st->drv->name, ref->drv->name);
	if (rc > 0)
		return 0;
	if (strncmp(what, "sha256:", 7) == 0 && id_is_full(what + 7))
		s.what = what += 7;
	if (id_is_full(what))
		rc = each_driver(&s, find_full);
	else if (id_is_short(what))
		rc = each_driver(&s, find_short);
	else if (id_is_prefix(what))
		rc = each_driver(&s, find_prefix);
	if (rc < 0)
		return rc;
	if (s.hits == 2 && s.twice)
		return err_status(err, OVL_USAGE,
			"%s is ambiguous: two drivers have it, --driver says which is meant",
			Q(what));
	if (s.hits > 1)
		return err_status(err, OVL_USAGE, "%s is ambiguous: %u layers match",
			Q(what), s.hits);
	if (!s.hits)
		return err_status(err, OVL_NOLAYER, "no such layer %s", Q(what));
	*ref = s.found;
	return 0;
}

/* ---- opening ---------------------------------------------------------------------- */

void layer_close(struct layer *l)
{
	close_fdp(&l->fd);
}

static int lock_layer(struct layer *l, int op, const char *what, struct ovl_err *err)
{
	char subject[QUOTE_SIZE + 16];
	int rc;

	snprintf(subject, sizeof(subject), "layer %s", Q(what));
	rc = op & LOCK_NB ? lock_now(l->fd, op, subject, err) :
			    lock_take(l->st, l->fd, op, subject, err);
	if (rc < 0)
		return rc;
	/* Is it still what is found under its id, now that it is locked? */
	rc = fs_is(l->drv_fd, l->id.s, l->fd);
	if (rc < 0)
		return err_sys(err, errno, "cannot look for %s", subject);
	return rc ? 0 : -EAGAIN;
}

/* Opens and locks the directory; what is in it is another matter. -EAGAIN: the layer was
 * put in place anew while its lock was waited for. */
static int try_dir(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err)
{
	struct layer l = {.st = st, .drv = ref->drv, .id = ref->id, .fd = -1};
	int rc = 0;

	l.drv_fd = store_driver_dir(st, ref->drv, err);
	if (l.drv_fd < 0 && l.drv_fd != -ENOENT)
		return l.drv_fd;
	if (l.drv_fd >= 0)
		l.fd = fs_open_dir(l.drv_fd, ref->id.s);
	if (l.drv_fd < 0 || (l.fd < 0 && errno == ENOENT))
		return err_status(err, OVL_NOLAYER, "no such layer %s", Q(what));
	if (l.fd < 0)
		return err_sys(err, errno, "cannot open layer %s", Q(what));
	if (op)
		rc = lock_layer(&l, op, what, err);
	if (rc < 0) {
		layer_close(&l);
		return rc;
	}
	*out = l;
	return 0;
}

struct opening {
	struct ovl_store *st;
	const struct layer_ref *ref;
	int op;
	const char *what;
	struct layer *out;
};

static int open_now(void *ctx, struct ovl_err *err)
{
	const struct opening *o = ctx;
	int rc;

	do
		rc = try_dir(o->st, o->ref, o->op, o->what, o->out, err);
	while (rc == -EAGAIN);
	return rc;
}

/* Who waits for an exclusive lock looks for the layer each time: its remover has it locked
 * in the trash, too. */
static int open_dir(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err)
{
	struct opening o = {st, ref, op, what, out};

	if (op != LOCK_EX)
		return open_now(&o, err);
	o.op = LOCK_EX | LOCK_NB;
	return lock_all(st, open_now, &o, err);
}

int layer_open_ref(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err)
{
	struct layer l = LAYER_INIT;
	int rc = open_dir(st, ref, op, what, &l, err);

	if (rc < 0)
		return rc;
	rc = meta_read(l.fd, &l.meta, err);
	if (rc < 0)
		err_prefix(err, rc, "layer %s", Q(what));
	if (meta_is_damage(rc))
		err_see_check(err, rc);
	else if (rc == 0 && op && l.meta.kind == OVL_WRITABLE)
		rc = commit_heal(&l, err);
	if (rc < 0) {
		layer_close(&l);
		return rc;
	}
	*out = l;
	return 0;
}

/* What a directory tells whose .layer does not: enough to take it away. */
static void meta_guess(struct layer *l)
{
	memset(&l->meta, 0, sizeof(l->meta));
	l->meta.kind = OVL_WRITABLE;
	l->meta.depth = UINT_MAX;
	l->drv->link_of(l->fd, l->meta.link);
}

int layer_open_to_remove(struct ovl_store *st, const struct layer_ref *ref, int op,
	const char *what, struct layer *out, struct ovl_err *err)
{
	struct layer l = LAYER_INIT;
	int rc = open_dir(st, ref, op, what, &l, err);

	if (rc < 0)
		return rc;
	rc = meta_read(l.fd, &l.meta, err);
	if (rc == -EUCLEAN || rc == -ENOENT || rc == -EINVAL || rc == -EFBIG) {
		meta_guess(&l);
		rc = 0;
	}
	if (rc < 0) {
		layer_close(&l);
		return err_prefix(err, rc, "layer %s", Q(what));
	}
	*out = l;
	return 0;
}

int layer_open(struct ovl_store *st, const char *what, int op, struct layer *out,
	struct ovl_err *err)
{
	struct layer_ref ref;
	struct layer_ref was;
	int rc = layer_find(st, what, &ref, err);

	while (rc == 0) {
		rc = layer_open_ref(st, &ref, op, what, out, err);
		if (rc == 0 || rc != -ENOENT || err->status != OVL_NOLAYER)
			break;
		/* Its name may have moved on, as a commit moves it. */
		was = ref;
		rc = layer_find(st, what, &ref, err);
		if (rc == 0 && layer_ref_same(&ref, &was))
			return err_status(err, OVL_NOLAYER, "no such layer %s", Q(what));
	}
	return rc;
}

int layer_open_parent(
	const struct layer *l, int op, struct layer *out, struct ovl_err *err)
{
	struct layer_ref ref = {.drv = l->drv, .id = l->meta.parent};

	return layer_open_ref(l->st, &ref, op, ref.id.s, out, err);
}

const char *layer_tree_name(const struct layer *l)
{
	return l->drv->tree[l->meta.kind];
}

int layer_tree(const struct layer *l, struct ovl_err *err)
{
	int fd = marks_check(l->st, err);
	struct ovl_id became;

	if (fd < 0)
		return fd;
	fd = fs_open_dir(l->fd, layer_tree_name(l));
	if (fd < 0 && errno == ENOENT && commit_became(l, &became, NULL) > 0)
		return err_say(err, ENOENT,
			"layer %.12s became layer %.12s, but its commit was interrupted: commit it "
			"once more",
			l->id.s, became.s);
	if (fd < 0) {
		bool gone = fs_is_gone(errno);
		int rc = err_sys(
			err, errno, "cannot open the tree of layer %.12s", l->id.s);

		return gone ? err_see_check(err, rc) : rc;
	}
	return fd;
}

static int no_marks(const struct layer *l, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot read the xattrs of the trees of layer %.12s",
		l->id.s);
}

static int push_lower(
	const struct layer *l, const char *name, struct view *v, struct ovl_err *err)
{
	auto_fd link = fs_open_link(l->drv_fd, name);
	int fd = link < 0 ? -1 : openat(link, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_see_check(err,
			err_sys(err, errno, "cannot open lower layer '%s' of layer %.12s",
				name, l->id.s));
	return view_push(v, fd) < 0 ? no_marks(l, err) : 0;
}

int layer_view(
	const struct layer *l, bool with_self, struct view *out, struct ovl_err *err)
{
	auto_view v = {.xp = &l->st->xattrs};
	auto_stack lowers = {0};
	int rc;

	if (with_self) {
		int fd = layer_tree(l, err);

		if (fd < 0)
			return fd;
		if (view_push(&v, fd) < 0)
			return no_marks(l, err);
	}
	rc = marks_check(l->st, err);
	if (rc == 0)
		rc = l->drv->lowers(l, &lowers, err);
	for (unsigned i = 0; rc == 0 && i < lowers.n; i++)
		rc = push_lower(l, lowers.name[i], &v, err);
	if (rc < 0)
		return rc;
	*out = v;
	memset(&v, 0, sizeof(v));
	return 0;
}

/* ---- children --------------------------------------------------------------------- */

/* A layer that does not say whose child it is counts as one, also when it was put aside. */
static bool is_child(
	struct ovl_store *st, const struct ovl_id *parent, const struct layer_ref *ref)
{
	auto_layer child = LAYER_INIT;
	struct ovl_err why;

	if (layer_open_ref(st, ref, 0, ref->id.s, &child, &why) < 0)
		return why.status != OVL_NOLAYER ||
			aside_has(st, ref->drv->name, ref->id.s);
	return child.meta.has_parent && strcmp(child.meta.parent.s, parent->s) == 0;
}

int layer_children(const struct layer *l,
	int (*fn)(void *ctx, const struct layer_ref *child), void *ctx,
	struct ovl_err *err)
{
	struct layer_ref ref = {.drv = l->drv};
	auto_fsdir d = {.fd = -1};
	const char *name;
	int r;

	if (fs_dir_open(&d, l->fd, children) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(
			err, errno, "cannot read the children of layer %.12s", l->id.s);
	}
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (!id_is_full(name))
			continue;
		memcpy(ref.id.s, name, ID_LEN + 1);
		if (!is_child(l->st, &l->id, &ref))
			continue;
		r = fn(ctx, &ref);
		if (r)
			return r;
	}
	if (r < 0)
		return err_sys(
			err, errno, "cannot read the children of layer %.12s", l->id.s);
	return 0;
}

/* Who takes the last hint away takes the directory too, maybe right now. */
int layer_add_child(const struct layer *l, const struct ovl_id *id, struct ovl_err *err)
{
	char path[sizeof(children) + ID_LEN + 1];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", children, id->s);
	for (int i = 0; i < 100 && fd < 0; i++) {
		fd = openat(l->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			return 0;
		if (fd < 0 && (errno != ENOENT || fs_mkdir(l->fd, children, 0700) < 0))
			break;
	}
	if (fd < 0)
		return err_sys(err, errno, "cannot note a child in layer %.12s", l->id.s);
	close(fd);
	return 1;
}

int layer_sync_children(const struct layer *l, struct ovl_err *err)
{
	auto_fd dir = fs_open_dir(l->fd, children);

	if (dir < 0 || fsync(dir) < 0 || fsync(l->fd) < 0)
		return err_sys(
			err, errno, "cannot sync the children of layer %.12s", l->id.s);
	return 0;
}

int layer_has_hint(const struct layer *l, const struct ovl_id *id, struct ovl_err *err)
{
	char path[sizeof(children) + ID_LEN + 1];
	int there;

	snprintf(path, sizeof(path), "%s/%s", children, id->s);
	there = fs_exists(l->fd, path);
	return there < 0 ?
		err_sys(err, errno, "cannot read the children of layer %.12s", l->id.s) :
		there;
}

static void drop_child(const struct layer *child)
{
	char path[ID_LEN + sizeof(children) + ID_LEN + 2];

	snprintf(path, sizeof(path), "%s/%s/%s", child->meta.parent.s, children,
		child->id.s);
	if (unlinkat(child->drv_fd, path, 0) == 0) {
		*strrchr(path, '/') = '\0';
		unlinkat(child->drv_fd, path, AT_REMOVEDIR);
	}
}

/*
 * A layer that is gone may be back by now, as the child of the same parent. The lock of the
 * store is held by who makes one appear, from the hint to the rename.
 */
void layer_drop_child(const struct layer *child)
{
	struct layer_ref ref = layer_ref_of(child);

	if (!child->meta.has_parent || store_trylock(child->st) <= 0)
		return;
	if (!is_child(child->st, &child->meta.parent, &ref))
		drop_child(child);
	store_unlock(child->st);
}

int layer_hints_open(int drv_fd, const char *id, struct fs_dir *d)
{
	char path[ID_LEN + sizeof(children) + 1];

	snprintf(path, sizeof(path), "%s/%s", id, children);
	return fs_dir_open(d, drv_fd, path) == 0;
}

void layer_hints_done(int drv_fd, const char *id)
{
	char path[ID_LEN + sizeof(children) + 1];

	snprintf(path, sizeof(path), "%s/%s", id, children);
	unlinkat(drv_fd, path, AT_REMOVEDIR);
}

const char *layer_label(
	struct ovl_store *st, const struct layer_ref *ref, char out[OVL_LABEL_SIZE])
{
	char name[NAME_LEN_MAX + 1];

	if (names_first(st, ref, name))
		snprintf(out, OVL_LABEL_SIZE, "%s", name);
	else
		snprintf(out, OVL_LABEL_SIZE, "%.12s", ref->id.s);
	return out;
}
