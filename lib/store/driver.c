/* SPDX-License-Identifier: ISC */
/* Carries out what the tables of the drivers say: the files in a layer, short links,
 * lowers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "foreign/foreign.h"
#include "store/driver.h"
#include "store/store.h"

const char *layer_tree_name(const struct layer *l)
{
	const char *slash = l->foreign ? strrchr(l->foreign->tree, '/') : NULL;

	if (slash)
		return slash + 1;
	return l->foreign ? l->foreign->tree : l->drv->tree[l->meta.kind];
}

void stack_release(struct stack *s)
{
	free(steal(s->text));
	s->n = 0;
}

int driver_check_depth(
	const struct layer *parent, enum ovl_kind kind, struct ovl_err *err)
{
	/* An image layer is itself a lower of its mounts. */
	unsigned n = parent->meta.lowers + (kind == OVL_IMAGE ? 2 : 1);

	if (parent->drv->flat || n <= parent->drv->max_lowers)
		return 0;
	return err_say(err, E2BIG,
		"the stack would have %u layers, but a mount can have at most %u; "
		"ovlctl-import(8) shows how to join layers",
		n, parent->drv->max_lowers);
}

void driver_place(struct meta *m, const struct layer *parent, bool opaque)
{
	m->has_parent = parent != NULL;
	m->depth = 0;
	m->lowers = 0;
	if (!parent)
		return;
	m->parent = parent->id;
	m->depth = parent->meta.depth + 1;
	if (parent->drv->flat)
		m->lowers = m->kind == OVL_WRITABLE;
	else if (!opaque)
		m->lowers = parent->meta.lowers + 1;
}

bool driver_keeps_mount(const struct layer *l)
{
	return !l->foreign &&
		(l->meta.kind == OVL_WRITABLE || (l->meta.has_parent && !l->drv->flat));
}

static int put(
	int fd, const char *name, const char *data, size_t len, struct ovl_err *err)
{
	if (fs_write_new(fd, name, data, len) < 0)
		return err_sys(err, errno, "cannot write '%s'", name);
	return 0;
}

int driver_seed(
	const struct driver *drv, int fd, const struct seed *how, struct ovl_err *err)
{
	auto_buf lower = {0};
	int rc = drv->link_file ? put(fd, drv->link_file, how->link, SHORT_LEN, err) : 0;

	if (rc == 0 && how->parent)
		rc = drv->new_lower(how, &lower, err);
	if (rc == 0 && lower.len)
		rc = put(fd, drv->lower_file, lower.data, lower.len, err);
	if (rc < 0 || !(how->writable || (how->parent && !drv->flat)))
		return rc;
	if (mkdirat(fd, drv->work, 0700) < 0 || mkdirat(fd, drv->merged, 0700) < 0)
		return err_sys(err, errno, "cannot make the layer's directories");
	return 0;
}

int driver_reseed(
	const struct driver *drv, int fd, const struct layer *parent, struct ovl_err *err)
{
	const struct seed how = {.parent = parent};
	auto_buf lower = {0};
	int rc = drv->new_lower(&how, &lower, err);

	if (rc == 0 && lower.len &&
		fs_replace(fd, drv->lower_file, lower.data, lower.len) < 0)
		rc = err_sys(err, errno, "cannot write '%s'", drv->lower_file);
	return rc;
}

/* ---- short links ------------------------------------------------------------------ */

int driver_publish(const struct driver *drv, int drv_fd, const char *link,
	const struct ovl_id *id, struct ovl_err *err)
{
	if (drv->links &&
		symlinkat(P("../%s/%s", id->s, drv->tree[OVL_IMAGE]), drv_fd,
			P("%s/%s", drv->links, link)) < 0)
		return err_sys(
			err, errno, "cannot make the link '%s/%s'", drv->links, link);
	return 0;
}

int driver_link_of(
	const struct driver *drv, int dirfd, const char *name, char link[SHORT_LEN + 1])
{
	auto_buf text = {0};
	auto_fd fd = -1;

	link[0] = '\0';
	if (!drv->link_file)
		return 0;
	fd = fs_open_beneath(
		dirfd, P("%s/%s", name, drv->link_file), O_RDONLY | O_NONBLOCK);
	if (fd < 0 || fs_read_fd(fd, SHORT_LEN, &text) < 0)
		return errno == ENOENT || errno == EFBIG || errno == EISDIR ? 0 : -errno;
	if (id_is_short(text.data))
		memcpy(link, text.data, SHORT_LEN + 1);
	return 0;
}

/* "../<id>/<tree>" */
static bool parse_link(const struct driver *drv, char *target, struct ovl_id *id)
{
	char *slash = strrchr(target, '/');

	if (!slash || strcmp(slash + 1, drv->tree[OVL_IMAGE]) != 0)
		return false;
	*slash = '\0';
	return strncmp(target, "../", 3) == 0 && id_take(target + 3, id->s);
}

int driver_by_link(
	const struct driver *drv, int drv_fd, const char *link, struct ovl_id *id)
{
	auto_buf target = {0};

	if (fs_readlink(drv_fd, P("%s/%.26s", drv->links, link), 256, &target) < 0) {
		if (fs_is_gone(errno))
			return 0;
		return errno == EINVAL || errno == EFBIG ? -EUCLEAN : -errno;
	}
	return parse_link(drv, target.data, id) ? 1 : -EUCLEAN;
}

int driver_retract(const struct driver *drv, int drv_fd, const char *link,
	const struct ovl_id *id, struct ovl_err *err)
{
	struct ovl_id owner;
	int r = drv->links ? driver_by_link(drv, drv_fd, link, &owner) : 0;

	if (r < 0 && r != -EUCLEAN)
		return err_sys(err, -r, "cannot read the link '%s/%s'", drv->links, link);
	if (r <= 0 || strcmp(owner.s, id->s) != 0)
		return 0;
	if (unlinkat(drv_fd, P("%s/%.26s", drv->links, link), 0) < 0 && errno != ENOENT)
		return err_sys(
			err, errno, "cannot remove the link '%s/%s'", drv->links, link);
	return 0;
}

/* ---- lowers ----------------------------------------------------------------------- */

#define LOWER_MAX ((SHORT_LEN + 3) * OVL_MAX_LOWERS)

int driver_as_lower(const struct layer *l, struct buf *out, struct ovl_err *err)
{
	if (l->foreign)
		buf_adds(out, l->foreign->tree);
	else if (l->drv->links)
		buf_addf(out, "%s/%s", l->drv->links, l->meta.link);
	else
		buf_addf(out, "%s/%s", l->id.s, l->drv->tree[OVL_IMAGE]);
	return out->failed ? err_nomem(err) : 0;
}

/* True if there are as many lowers as .layer says; the one lower of a flat driver is its
 * parent. */
static bool fits(const struct layer *l, const struct stack *s)
{
	return s->n == l->meta.lowers &&
		!(l->drv->flat && strncmp(s->name[0], l->meta.parent.s, ID_LEN) != 0);
}

/* The trees of a layer in another program's store, and those of all layers below it. */
static int foreign_lowers(const struct layer *l, struct stack *out, struct ovl_err *err)
{
	const struct foreign *t = l->st->foreign;
	const struct foreign_layer *f = l->foreign;

	for (;;) {
		for (unsigned i = 0; i < f->n_more; i++)
			out->name[out->n++] = f->more[i];
		if (!*f->parent.s)
			return 0;
		if (f->below == FOREIGN_NONE)
			return err_say(err, EUCLEAN,
				"layer %.12s: its parent %.12s is not in the store",
				f->id.s, f->parent.s);
		f = &t->layer[f->below];
		if (f->fault)
			return err_say(err, EUCLEAN, "layer %.12s cannot be used: %s",
				f->id.s, f->fault);
		out->name[out->n++] = f->tree;
	}
}

int driver_lowers(const struct layer *l, struct stack *out, struct ovl_err *err)
{
	const char *file = l->drv->lower_file;
	auto_buf text = {0};
	int rc;

	memset(out, 0, sizeof(*out));
	if (l->foreign)
		return foreign_lowers(l, out, err);
	/* A layer that a commit has made opaque may still have the file. */
	if (l->meta.kind == OVL_IMAGE && l->meta.lowers == 0)
		return 0;
	if (fs_read_file(l->fd, file, LOWER_MAX, &text) < 0) {
		if (errno == ENOENT && l->meta.lowers == 0)
			return 0;
		return err_see_check(err,
			err_sys(err, errno, "cannot read '%s' of layer %.12s", file,
				l->id.s));
	}
	rc = l->drv->parse_lower(text.data, text.len, out);
	if (rc == -ENOMEM)
		return err_nomem(err);
	if (rc == 0 && fits(l, out))
		return 0;
	stack_release(out);
	return err_see_check(err,
		err_say(err, EUCLEAN, "'%s' of layer %.12s is damaged", file, l->id.s));
}

int driver_parent_of(const struct layer *l, struct ovl_id *id)
{
	auto_buf text = {0};
	auto_stack s = {0};
	int rc;

	if (fs_read_file(l->fd, l->drv->lower_file, LOWER_MAX, &text) < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = l->drv->parse_lower(text.data, text.len, &s);
	if (rc < 0)
		return rc;
	if (l->drv->links)
		return driver_by_link(l->drv, l->drv_fd, strrchr(s.name[0], '/') + 1, id);
	snprintf(id->s, sizeof(id->s), "%s", s.name[0]);
	return 1;
}

/* ---- check ------------------------------------------------------------------------ */

/* 1 if a file of the layer has the content want ("": does not exist), 0 if not, -1 if
 * it cannot be read. */
static int file_is(const struct layer *l, const char *name, const char *want)
{
	auto_buf text = {0};

	if (fs_read_file(l->fd, name, strlen(want) + 1, &text) < 0) {
		if (fs_is_gone(errno))
			return errno == ENOENT && !*want;
		return errno == EFBIG || errno == EINVAL ? 0 : -1;
	}
	return *want && text.len == strlen(want) &&
		memcmp(text.data, want, text.len) == 0;
}

/* Is it a directory? 1, 0, -1 if unknown. */
static int is_dir(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode);
	return errno == ENOENT ? 0 : -1;
}

/* The same. */
static int link_is(const struct layer *l)
{
	struct ovl_id owner;
	int r = driver_by_link(l->drv, l->drv_fd, l->meta.link, &owner);

	if (r < 0 && r != -EUCLEAN)
		return fs_fail(-r);
	return r > 0 && strcmp(owner.s, l->id.s) == 0;
}

/* The same. */
static int is_right(const struct layer *l, enum driver_part part, const char *lower)
{
	const struct driver *drv = l->drv;

	switch (part) {
	case DRV_TREE: return is_dir(l->fd, layer_tree_name(l));
	case DRV_LINK_FILE:
		return !drv->link_file || file_is(l, drv->link_file, l->meta.link);
	case DRV_LINK: return !drv->links || link_is(l);
	case DRV_LOWER: return !lower || file_is(l, drv->lower_file, lower);
	case DRV_WORK: return !driver_keeps_mount(l) || is_dir(l->fd, drv->work);
	default: return !driver_keeps_mount(l) || is_dir(l->fd, drv->merged);
	}
}

static int set_file(const struct layer *l, const char *name, const char *text)
{
	return *text ? fs_replace(l->fd, name, text, strlen(text)) :
		       unlinkat(l->fd, name, 0);
}

static int set_link(const struct layer *l)
{
	const struct driver *drv = l->drv;
	const char *path = P("%s/%s", drv->links, l->meta.link);
	const char *temp = P("%s.new", path);
	int saved;

	if (fs_mkdir(l->drv_fd, drv->links, 0700) < 0 ||
		(unlinkat(l->drv_fd, temp, 0) < 0 && errno != ENOENT) ||
		symlinkat(P("../%s/%s", l->id.s, drv->tree[OVL_IMAGE]), l->drv_fd, temp) <
			0)
		return -1;
	/* An empty directory would be in the way. */
	unlinkat(l->drv_fd, path, AT_REMOVEDIR);
	if (renameat(l->drv_fd, temp, l->drv_fd, path) == 0)
		return 0;
	saved = errno;
	unlinkat(l->drv_fd, temp, 0);
	return fs_fail(saved);
}

static int put_right(const struct layer *l, enum driver_part part, const char *lower)
{
	const struct driver *drv = l->drv;

	switch (part) {
	case DRV_LINK_FILE: return set_file(l, drv->link_file, l->meta.link);
	case DRV_LINK: return set_link(l);
	case DRV_LOWER: return set_file(l, drv->lower_file, lower);
	case DRV_WORK: return fs_mkdir(l->fd, drv->work, 0700);
	default: return fs_mkdir(l->fd, drv->merged, 0700);
	}
}

int driver_check(const struct layer *l, enum driver_part part, const char *lower,
	bool mend, struct ovl_err *err)
{
	int r = is_right(l, part, lower);

	if (r < 0)
		return err_sys(err, errno, "cannot examine layer %.12s", l->id.s);
	if (r > 0 || !mend || part == DRV_TREE)
		return r > 0 ? DRV_RIGHT : DRV_WRONG;
	if (put_right(l, part, lower) < 0)
		return err_sys(err, errno, "cannot repair layer %.12s", l->id.s);
	return DRV_MENDED;
}
