/* SPDX-License-Identifier: ISC */
/*
 * The root of containerd, with its overlayfs snapshotter:
 *
 *	io.containerd.metadata.v1.bolt/meta.db			by namespace: images,
 *			snapshots (name: that of the snapshotter), containers
 *	io.containerd.snapshotter.v1.overlayfs/metadata.db	snapshots, by that name
 *	io.containerd.snapshotter.v1.overlayfs/snapshots/<id>/fs	trees
 *	io.containerd.content.v1.content/blobs/sha256/<digest>	manifests, configs, layers
 *
 * The key of an unpacked image layer is its chain id. Each namespace has snapshots of its
 * own, so a layer may be there several times; it is one layer here.
 *
 * meta.db is read first: a snapshot that it knows has been in metadata.db before, and is
 * removed from that later. One that it does not know is just made, or about to be removed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/vec.h"
#include "foreign/foreign_containerd.h"

#define SNAPSHOTTER "io.containerd.snapshotter.v1.overlayfs"
#define TREES       SNAPSHOTTER "/snapshots"
#define SNAPSHOTS   SNAPSHOTTER "/metadata.db"
#define META        "io.containerd.metadata.v1.bolt/meta.db"

#define KEY_MAX 1024 /* containerd's own are far shorter */

enum { KIND_VIEW = 1, KIND_ACTIVE = 2, KIND_COMMITTED = 3 };

static int recognise(int root)
{
	return foreign_has(root, SNAPSHOTS);
}

static struct bytes key_of(const struct bolt_item *i)
{
	return (struct bytes){i->key, i->key_len};
}

static struct bytes value_of(const struct bolt_item *i)
{
	return (struct bytes){(const char *)i->value, i->len};
}

/* ---- snapshots -------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return ctrd_order(
		((const struct snapshot *)a)->name, ((const struct snapshot *)b)->name);
}

static struct snapshot *named(const struct reading *c, struct bytes name)
{
	const struct snapshot key = {.name = name};

	return name.n ? VEC_FIND(c->snap, c->n_snaps, &key, by_name) : NULL;
}

static int by_id(const void *a, const void *b)
{
	const struct snapshot *x = a;
	const struct snapshot *y = b;
	int r = id_order(&x->id, &y->id);

	return r ? r : (x->number > y->number) - (x->number < y->number);
}

static void read_value(struct snapshot *s, const struct bolt_item *i)
{
	if (bolt_is(i, "id"))
		s->number = foreign_bolt_uvarint(i);
	else if (bolt_is(i, "kind"))
		s->kind = foreign_bolt_uvarint(i);
	else if (bolt_is(i, "parent"))
		s->parent = value_of(i);
	else if (bolt_is(i, "size"))
		s->size = foreign_bolt_varint(i);
	else if (bolt_is(i, "createdat"))
		s->created = foreign_bolt_time(i);
}

static int add_snapshot(
	void *ctx, struct bolt *b, const struct bolt_item *bucket, struct ovl_err *err)
{
	struct reading *c = ctx;
	struct snapshot s = {.name = key_of(bucket), .size = -1};
	struct ovl_err why;
	struct bolt_item i;
	struct bolt_walk w;
	int rc = bolt_walk(&w, b, bucket, err);

	while (rc >= 0 && (rc = bolt_next(&w, &i, err)) > 0)
		read_value(&s, &i);
	if (rc < 0)
		return rc;
	if (c->n_snaps == CTRD_MAX || s.name.n > KEY_MAX)
		return err_say(err, E2BIG, "'" SNAPSHOTS "' has %s",
			s.name.n > KEY_MAX ? "a key that is too long" :
					     "too many snapshots");
	if (!VEC_ROOM(c->snap, c->n_snaps))
		return err_nomem(err);
	/* Numbers begin with 1. Without one, any directory may belong to it. */
	if (!s.number) {
		err_say(&why, EUCLEAN, "a snapshot in '" SNAPSHOTS "' has no number");
		foreign_unread(c->t, &why);
	}
	c->snap[c->n_snaps++] = s;
	return 0;
}

/* Gives a snapshot the key by which a namespace refers to it. */
static int add_key(
	void *ctx, struct bolt *b, const struct bolt_item *bucket, struct ovl_err *err)
{
	struct reading *c = ctx;
	struct bolt_item name;
	int rc = bolt_find(b, bucket, "name", &name, err);
	struct snapshot *s = rc > 0 ? named(c, value_of(&name)) : NULL;

	if (s && !s->key.p && bucket->key_len <= KEY_MAX) {
		s->space = c->space;
		s->key = key_of(bucket);
	}
	return rc < 0 ? rc : 0;
}

/* The layer of a container gets the container's id, if that is a valid id. */
static void set_id(struct reading *c, struct snapshot *s)
{
	struct ovl_err why;

	if (s->kind == KIND_COMMITTED && ctrd_digest(s->key, s->id.s))
		return;
	if (s->key.n == ID_LEN)
		memcpy(s->id.s, s->key.p, ID_LEN);
	if (!id_is_full(s->id.s) && digest_bytes(s->name.p, s->name.n, s->id.s, &why) < 0)
		c->t->failed = true;
}

/* A view is a mount of its parent, to which its own directory adds nothing. */
static void add_view(struct reading *c, const struct snapshot *s, const char *dir)
{
	foreign_add_claim(c->t, dir, "a view of its parent");
	foreign_add_name(c->t, ctrd_text(c, s->key), &s->below)->listed = false;
}

/* Another namespace has a directory of its own for the same layer. */
static void add_same(struct reading *c, const struct snapshot *s, const char *dir)
{
	foreign_add_claim(c->t, dir, "another namespace");
	foreign_add_name(c->t, strrchr(dir, '/') + 1, &s->id)->listed = false;
}

/* A layer of a container of Docker is on one with its mount points, as with overlay2. */
static bool is_init(const struct snapshot *s)
{
	static const char tail[] = "-init";

	return s->kind == KIND_COMMITTED && s->key.n == ID_LEN + sizeof(tail) - 1 &&
		memcmp(s->key.p + ID_LEN, tail, sizeof(tail) - 1) == 0;
}

static void set_below(const struct reading *c, struct snapshot *s)
{
	const struct snapshot *p = named(c, s->parent);

	if (p && is_init(p)) {
		s->init = p->number;
		s->parent = p->parent;
		p = named(c, p->parent);
	}
	if (p)
		s->below = p->id;
}

/* Sorts the snapshots by id, without those that are not layers. */
static void set_ids(struct reading *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_snaps; i++)
		set_id(c, &c->snap[i]);
	for (size_t i = 0; i < c->n_snaps; i++)
		set_below(c, &c->snap[i]);
	VEC_SORT(c->snap, c->n_snaps, by_id);
	for (size_t i = 0; i < c->n_snaps; i++) {
		const struct snapshot *s = &c->snap[i];
		const char *dir = P(TREES "/%" PRIu64, s->number);

		if (!s->key.p)
			foreign_add_claim(c->t, dir, "not, or no longer, in " META);
		else if (s->kind == KIND_VIEW)
			add_view(c, s, dir);
		else if (is_init(s))
			foreign_add_claim(c->t, dir, "an init layer");
		else if (n && id_order(&c->snap[n - 1].id, &s->id) == 0)
			add_same(c, s, dir);
		else
			c->snap[n++] = *s;
	}
	c->n_snaps = n;
}

/* ---- names ------------------------------------------------------------------------ */

/* Finds the value of key in the bucket with that name, like bolt_find(). */
static int find_in(struct bolt *b, const struct bolt_item *bucket, const char *name,
	const char *key, struct bolt_item *out, struct ovl_err *err)
{
	struct bolt_item inner;
	int rc = bolt_find(b, bucket, name, &inner, err);

	if (rc <= 0 || !inner.bucket)
		return rc < 0 ? rc : 0;
	return bolt_find(b, &inner, key, out, err);
}

static int add_image(
	void *ctx, struct bolt *b, const struct bolt_item *bucket, struct ovl_err *err)
{
	struct ref r = {.name = key_of(bucket)};
	struct bolt_item digest;
	int rc = find_in(b, bucket, "target", "digest", &digest, err);

	if (rc > 0 && ctrd_digest(value_of(&digest), r.target))
		return ctrd_ref(ctx, r, err);
	return rc < 0 ? rc : 0;
}

static struct bytes joined(struct reading *c, struct bytes pod, struct bytes name)
{
	const char *text = foreign_text(
		c->t, "%s/%s", ctrd_text(c, pod), ctrd_text(c, name));

	return (struct bytes){text, strlen(text)};
}

/* The name that nerdctl or Kubernetes gave a container, whose id the snapshot has too. */
static int add_container(
	void *ctx, struct bolt *b, const struct bolt_item *bucket, struct ovl_err *err)
{
	static const char *const labels[] = {
		"nerdctl/name", "io.kubernetes.container.name", "io.kubernetes.pod.name"};
	struct bolt_item l[3];
	struct ref r = {0};
	int rc = 0;
	int i;

	for (i = 0; i < 3 && rc == 0; i++)
		rc = find_in(b, bucket, "labels", labels[i], &l[i], err);
	if (rc <= 0 || bucket->key_len != ID_LEN)
		return rc < 0 ? rc : 0;
	memcpy(r.id.s, bucket->key, ID_LEN);
	r.name = value_of(&l[i - 1]);
	if (i == 2 && find_in(b, bucket, "labels", labels[2], &l[2], err) > 0 &&
		l[1].len + l[2].len <= REF_MAX)
		r.name = joined(ctx, value_of(&l[2]), r.name);
	return ctrd_ref(ctx, r, err);
}

/* ---- all of it -------------------------------------------------------------------- */

static void add_layer(struct reading *c, const struct snapshot *s)
{
	struct foreign *t = c->t;
	struct foreign_layer *l = foreign_add_layer(t);
	const char *blob = P(CTRD_BLOBS "/%s", s->blob);

	l->id = s->id;
	l->parent = s->below;
	l->kind = s->kind == KIND_ACTIVE ? OVL_WRITABLE : OVL_IMAGE;
	l->tree = foreign_text(t, TREES "/%" PRIu64 "/fs", s->number);
	l->own_id = foreign_text(t, "%" PRIu64, s->number);
	l->size = s->size;
	l->created = s->created;
	memcpy(l->diff_id, s->diff_id, sizeof(l->diff_id));
	/* If that cannot be known, whoever opens it will say why. */
	if (*s->blob && foreign_has(t->root, blob) != 0) {
		l->exact = FOREIGN_BLOB;
		l->exact_path = foreign_text(t, "%s", blob);
	}
	if (s->init)
		foreign_add_more(t, l, P(TREES "/%" PRIu64 "/fs", s->init));
	if (s->parent.n && !*s->below.s)
		l->fault = "its parent is missing";
	else if (s->kind != KIND_ACTIVE && s->kind != KIND_COMMITTED)
		l->fault = "its record is of an unknown kind";
	foreign_add_name(t, l->own_id, &s->id)->listed = false;
}

/* Calls fn for each bucket of that kind in all namespaces. */
struct spaces {
	struct reading *c;
	const char *const *kind;
	foreign_bolt_fn *fn;
};

static int in_space(
	void *ctx, struct bolt *b, const struct bolt_item *bucket, struct ovl_err *err)
{
	const struct spaces *s = ctx;

	s->c->space = key_of(bucket);
	return foreign_bolt_each(b, bucket, s->kind, s->fn, s->c, err);
}

static int each(struct reading *c, const char *const *kind, foreign_bolt_fn *fn,
	struct ovl_err *err)
{
	static const char *const top[] = {"v1", NULL};
	struct spaces s = {c, kind, fn};

	return foreign_bolt_each(&c->meta, NULL, top, in_space, &s, err);
}

static const char *const all_snaps[] = {"v1", "snapshots", NULL};
static const char *const snapshots[] = {"snapshots", "overlayfs", NULL};
static const char *const images[] = {"images", NULL};
static const char *const containers[] = {"containers", NULL};

static int read_snapshots(struct reading *c, struct ovl_err *err)
{
	int rc = foreign_bolt(c->t, META, &c->meta, err);

	if (rc > 0)
		rc = foreign_bolt(c->t, SNAPSHOTS, &c->snaps, err);
	if (rc == 0)
		return err_say(err, ENOENT, "there is no " META);
	if (rc > 0)
		rc = foreign_bolt_each(&c->snaps, NULL, all_snaps, add_snapshot, c, err);
	if (rc == 0)
		VEC_SORT(c->snap, c->n_snaps, by_name);
	if (rc == 0)
		rc = each(c, snapshots, add_key, err);
	if (rc == 0)
		set_ids(c);
	return rc;
}

static int read_containerd(struct foreign *t, struct ovl_err *err)
{
	struct reading c = {.t = t};
	int rc;

	t->layers_dir = TREES;
	foreign_add_record(t, META);
	foreign_add_record(t, SNAPSHOTS);
	foreign_add_record(t, CTRD_BLOBS);
	rc = read_snapshots(&c, err);
	if (rc == 0)
		rc = each(&c, images, add_image, err);
	if (rc == 0)
		rc = each(&c, containers, add_container, err);
	if (rc == 0)
		rc = ctrd_names(&c, err);
	for (size_t i = 0; i < c.n_snaps && rc == 0; i++)
		add_layer(&c, &c.snap[i]);
	bolt_release(&c.meta);
	bolt_release(&c.snaps);
	free(c.snap);
	free(c.ref);
	return rc;
}

const struct foreign_engine foreign_containerd = {
	.name = "containerd",
	.owner = "containerd",
	.own = SNAPSHOTTER,
	.recognise = recognise,
	.read = read_containerd,
};
