#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "mounts.h"
#include "quote.h"
#include "store.h"

static const char mark[] = "ovlctl:";

/* mount(2) takes a source of less than PATH_MAX. */
#define SOURCE_MAX 4095

void mounts_release(struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->mnt[i].where);
	free(m->mnt);
	m->mnt = NULL;
	m->n = 0;
}

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

/*
 * The root, as seen in the mount's namespace: our store, another store, or no store at
 * all, as when ours was moved.
 */
static enum whose whose_root(
	const struct ovl_store *st, const char *prefix, const char *root)
{
	auto_buf path = {0};
	struct stat there;
	struct stat here;

	if (*root != '/' && *root)
		return UNKNOWN;
	buf_addf(&path, "%s%s", prefix, *root ? root : "/");
	if (path.failed || fstat(st->fd, &here) < 0 || stat(path.data, &there) < 0)
		return UNKNOWN;
	if (there.st_dev == here.st_dev && there.st_ino == here.st_ino)
		return OURS;
	buf_adds(&path, "/" STORE_STAMP);
	return !path.failed && stat(path.data, &there) == 0 ? ANOTHERS : UNKNOWN;
}

/*
 * Takes "<root>/<driver>/<id>" apart. The part before the id may be missing, as it is
 * in a name relative to the driver's directory: *root is NULL then.
 */
static bool split(char *path, char **root, struct layer_ref *ref)
{
	char *id = strrchr(path, '/');
	char *driver;

	if (!id_is_full(id ? id + 1 : path))
		return false;
	memcpy(ref->id.s, id ? id + 1 : path, ID_LEN + 1);
	*root = NULL;
	if (!id)
		return true;
	*id = '\0';
	driver = strrchr(path, '/');
	ref->drv = driver_find(driver ? driver + 1 : path);
	if (!ref->drv)
		return false;
	if (driver) {
		*driver = '\0';
		*root = path;
	}
	return true;
}

/* What the name of a directory in overlay's options says. */
struct named {
	bool known;
	enum whose whose; /* if it is absolute */
	struct layer_ref ref;
};

/* "[[<root>/]<driver>/]<id>/<tree>" */
static bool name_of_tree(const struct ovl_store *st, const struct mi_table *t,
	const char *name, const char *const tree[2], struct named *out)
{
	auto_free char *copy = strdup(name);
	char *slash = copy ? strrchr(copy, '/') : NULL;
	char *root;

	if (!slash ||
		(strcmp(slash + 1, tree[OVL_IMAGE]) != 0 &&
			strcmp(slash + 1, tree[OVL_WRITABLE]) != 0))
		return false;
	*slash = '\0';
	if (!split(copy, &root, &out->ref))
		return false;
	out->known = true;
	out->whose = root ? whose_root(st, t->prefix, root) : UNKNOWN;
	return true;
}

/* "[<root>/<driver>/]<links>/<short id>" */
static bool name_of_link(struct ovl_store *st, const struct mi_table *t, const char *name,
	const struct driver *drv, struct named *out)
{
	auto_free char *copy = strdup(name);
	char *link = copy ? strrchr(copy, '/') : NULL;
	char *dir = NULL;
	char *root;
	int drv_fd = store_driver_dir(st, drv, NULL);

	if (!link || !drv->links || !id_is_short(link + 1))
		return false;
	*link++ = '\0';
	dir = strrchr(copy, '/');
	if (strcmp(dir ? dir + 1 : copy, drv->links) != 0)
		return false;
	out->ref.drv = drv;
	out->known = drv_fd >= 0 && drv->by_link(drv_fd, link, &out->ref.id) == 1;
	out->whose = UNKNOWN;
	if (!dir)
		return true;
	*dir = '\0';
	root = strrchr(copy, '/');
	if (root && strcmp(root + 1, drv->name) == 0) {
		*root = '\0';
		out->whose = whose_root(st, t->prefix, copy);
	}
	return true;
}

static bool name_of_layer(struct ovl_store *st, const struct mi_table *t,
	const char *name, struct named *out)
{
	for (const struct driver *const *d = driver_list; *d; d++) {
		out->ref.drv = *d;
		if (name_of_tree(st, t, name, (*d)->tree, out) ||
			name_of_link(st, t, name, *d, out))
			return true;
	}
	return false;
}

/* The first of names that a ':' separates; "\:" is a colon of the name. */
static void cut_first(char *names)
{
	char *out = names;

	for (; *names && *names != ':'; names++) {
		if (*names == '\\' && names[1])
			names++;
		*out++ = *names;
	}
	*out = '\0';
}

/* The upper if it is a layer's, else the first lower. */
static bool named_by_options(struct ovl_store *st, const struct mi_table *t,
	const struct mi_line *line, struct named *out)
{
	auto_free char *copy = strdup(line->options);
	char *rest = copy;
	char *lower = NULL;
	char *option;

	while ((option = strsep(&rest, ","))) {
		char *value = strchr(option, '=');

		if (!value)
			continue;
		*value++ = '\0';
		mi_unescape(value);
		if (strcmp(option, "upperdir") == 0) {
			if (name_of_layer(st, t, value, out))
				return true;
		} else if (!lower && strcmp(option, "lowerdir") == 0) {
			cut_first(value);
			lower = value;
		} else if (!lower && strcmp(option, "lowerdir+") == 0) {
			lower = value;
		}
	}
	return lower && name_of_layer(st, t, lower, out);
}

bool mounts_layer_of(struct ovl_store *st, const struct mi_table *t,
	const struct mi_line *line, struct layer_ref *ref)
{
	struct named by_options = {.whose = UNKNOWN};
	enum whose whose = UNKNOWN;
	struct layer_ref by_source;
	char *root;

	if (strcmp(line->type, "overlay") != 0 ||
		!named_by_options(st, t, line, &by_options))
		return false;
	if (strncmp(line->source, mark, sizeof(mark) - 1) == 0) {
		auto_free char *copy = strdup(line->source + sizeof(mark) - 1);

		if (copy && split(copy, &root, &by_source) && root) {
			whose = whose_root(st, t->prefix, root);
			/* The link is gone, as when the layer was removed meanwhile. */
			if (!by_options.known && whose == OURS) {
				by_options.known = true;
				by_options.ref = by_source;
			}
		}
	}
	if (whose == UNKNOWN)
		whose = by_options.whose;
	*ref = by_options.ref;
	return by_options.known &&
		(whose == OURS || (whose == UNKNOWN && layer_exists(st, ref, NULL) != 0));
}

/* ---- this namespace --------------------------------------------------------------- */

static int add(struct mounts *m, const struct mi_line *l, const struct layer_ref *ref)
{
	struct mnt *mnt = realloc(m->mnt, (m->n + 1) * sizeof(*mnt));
	unsigned major;
	unsigned minor;

	if (!mnt)
		return -ENOMEM;
	m->mnt = mnt;
	mnt += m->n;
	*mnt = (struct mnt){.mnt_id = l->id};
	if (sscanf(l->dev, "%u:%u", &major, &minor) == 2)
		mnt->dev = makedev(major, minor);
	mnt->layer = *ref;
	mnt->where = strdup(l->where);
	if (!mnt->where)
		return -ENOMEM;
	m->n++;
	return 0;
}

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

		if (mounts_layer_of(st, &all.table[0], line, &ref))
			rc = add(&m, line, &ref);
	}
	if (rc < 0)
		return err_sys(err, -rc, "cannot read '/proc/self/mountinfo'");
	*out = m;
	memset(&m, 0, sizeof(m));
	return 0;
}

/* ---- all namespaces --------------------------------------------------------------- */

int mounts_everywhere(struct mi_all *out, struct ovl_err *err)
{
	int rc = mi_everywhere(out);

	return rc < 0 ? err_sys(err, -rc, "cannot read '/proc/self/mountinfo'") : 0;
}

static int say_where(
	const struct mi_table *t, const struct mi_line *line, struct buf *where)
{
	buf_clear(where);
	buf_addf(where, "%s%s", Q(line->where), t->whose);
	return 1;
}

int mounts_find(struct ovl_store *st, const struct mi_all *all,
	const struct layer_ref *ref, struct buf *where)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct mi_table *t = &all->table[i];

		for (size_t k = 0; k < t->n; k++) {
			struct layer_ref of;

			if (mounts_layer_of(st, t, &t->line[k], &of) &&
				of.drv == ref->drv && strcmp(of.id.s, ref->id.s) == 0)
				return say_where(t, &t->line[k], where);
		}
	}
	return 0;
}

/* A file of a file system, which may be mounted in many places. */
struct file {
	char *path; /* in that file system */
	const char *dev;
};

/* What is found at path below mount m. */
static bool file_at(const struct mi_line *m, const char *path, struct file *out)
{
	const char *rest = mi_below(path, m->where);
	auto_buf b = {0};

	if (!rest)
		return false;
	buf_addf(&b, "%s%s", strcmp(m->root, "/") == 0 ? "" : m->root, rest);
	out->dev = m->dev;
	out->path = buf_steal(&b);
	return out->path;
}

static bool is_below(const struct mi_table *t, const struct mi_line *line,
	const char *text, const struct file *dir)
{
	const struct mi_line *parent = mi_by_id(t, line->parent);
	struct file at;
	bool yes;

	/* Where the mount that one of them lies on cannot be seen, paths must do. */
	if (!parent || !dir->path)
		return mi_below(line->where, text) != NULL;
	if (strcmp(parent->dev, dir->dev) != 0 || !file_at(parent, line->where, &at))
		return false;
	yes = mi_below(at.path, dir->path) != NULL;
	free(at.path);
	return yes;
}

int mounts_below(const struct layer *l, const struct mi_all *all, struct buf *where)
{
	const struct mi_line *on = NULL;
	struct file dir = {0};
	auto_buf text = {0};
	struct statx sx;
	int found = 0;

	buf_addf(&text, "%s/%s/%s", strcmp(l->st->root, "/") == 0 ? "" : l->st->root,
		l->drv->name, l->id.s);
	if (text.failed)
		return -ENOMEM;
	if (statx(l->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) == 0)
		on = mi_by_id(&all->table[0], (int)sx.stx_mnt_id);
	if (on)
		file_at(on, text.data, &dir);
	for (size_t i = 0; i < all->n && !found; i++) {
		const struct mi_table *t = &all->table[i];

		for (size_t k = 0; k < t->n && !found; k++) {
			if (is_below(t, &t->line[k], text.data, &dir))
				found = say_where(t, &t->line[k], where);
		}
	}
	free(dir.path);
	return found;
}
