/* SPDX-License-Identifier: ISC */
/* Finds the mounts of this store's layers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/pathset.h"
#include "mount/mounts.h"
#include "store/driver.h"
#include "store/stamp.h"
#include "store/store.h"

static const char mark[] = "ovlctl:";

/* mount(2) takes a source of less than PATH_MAX. */
#define SOURCE_MAX 4095

char *mounts_source(const struct layer *l)
{
	auto_buf b = {0};
	const char *root = l->st->root;
	size_t rest = sizeof(mark) - 1 + strlen("...") + 1 + strlen(l->drv->name) + 1 +
		ID_LEN;
	bool cut = rest + strlen(root) > SOURCE_MAX;

	if (cut)
		root += strlen(root) + rest - SOURCE_MAX;
	buf_addf(&b, "%s%s%s/%s/%s", mark, cut ? "..." : "", root, l->drv->name, l->id.s);
	return buf_steal(&b);
}

/* ---- whose it is ------------------------------------------------------------------ */

enum whose { OURS, ANOTHERS, UNKNOWN };

/* Opens a path in the namespace of that table. -1: it does not exist, or is
 * inaccessible. */
static int open_in(const struct mi_table *t, const char *path)
{
	if (!t->ns)
		return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return t->root < 0 ? -1 : fs_open_inside(t->root, path + 1, NULL);
}

/*
 * Whether the root in the mount's namespace is this store, another store, which is
 * opened, or not a store, for example because this one was moved.
 */
static enum whose whose_root(const struct ovl_store *st, const struct mi_table *t,
	const char *root, int *another)
{
	struct stat there;
	struct stat here;
	auto_fd fd = -1;

	if (*root != '/' && *root)
		return UNKNOWN;
	fd = open_in(t, *root ? root : "/");
	if (fd < 0 || fstat(fd, &there) < 0 || fstat(st->fd, &here) < 0)
		return UNKNOWN;
	if (fs_same(&there, &here))
		return OURS;
	if (fs_exists(fd, STORE_STAMP) <= 0)
		return UNKNOWN;
	*another = steal_fd(&fd);
	return ANOTHERS;
}

/*
 * Splits "<root>/<driver>/<id>". The part before the id may be missing, in a name
 * relative to the driver's directory: then *root is NULL.
 */
static bool split_source(
	const struct ovl_store *st, char *path, char **root, struct layer_ref *ref)
{
	char *id = strrchr(path, '/');
	char *driver;

	if (!id_take(id ? id + 1 : path, ref->id.s))
		return false;
	*root = NULL;
	if (!id)
		return true;
	*id = '\0';
	driver = strrchr(path, '/');
	ref->drv = store_driver(st, driver ? driver + 1 : path);
	if (!ref->drv)
		return false;
	if (driver) {
		*driver = '\0';
		*root = path;
	}
	return true;
}

/* A parsed directory name in overlay's options. */
struct named {
	bool known;
	bool other; /* the layer's mount point or a part of its tree, not the tree
		     * itself */
	const char *name;
	size_t root_len; /* length of the store's root, with which the path begins... */
	bool has_root; /* ...if it is absolute */
	bool elsewhere; /* it begins with the layer's directory under another path, not
			 * with a store's root */
	char link[SHORT_LEN + 1]; /* the short id, if it is a short link */
	struct layer_ref ref;
};

static bool is_tree(const struct driver *d, const char *name)
{
	return strcmp(name, d->tree[OVL_IMAGE]) == 0 ||
		strcmp(name, d->tree[OVL_WRITABLE]) == 0;
}

/* For the path of a tree or mount point: cuts it off after the layer's directory, and
 * returns the tree; NULL if it is another path. *part: something followed the tree. */
static const char *cut_tree(char *path, const struct driver *d, bool *part)
{
	char *slash;

	while ((slash = strrchr(path, '/'))) {
		const char *tree = slash + 1;
		const char *id;

		*slash = '\0';
		id = strrchr(path, '/');
		if (id_is_full(id ? id + 1 : path) &&
			(is_tree(d, tree) || strcmp(tree, d->merged) == 0))
			return tree;
		*part = true;
	}
	return NULL;
}

/* "[[<root>/]<driver>/]<id>/<tree>[/...]", or "/.../<id>/<tree>[/...]" where a driver's
 * directory has another path, or <merged> for <tree>. */
static bool name_of_tree(
	struct ovl_store *st, const char *name, const struct driver *d, struct named *out)
{
	auto_free char *copy = strdup(name);
	bool part = false;
	const char *tree = copy ? cut_tree(copy, d, &part) : NULL;
	size_t len = tree ? strlen(copy) : 0;
	char *root = NULL;

	out->ref.drv = d;
	if (!tree ||
		(split_source(st, copy, &root, &out->ref) ? out->ref.drv != d :
							    *name != '/'))
		return false;
	out->elsewhere = !out->ref.drv;
	out->ref.drv = d;
	out->other = part || !is_tree(d, tree);
	out->known = true;
	out->has_root = root != NULL;
	out->root_len = root ? strlen(root) : len;
	return true;
}

/* "[<root>/<driver>/]<links>/<short id>[/...]" */
static bool name_of_link(
	struct ovl_store *st, const char *name, const struct driver *d, struct named *out)
{
	auto_free char *copy = strdup(name);
	int drv_fd = store_driver_dir(st, d, NULL);
	char *dir = NULL;
	char *root;
	char *link = NULL;

	out->other = false;
	while (d->links && copy && (link = strrchr(copy, '/'))) {
		*link++ = '\0';
		dir = strrchr(copy, '/');
		if (id_is_short(link) && strcmp(dir ? dir + 1 : copy, d->links) == 0)
			break;
		out->other = true;
	}
	if (!link)
		return false;
	out->ref.drv = d;
	out->known = drv_fd >= 0 && driver_by_link(d, drv_fd, link, &out->ref.id) == 1;
	memcpy(out->link, link, SHORT_LEN + 1);
	if (!dir)
		return true;
	*dir = '\0';
	root = strrchr(copy, '/');
	out->has_root = root && strcmp(root + 1, d->name) == 0;
	out->root_len = out->has_root ? (size_t)(root - copy) : 0;
	return true;
}

static bool name_of_layer(struct ovl_store *st, const char *name, struct named *out)
{
	for (unsigned i = 0; !st->foreign && st->drivers[i]; i++) {
		*out = (struct named){.name = name};
		if (name_of_tree(st, name, st->drivers[i], out) ||
			name_of_link(st, name, st->drivers[i], out))
			return true;
	}
	*out = (struct named){.name = name};
	return false;
}

/* The line that is being examined. */
struct look {
	struct ovl_store *st;
	const struct mi_table *t;
	const struct layer_ref *want; /* the requested layer */
	struct named first; /* the upper, or else the first lower */
	bool ours; /* that is a layer of this store */
	bool has_upper;
	bool has_lower;
	/* From the source field: the layer, whose store it is in, and that store,
	 * opened. */
	bool marked;
	struct layer_ref mark;
	enum whose whose;
	int another;
};

static void look_end(struct look *k)
{
	close_fdp(&k->another);
}
#define auto_look __attribute__((cleanup(look_end))) struct look

static struct look read_source(
	struct ovl_store *st, const struct mi_table *t, const struct mi_line *line)
{
	struct look k = {.st = st, .t = t, .whose = UNKNOWN, .another = -1};
	auto_free char *copy = NULL;
	char *root;

	if (strncmp(line->source, mark, sizeof(mark) - 1) != 0)
		return k;
	copy = strdup(line->source + sizeof(mark) - 1);
	k.marked = copy && split_source(st, copy, &root, &k.mark) && root;
	if (k.marked)
		k.whose = whose_root(st, t, root, &k.another);
	return k;
}

static bool has_layer(int store, const struct named *n)
{
	const struct driver *d = n->ref.drv;
	const char *path = *n->link ? P("%s/%s/%s", d->name, d->links, n->link) :
				      P("%s/%s", d->name, n->ref.id.s);

	return fs_exists(store, path) > 0;
}

/*
 * If another store is at the path now, random parts decide: short links, and ids of
 * writable layers. If this store has them and the other does not, the mount is of this
 * store; a copy of a store has all of them.
 */
static bool is_only_ours(
	const struct look *k, int another, enum mi_role role, const struct named *n)
{
	return (*n->link || role == MI_UPPER) && layer_exists(k->st, &n->ref, NULL) > 0 &&
		!has_layer(another, n);
}

static bool is_ours(const struct look *k, enum mi_role role, const struct named *n)
{
	auto_fd other = -1;
	auto_free char *root = strndup(n->name, n->root_len);
	int dir = store_driver_dir(k->st, n->ref.drv, NULL);
	enum whose whose = k->whose;

	if (n->elsewhere) {
		other = root ? open_in(k->t, root) : -1;
		return other >= 0 && fs_is(dir, n->ref.id.s, other) > 0;
	}
	if (whose == UNKNOWN && n->has_root && root)
		whose = whose_root(k->st, k->t, root, &other);
	switch (whose) {
	case OURS: return true;
	case ANOTHERS: return is_only_ours(k, other < 0 ? k->another : other, role, n);
	default: return layer_exists(k->st, &n->ref, NULL) != 0;
	}
}

/* Takes the upper if there is one, or else the first lower. */
static int take_own(void *ctx, enum mi_role role, const char *name)
{
	struct look *k = ctx;

	if (role == MI_LOWER && (k->has_lower || k->has_upper))
		return 0;
	*(role == MI_UPPER ? &k->has_upper : &k->has_lower) = true;
	if (!name_of_layer(k->st, name, &k->first))
		k->first.known = false;
	k->ours = k->first.known && !k->first.other && is_ours(k, role, &k->first);
	k->first.name = NULL;
	return role == MI_UPPER;
}

/* Finds the layer of a mount from the line's source and options, see mounts.h. */
static bool layer_of(struct ovl_store *st, const struct mi_table *t,
	const struct mi_line *line, struct layer_ref *ref)
{
	auto_look k = {.another = -1};

	if (strcmp(line->type, "overlay") != 0)
		return false;
	k = read_source(st, t, line);
	mi_each_dir(line, take_own, &k);
	/* The short link does not exist; the layer may have been removed meanwhile. */
	if (!k.first.known && k.whose == OURS) {
		*ref = k.mark;
		return true;
	}
	*ref = k.first.ref;
	return k.ours;
}

static int is_wanted(void *ctx, enum mi_role role, const char *name)
{
	struct look *k = ctx;
	struct named n;

	return name_of_layer(k->st, name, &n) && n.known &&
		layer_ref_same(&n.ref, k->want) && is_ours(k, role, &n);
}

/* True if an overlay has that layer as its upper or as any of its lowers. */
static bool shows(struct ovl_store *st, const struct mi_table *t,
	const struct mi_line *line, const struct layer_ref *want)
{
	auto_look k = {.another = -1};

	if (strcmp(line->type, "overlay") != 0)
		return false;
	k = read_source(st, t, line);
	k.want = want;
	return mi_each_dir(line, is_wanted, &k) > 0;
}

/*
 * True if the line cannot be a mount that ovlctl made of the layer: such mounts have its
 * id in their source, and of two stores that have the layer, each has its own short
 * links.
 */
static bool is_foreign(struct ovl_store *st, const struct mi_table *t,
	const struct mi_line *line, const struct layer_ref *ref)
{
	auto_look k = {.another = -1};

	if (strcmp(line->type, "overlay") != 0)
		return true;
	k = read_source(st, t, line);
	if (!k.marked || !layer_ref_same(&k.mark, ref))
		return true;
	mi_each_dir(line, take_own, &k);
	return k.whose == ANOTHERS && *k.first.link && !k.first.known &&
		has_layer(k.another, &k.first);
}

/* ---- this namespace --------------------------------------------------------------- */

int mounts_read(struct ovl_store *st, struct mounts *out, struct ovl_err *err)
{
	auto_mounts m = {0};
	auto_mi all = {0};
	int rc;

	memset(out, 0, sizeof(*out));
	if (st->fd < 0)
		return 0;
	rc = mi_self(&all);
	for (size_t i = 0; rc == 0 && i < all.table[0].n; i++) {
		const struct mi_line *line = &all.table[0].line[i];
		struct layer_ref ref;

		if (layer_of(st, &all.table[0], line, &ref))
			rc = mounts_add(&m, line, &ref);
	}
	if (rc < 0)
		return err_sys(err, -rc, "cannot read '/proc/self/mountinfo'");
	*out = steal(m);
	return 0;
}

/* ---- any namespace ---------------------------------------------------------------- */

struct shown {
	struct ovl_store *st;
	struct pathset *ids;
	bool here; /* the store has one of them */
};

static int add_shown(void *ctx, enum mi_role role, const char *name)
{
	struct shown *s = ctx;
	struct named n;

	(void)role;
	if (!name_of_layer(s->st, name, &n) || !n.known)
		return 0;
	s->here = s->here || layer_exists(s->st, &n.ref, NULL) != 0;
	return pathset_add(s->ids, layer_letter(&n.ref), n.ref.id.s, ID_LEN);
}

int mounts_shown(struct ovl_store *st, const struct mi_table *t, struct pathset *ids)
{
	struct shown s = {st, ids, false};
	int rc = 0;

	for (size_t i = 0; i < t->n && rc == 0; i++) {
		if (!s.here) {
			auto_look k = read_source(st, t, &t->line[i]);

			s.here = k.marked && layer_exists(st, &k.mark, NULL) != 0;
		}
		rc = mi_each_dir(&t->line[i], add_shown, &s);
	}
	return rc < 0 ? -ENOMEM : s.here;
}

enum mounts_how mounts_find(struct ovl_store *st, const struct mi_table *t,
	const struct layer_ref *ref, struct buf *where)
{
	enum mounts_how how = MOUNTS_NOT;

	for (size_t i = 0; i < t->n && how != MOUNTS_OWN; i++) {
		struct layer_ref of;
		bool ours;
		bool own;

		if (!shows(st, t, &t->line[i], ref))
			continue;
		ours = layer_of(st, t, &t->line[i], &of);
		own = ours && layer_ref_same(&of, ref);
		/* If ovlctl mounted another layer, that is on top of it in the store, and
		 * prevents its removal anyway. */
		if (!own && (how || (ours && !is_foreign(st, t, &t->line[i], &of))))
			continue;
		how = own ? MOUNTS_OWN : MOUNTS_PART;
		mounts_say(t, &t->line[i], where);
	}
	return how;
}

bool mounts_anothers(struct ovl_store *st, const struct mi_table *t,
	const struct layer_ref *ref, dev_t dev)
{
	char text[32];

	snprintf(text, sizeof(text), "%u:%u", major(dev), minor(dev));
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->line[i].dev, text) == 0 &&
			is_foreign(st, t, &t->line[i], ref))
			return true;
	}
	return false;
}
