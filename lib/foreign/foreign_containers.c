/* SPDX-License-Identifier: ISC */
/*
 * Reads the store of containers/storage with its driver overlay, which podman, buildah, CRI-O
 * and skopeo have in common, of root and of ordinary users.
 *
 *	overlay-layers/layers.json	layers: id, parent, diff-digest, flags
 *	overlay-layers/<id>.tar-split.gz
 *	overlay-images/images.json	images: id, names, layer
 *	overlay-images/<id>/		their configs and manifests, by base64 of their keys
 *	overlay-containers/containers.json
 *	overlay/<id>/diff		a layer's own tree; diff1, diff2, ... are below it, where
 *					the layer was made again for other owners
 *
 * and volatile-layers.json and volatile-containers.json for containers that do not outlive a
 * boot. Above the bottom, a layer's own id is not a chain id.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/namelist.h"
#include "base/vec.h"
#include "foreign/foreign_json.h"

#define LAYERS     "overlay-layers"
#define IMAGES     "overlay-images"
#define CONTAINERS "overlay-containers"
#define TREES      "overlay"

/* No layer has more diffN directories. */
#define MAX_MORE 16

struct record {
	const char *own; /* its id in that store */
	const json_t *o;
	size_t order; /* position in the files */
	size_t up; /* its parent; NONE */
	size_t down; /* used by climb(): the record it came from */
	enum { NEW, CLIMBED, DONE } state;
	bool writable; /* the layer of a container */
	struct ovl_id chain; /* empty: unknown */
	struct ovl_id id; /* its id in the table */
};
#define NONE SIZE_MAX

struct reader {
	struct foreign *t;
	struct record *rec; /* sorted by own */
	size_t n;
};

/* ---- records ---------------------------------------------------------------------- */

/* Appends the objects of the list in a file to the array to, if the file exists. */
static int add_list(struct foreign *t, const char *path, json_t *to, struct ovl_err *err)
{
	auto_json o = NULL;
	int rc = foreign_json(t, path, &o, NULL, err);

	foreign_add_record(t, path);
	if (rc > 0 && !json_is_array(o))
		rc = err_say(err, EUCLEAN, "'%s' is not a list", path);
	if (rc > 0 && json_array_extend(to, o) < 0)
		rc = err_nomem(err);
	return rc < 0 ? rc : 0;
}

/* The same, but a file that cannot be read counts as empty. */
static void try_list(struct foreign *t, const char *path, json_t *to)
{
	struct ovl_err err;

	if (add_list(t, path, to, &err) < 0)
		foreign_unread(t, &err);
}

static int order_by(const struct record *x, const struct record *y, int order)
{
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int same_own(const void *own, const void *rec)
{
	return strcmp(own, ((const struct record *)rec)->own);
}

static int by_own(const void *a, const void *b)
{
	const struct record *x = a;
	const struct record *y = b;

	return order_by(x, y, strcmp(x->own, y->own));
}

static size_t find_record(const struct reader *r, const char *own)
{
	const struct record *found = VEC_FIND(r->rec, r->n, own, same_own);

	return found ? (size_t)(found - r->rec) : NONE;
}

static void take_records(struct reader *r, const json_t *list)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		const char *own = foreign_json_text(o, "id");
		struct ovl_err err = {0};

		if (foreign_is_name(own, strlen(own))) {
			r->rec[r->n] = (struct record){.own = own,
				.o = o,
				.order = r->n,
				.up = NONE,
				.down = NONE};
			r->n++;
			continue;
		}
		err_say(&err, EUCLEAN, "a layer in '%s' has no valid id",
			LAYERS "/layers.json");
		foreign_unread(r->t, &err);
	}
}

/* Sorts the records; of those with the same id the first one stays. */
static void sort_records(struct reader *r)
{
	size_t n = 0;

	VEC_SORT(r->rec, r->n, by_own);
	for (size_t i = 0; i < r->n; i++) {
		if (!n || strcmp(r->rec[n - 1].own, r->rec[i].own) != 0)
			r->rec[n++] = r->rec[i];
	}
	r->n = n;
	for (size_t i = 0; i < r->n; i++)
		r->rec[i].up = find_record(r, foreign_json_text(r->rec[i].o, "parent"));
}

/* ---- ids -------------------------------------------------------------------------- */

static const char *diff_of(const struct record *rec)
{
	return rec->writable ? NULL :
			       id_sha256_hex(foreign_json_text(rec->o, "diff-digest"));
}

static int set_chain(struct reader *r, struct record *rec, struct ovl_err *err)
{
	const struct record *up = rec->up == NONE ? NULL : &r->rec[rec->up];
	const char *diff = diff_of(rec);
	bool unknown = up ? !*up->chain.s : *foreign_json_text(rec->o, "parent");

	rec->state = DONE;
	if (!diff || unknown)
		return 0;
	return digest_chain(up ? up->chain.s : NULL, diff, &rec->chain, err);
}

/* Computes chain ids from the nearest ancestor upwards whose chain id is known or cannot
 * be known; in a loop that is one of the records visited. */
static int climb(struct reader *r, size_t from, struct ovl_err *err)
{
	size_t top = NONE;
	int rc = 0;

	while (from != NONE && r->rec[from].state == NEW) {
		r->rec[from].state = CLIMBED;
		r->rec[from].down = top;
		top = from;
		from = r->rec[from].up;
	}
	for (; top != NONE && rc == 0; top = r->rec[top].down)
		rc = set_chain(r, &r->rec[top], err);
	return rc;
}

static int by_chain(const void *a, const void *b)
{
	const struct record *x = *(struct record *const *)a;
	const struct record *y = *(struct record *const *)b;

	return order_by(x, y, strcmp(x->chain.s, y->chain.s));
}

/* The same tar on the same parent may exist several times, for different owners: one of
 * them gets the chain id. */
static int set_ids(struct reader *r, struct ovl_err *err)
{
	auto_free struct record **sorted = calloc(r->n + 1, sizeof(struct record *));

	if (!sorted)
		return err_nomem(err);
	for (size_t i = 0; i < r->n; i++)
		sorted[i] = &r->rec[i];
	qsort(sorted, r->n, sizeof(struct record *), by_chain);
	for (size_t i = 0; i < r->n; i++) {
		struct record *rec = sorted[i];
		bool first = !i || strcmp(sorted[i - 1]->chain.s, rec->chain.s) != 0;

		if (*rec->chain.s && first)
			rec->id = rec->chain;
		else
			foreign_hash_id(r->t, rec->own, &rec->id);
	}
	return 0;
}

/* ---- layers ----------------------------------------------------------------------- */

static void add_trees(struct foreign *t, struct foreign_layer *l)
{
	const char *path = l->tree;

	for (int i = 1, r = 1; i <= MAX_MORE && r > 0; i++) {
		path = foreign_text(t, "%s%d", l->tree, i);
		r = path ? foreign_has(t->root, path) : 0;
		if (r < 0)
			l->fault = foreign_text(t, "cannot look up '%s': %m", path);
		if (r > 0)
			foreign_add_more(t, l, path);
	}
}

/* An engine marks a layer as incomplete while it unpacks it; later, it was killed. */
#define UNPACKING 3600 /* seconds */

static bool is_incomplete(const struct record *rec)
{
	return json_is_true(
		json_object_get(json_object_get(rec->o, "flags"), "incomplete"));
}

static bool is_being_made(const struct record *rec)
{
	return is_incomplete(rec) &&
		time(NULL) - foreign_json_time(rec->o, "created").tv_sec < UNPACKING;
}

static void add_layer(struct reader *r, const struct record *rec)
{
	struct foreign *t = r->t;
	struct foreign_layer *l = foreign_add_layer(t);
	const char *parent = foreign_json_text(rec->o, "parent");
	const char *diff = diff_of(rec);
	const json_t *size = json_object_get(rec->o, "diff-size");

	l->id = rec->id;
	l->kind = rec->writable ? OVL_WRITABLE : OVL_IMAGE;
	if (rec->up != NONE)
		l->parent = r->rec[rec->up].id;
	else if (*parent)
		foreign_hash_id(t, parent, &l->parent);
	if (diff)
		memcpy(l->diff_id, diff, sizeof(l->diff_id));
	if (json_is_integer(size) && !rec->writable)
		l->size = json_integer_value(size);
	l->own_id = foreign_text(t, "%s", rec->own);
	l->tree = foreign_text(t, TREES "/%s/diff", rec->own);
	l->created = foreign_json_time(rec->o, "created");
	if (diff) {
		l->exact_path = foreign_text(t, LAYERS "/%s.tar-split.gz", rec->own);
		l->exact = foreign_has(t->root, l->exact_path) ? FOREIGN_TAR_SPLIT :
								 FOREIGN_PACKED;
	}
	if (l->exact == FOREIGN_PACKED)
		l->exact_path = NULL;
	if (is_incomplete(rec))
		l->fault = "it is incomplete";
	add_trees(t, l);
	if (strcmp(rec->own, rec->id.s) != 0)
		foreign_add_name(t, rec->own, &rec->id)->listed = false;
}

/* ---- images and containers -------------------------------------------------------- */

/* The image's config is the file that is named after the image's id, which is its
 * digest. */
static void find_config(struct foreign *t, const char *image, struct foreign_name *name)
{
	auto_buf key = {0};
	char *text;

	if (!id_is_full(image))
		return;
	buf_addf(&key, "sha256:%s", image);
	text = key.failed ? NULL : ovl_base64(key.data, key.len);
	if (!text) {
		t->failed = true;
		return;
	}
	name->config = foreign_text(t, "%s", image);
	name->config_path = foreign_text(t, IMAGES "/%s/=%s", image, text);
	free(text);
}

static void add_name(struct foreign *t, const char *text, const struct record *rec,
	bool listed, const char *image)
{
	struct foreign_name *name = foreign_add_name(t, text, &rec->id);

	name->listed = listed;
	if (image)
		find_config(t, image, name);
}

/* The id of an image or container is accepted as an operand; its names are listed. The
 * record of its layer is elsewhere if podman runs with --imagestore. */
static void add_names(struct reader *r, const json_t *o, bool image)
{
	const char *layer = foreign_json_text(o, "layer");
	size_t at = find_record(r, layer);
	const char *id = foreign_json_text(o, "id");
	const json_t *name;
	size_t i;

	if (at == NONE && foreign_is_name(layer, strlen(layer)))
		foreign_add_claim(
			r->t, P(TREES "/%s", layer), "of an image or container");
	if (at == NONE || !foreign_is_name(id, strlen(id)))
		return;
	add_name(r->t, id, &r->rec[at], false, image ? id : NULL);
	json_array_foreach(json_object_get(o, "names"), i, name) {
		const char *text = json_string_value(name);

		if (text)
			add_name(r->t, text, &r->rec[at], !strchr(text, '@'),
				image ? id : NULL);
	}
}

static void add_all_names(struct reader *r, const json_t *list, bool image)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		add_names(r, o, image);
	}
}

static void set_writable(struct reader *r, const json_t *containers)
{
	const json_t *o;
	size_t i;

	json_array_foreach(containers, i, o) {
		size_t at = find_record(r, foreign_json_text(o, "layer"));

		if (at != NONE)
			r->rec[at].writable = true;
	}
}

/*
 * With transient_store, the records of containers are in the run root, so the directories of
 * their layers look like orphans. But each container has a directory here that is named after
 * its id.
 */
static void find_unrecorded(struct foreign *t, const json_t *containers)
{
	auto_fd fd = foreign_open(t, CONTAINERS, O_RDONLY | O_DIRECTORY);
	auto_fsdir d = fs_dir_at(fd < 0 ? -errno : fd, ".");
	auto_namelist known = {0};
	const json_t *o;
	const char *name;
	size_t i;
	int r = 0;

	json_array_foreach(containers, i, o) {
		if (namelist_add(&known, 0, foreign_json_text(o, "id")) < 0)
			t->failed = true;
	}
	namelist_sort(&known);
	while (!t->failed && !t->doubt && (r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (id_is_full(name) && namelist_find(&known, name) == known.n)
			t->doubt = foreign_text(t,
				"the record of container %.12s is not in the store",
				name);
	}
	if (r < 0 && errno != ENOENT)
		t->doubt = foreign_text(t, "cannot read '" CONTAINERS "': %m");
}

/* ---- the store -------------------------------------------------------------------- */

static int recognise(int root)
{
	int r = foreign_has(root, LAYERS "/layers.json");

	if (r == 0)
		r = foreign_has(root, LAYERS "/volatile-layers.json");
	return r > 0 ? foreign_has(root, TREES) : r;
}

static int read_layers(struct reader *r, const json_t *layers, const json_t *containers,
	struct ovl_err *err)
{
	int rc = 0;

	r->rec = calloc(json_array_size(layers) + 1, sizeof(*r->rec));
	if (!r->rec)
		return err_nomem(err);
	take_records(r, layers);
	sort_records(r);
	set_writable(r, containers);
	for (size_t i = 0; i < r->n && rc == 0; i++)
		rc = climb(r, i, err);
	if (rc == 0)
		rc = set_ids(r, err);
	for (size_t i = 0; i < r->n && rc == 0; i++) {
		if (is_being_made(&r->rec[i]))
			foreign_add_claim(
				r->t, P(TREES "/%s", r->rec[i].own), "being made");
		else
			add_layer(r, &r->rec[i]);
	}
	return rc;
}

/* Containers and images are read before layers: a layer that is made meanwhile may lack a
 * name, but its directory is not taken for an orphan. */
static int read_store(struct foreign *t, struct ovl_err *err)
{
	struct reader r = {.t = t};
	auto_json containers = json_array();
	auto_json images = json_array();
	auto_json layers = json_array();
	int rc;

	try_list(t, CONTAINERS "/containers.json", containers);
	try_list(t, CONTAINERS "/volatile-containers.json", containers);
	try_list(t, IMAGES "/images.json", images);
	try_list(t, LAYERS "/volatile-layers.json", layers);
	rc = add_list(t, LAYERS "/layers.json", layers, err);
	if (rc == 0)
		rc = read_layers(&r, layers, containers, err);

	t->layers_dir = TREES;
	foreign_add_claim(t, TREES "/l", "containers/storage");
	foreign_add_claim(t, TREES "/staging", "containers/storage");
	foreign_add_claim(t, TREES "/tempdirs", "containers/storage");
	if (rc == 0) {
		find_unrecorded(t, containers);
		add_all_names(&r, images, true);
		add_all_names(&r, containers, false);
	}
	free(r.rec);
	return rc;
}

const struct foreign_engine foreign_containers = {
	.name = "containers",
	.owner = "containers/storage",
	.own = LAYERS,
	.recognise = recognise,
	.read = read_store,
};
