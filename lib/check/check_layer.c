/* SPDX-License-Identifier: ISC */
/* Checks one layer: its parents, links, names and the driver's files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/holder.h"
#include "base/quote.h"
#include "base/vec.h"
#include "check/check.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/ondir.h"
#include "store/names.h"
#include "tar/recipe.h"

/* The short ids of a layer's lowers, according to the metadata of its parents. */
struct lineage {
	unsigned n;
	char link[OVL_MAX_LOWERS][SHORT_LEN + 1];
	bool cut; /* what is below an opaque layer is no lower */
	bool broken; /* a parent is missing or cannot be read */
};

int check_order(const void *a, const void *b)
{
	const struct check_known *x = a;
	const struct check_known *y = b;
	int order;

	if (x->meta.depth != y->meta.depth)
		return x->meta.depth < y->meta.depth ? -1 : 1;
	order = strcmp(x->ref.id.s, y->ref.id.s);
	return order ? order : strcmp(x->ref.drv->name, y->ref.drv->name);
}

/* up: the parent of at, both with the layer's driver. */
static void add_parent(struct lineage *way, const struct driver *drv,
	const struct meta *at, const struct meta *up)
{
	/* Only the tar of an image layer can be opaque. */
	way->cut |= at->kind == OVL_IMAGE && (at->lowers == 0 || drv->flat);
	if (!way->cut && way->n < OVL_MAX_LOWERS)
		memcpy(way->link[way->n++], up->link, SHORT_LEN + 1);
}

/* From what was read when the check began: each parent is read once for all layers. */
static void recall_parents(
	const struct checker *c, const struct layer *l, struct lineage *out)
{
	struct check_known key = {.ref.drv = l->drv};
	const struct meta *at = &l->meta;

	*out = (struct lineage){0};
	while (at->has_parent) {
		const struct check_known *up;

		key.ref.id = at->parent;
		key.meta.depth = at->depth - 1;
		up = at->depth ? VEC_FIND(c->known, c->n_known, &key, check_order) : NULL;
		out->broken = !up;
		if (!up)
			return;
		add_parent(out, l->drv, at, &up->meta);
		at = &up->meta;
	}
}

/* True if it is what the layer's files say. */
static bool fits(const struct layer *l, const struct lineage *way)
{
	auto_buf lower = {0};

	buf_add(&lower, "", 0);
	l->drv->lower_text(l, way->link, way->n, &lower);
	return !way->broken && l->meta.lowers == way->n && !lower.failed &&
		driver_check(l, DRV_LOWER, lower.data, false, NULL) == DRV_RIGHT;
}

static int follow_parents(struct checker *c, const struct layer *l, struct lineage *out)
{
	struct layer_ref ref = {.drv = l->drv};
	struct meta at = l->meta;
	struct ovl_id mark = l->id; /* id of an earlier layer */
	unsigned steps = 0;

	*out = (struct lineage){0};
	while (at.has_parent) {
		auto_layer up = LAYER_INIT;
		int rc;

		/* Brent's algorithm: the mark is moved at each power of two, so it
		 * enters any loop and is then met again. */
		if (strcmp(at.parent.s, mark.s) == 0) {
			out->broken = true;
			return check_fault(c, "loop", l->id.s, "its parents form a loop");
		}
		ref.id = at.parent;
		rc = layer_open_ref(c->st, &ref, 0, ref.id.s, &up, c->err);
		if (rc < 0) {
			out->broken = true;
			if (err_is_system(rc) && rc != -EIO)
				return rc;
			if (steps)
				return 0; /* reported with the parent */
			if (rc == -EIO)
				return check_fault(c, "parent", l->id.s, "its parent: %s",
					c->err->text);
			return check_fault(c, "parent", l->id.s,
				c->err->status == OVL_NOLAYER ?
					"its parent %.12s is missing" :
					"its parent %.12s is damaged",
				at.parent.s);
		}
		steps++;
		if ((steps & (steps - 1)) == 0)
			mark = ref.id;
		add_parent(out, l->drv, &at, &up.meta);
		at = up.meta;
	}
	return 0;
}

/* Corrects a number that the parents determine. */
static int fix_up(struct checker *c, struct layer *l, unsigned *have, unsigned want,
	const char *what)
{
	unsigned was = *have;

	*have = want;
	if (c->req->repair && meta_replace(l->fd, &l->meta, c->err) < 0)
		return -EIO;
	return check_found(c, OVL_ERROR, "meta", l->id.s, "", c->req->repair,
		"its .layer has the %s %u, but its parents give %u", what, was, want);
}

static int check_on_dir(struct checker *c, const struct layer *l)
{
	auto_ondir on = ONDIR_INIT;
	struct ovl_err why;
	int rc = l->meta.on_dir ? ondir_read(l->fd, &on, &why) : 0;

	return rc < 0 ? check_fault(c, "meta", l->id.s,
				"%s, which says what directory it is on", why.text) :
			0;
}

static int check_numbers(struct checker *c, struct layer *l, const struct lineage *way)
{
	struct ovl_id chain;
	int rc = 0;

	if (l->meta.lowers != way->n)
		rc = fix_up(c, l, &l->meta.lowers, way->n, "lower layers");
	if (rc || l->meta.kind != OVL_IMAGE)
		return rc;
	rc = digest_chain(l->meta.has_parent ? l->meta.parent.s : NULL, l->meta.diff_id,
		&chain, c->err);
	if (rc == 0 && strcmp(chain.s, l->id.s) != 0)
		rc = check_fault(c, "id", l->id.s,
			"its parent and diff id give the chain id %.12s", chain.s);
	return rc;
}

/* Without a hint in the parent, a removal of the parent would not notice this child. */
static int check_parent(struct checker *c, struct layer *l)
{
	auto_layer parent = LAYER_INIT;
	bool mended;
	int there;
	int rc = 0;

	if (!l->meta.has_parent || layer_open_parent(l, 0, &parent, NULL) < 0)
		return 0;
	if (l->meta.depth != parent.meta.depth + 1)
		rc = fix_up(c, l, &l->meta.depth, parent.meta.depth + 1, "depth");
	there = rc ? rc : layer_has_hint(&parent, &l->id, c->err);
	if (rc || there)
		return rc || there < 0 ? there : 0;
	mended = c->req->repair && layer_add_child(&parent, &l->id, NULL) >= 0;
	return check_found(c, OVL_ERROR, "hint", l->id.s, "", mended,
		"its parent %.12s has no record of it", l->meta.parent.s);
}

/* True if its short link leads to another layer with the same short id. */
static bool is_link_of_other(const struct layer *l)
{
	struct layer_ref ref = {.drv = l->drv};
	auto_layer other = LAYER_INIT;

	return driver_by_link(l->drv, l->drv_fd, l->meta.link, &ref.id) == 1 &&
		strcmp(ref.id.s, l->id.s) != 0 &&
		layer_open_ref(l->st, &ref, 0, ref.id.s, &other, NULL) == 0 &&
		strcmp(other.meta.link, l->meta.link) == 0;
}

struct fault {
	const char *kind;
	const char *text;
	const char *name; /* the file that is at fault */
};

/* Sets a directory aside that is in the place of a file (EISDIR), or the reverse. */
static int make_way(struct checker *c, const struct layer *l, bool link,
	const struct fault *f, int why)
{
	auto_fd in = fs_open_dir(link ? l->drv_fd : l->fd, link ? l->drv->links : ".");

	return in < 0 ? why :
			check_set_aside(c, f->kind, l->id.s, in, f->name,
				P("%s.%.12s", l->drv->name, l->id.s),
				P("'%s' is %s directory", f->name,
					why == -EISDIR ? "a" : "not a"));
}

static int check_part(struct checker *c, const struct layer *l, enum driver_part part,
	const char *lower)
{
	const struct driver *drv = l->drv;
	const struct fault fault[] = {
		[DRV_TREE] = {"tree", "its tree is missing", layer_tree_name(l)},
		[DRV_LINK_FILE] = {"link-file", "its file 'link' is missing or wrong",
			drv->link_file},
		[DRV_LINK] = {"link", "its short link is missing or leads elsewhere",
			l->meta.link},
		[DRV_LOWER] = {"lower",
			P("its file '%s' is missing or wrong", drv->lower_file),
			drv->lower_file},
		[DRV_WORK] = {"work", "its work directory is missing", drv->work},
		[DRV_MERGED] = {"merged", "its mount point is missing", drv->merged},
	};
	bool mend = c->req->repair && !(part == DRV_LINK && is_link_of_other(l));
	int r = driver_check(l, part, lower, mend, c->err);

	if (r == -EISDIR || r == -ENOTDIR) {
		r = make_way(c, l, part == DRV_LINK, &fault[part], r);
		r = r ? r : driver_check(l, part, lower, mend, c->err);
	}
	if (r < 0 || r == DRV_RIGHT)
		return r < 0 ? r : 0;
	return check_found(c, OVL_ERROR, fault[part].kind, l->id.s, "", r == DRV_MENDED,
		"%s", fault[part].text);
}

/* Checks the driver's files. */
static int check_driver(
	struct checker *c, const struct layer *l, const struct lineage *way)
{
	bool known = !way->broken || l->drv->flat;
	auto_buf lower = {0};
	int rc = 0;

	buf_add(&lower, "", 0);
	l->drv->lower_text(l, way->link, way->n, &lower);
	if (lower.failed)
		return err_nomem(c->err);
	for (int part = 0; part < DRV_PARTS && rc == 0; part++)
		rc = check_part(c, l, part, known ? lower.data : NULL);
	return rc;
}

struct losing {
	struct checker *c;
	const struct layer *l;
};

static int report_lost_name(void *ctx, const char *name)
{
	const struct losing *x = ctx;
	struct checker *c = x->c;
	bool repair = c->req->repair;
	int rc = names_is_lost(x->l, name, repair, c->err);

	if (rc <= 0)
		return rc;
	return check_found(c, repair ? OVL_ERROR : OVL_NOTE, "lost-name", x->l->id.s, "",
		repair,
		repair ? "its name %s was missing from 'names'" :
			 "its name %s is missing from 'names'; 'check --repair' restores "
			 "it",
		Q(name));
}

static int check_open(struct checker *c, struct layer *l, bool content)
{
	struct lineage way;
	int rc = 0;

	recall_parents(c, l, &way);
	if (!fits(l, &way))
		rc = follow_parents(c, l, &way);
	/* The commit has not cleaned its tree and moved its files to their places yet. */
	if (rc == 0 && becoming_unfinished(&l->meta)) {
		rc = check_found(c, OVL_NOTE, "commit", l->id.s, "", false,
			"the commit that made it was killed; the next command that uses it "
			"finishes it%s",
			content ? "; its content was not checked" : "");
		content = false;
	} else if (rc == 0) {
		rc = check_driver(c, l, &way);
	}
	if (rc == 0 && !way.broken)
		rc = check_numbers(c, l, &way);
	if (rc == 0)
		rc = check_parent(c, l);
	if (rc == 0)
		rc = check_on_dir(c, l);
	if (rc == 0)
		rc = names_each_lost(l, report_lost_name, &(struct losing){c, l}, c->err);
	if (rc < 0 || l->meta.kind != OVL_IMAGE)
		return rc;
	rc = fs_exists(l->fd, RECIPE_NAME);
	if (rc < 0)
		return err_sys(c->err, errno, "cannot look up its '%s'", RECIPE_NAME);
	if (!rc)
		return check_fault(c, "recipe", l->id.s,
			"'%s' is missing: its tar cannot be written", RECIPE_NAME);
	return content && !way.broken ? check_content(c, l) : 0;
}

/*
 * A layer that is checked without a lock may be in the course of a commit or a repair: a
 * fault counts if it still exists a moment later and the layer was not locked either
 * time. 1: a process keeps it locked, and will leave it intact, or a later check finds
 * the fault.
 */
static int confirm(struct checker *c, struct layer *l)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	struct meta meta = l->meta;
	struct ovl_err why;
	char who[HOLDER_SIZE];
	int sure = 0;
	int rc = 0;

	for (int i = 0; i < 50 && rc == 0; i++) {
		report_release(&c->later);
		/* A commit may have ended since .layer was read. */
		(void)becoming_meta(l->fd, l->id.s, &meta, &why);
		l->meta = meta;
		rc = check_open(c, l, false);
		l->meta = meta; /* which the check corrects */
		if (!c->later.n)
			break;
		sure = holder_of(l->fd, true, false, who) ? 0 : sure + 1;
		if (sure == 2)
			break;
		nanosleep(&pause, NULL);
	}
	return rc == 0 && c->later.n && sure < 2 ? 1 : rc;
}

/* A finding counts if the layer still exists at the end: one that is being removed
 * lacks files. */
static int look(struct checker *c, struct layer *l)
{
	bool locked = c->req->repair;
	bool gone;
	int rc;

	c->holding = true;
	rc = locked ? 0 : confirm(c, l);
	if (rc == 0 && (locked || c->req->content)) {
		report_release(&c->later);
		c->unlocked = locked ? NULL : l;
		rc = check_open(c, l, c->req->content);
		c->unlocked = NULL;
	}
	gone = rc == 1 || (!locked && fs_is(l->drv_fd, l->id.s, l->fd) == 0);
	layer_close(l);
	if (gone && !c->ended) {
		check_drop_held(c);
		return 0;
	}
	rc = check_flush(c, rc);
	/* -ENAMETOOLONG, -E2BIG: beyond the limits of the check. */
	return (rc == -EIO || rc == -ENAMETOOLONG || rc == -E2BIG) && !c->ended ?
		check_unreadable(c, l->id.s) :
		rc;
}

int check_layer(struct checker *c, const struct layer_ref *ref)
{
	int op = c->req->repair ? LOCK_EX : 0;
	auto_layer l = LAYER_INIT;
	int rc = layer_open_ref(c->st, ref, op, ref->id.s, &l, c->err);

	/* Was it being removed when it was opened? */
	if (rc < 0 && !op && meta_is_damage(rc))
		rc = layer_open_ref(c->st, ref, op, ref->id.s, &l, c->err);
	if (rc == 0)
		return look(c, &l);
	if (c->err->status == OVL_NOLAYER)
		return 0; /* removed meanwhile */
	if (c->err->status == OVL_BUSY) {
		c->result |= OVL_CHECK_NOT;
		return check_found(c, OVL_NOTE, "busy", ref->id.s, "", false,
			"another process is using it: not checked");
	}
	/* What could not be read may be intact. */
	if (!meta_is_damage(rc))
		return rc == -EIO ? check_unreadable(c, ref->id.s) : rc;
	return c->req->repair ? check_put_aside(c, ref) :
				check_fault(c, "meta", ref->id.s,
					"its file .layer is missing or damaged");
}
