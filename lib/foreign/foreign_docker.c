/* SPDX-License-Identifier: ISC */
/*
 * Docker's overlay2 graph driver: DIR of "dockerd --data-root DIR".
 *
 *	image/overlay2/layerdb/sha256/<chain id>/{diff,parent,cache-id,size,
 *						  tar-split.json.gz}
 *	image/overlay2/layerdb/mounts/<container>/{mount-id,init-id,parent}
 *	image/overlay2/imagedb/content/sha256/<image id>	image configs
 *	image/overlay2/repositories.json			tags and digests of images
 *	containers/<container>/config.v2.json			names of containers
 *	overlay2/<cache-id, mount-id or init-id>/diff		trees
 *	overlay2/<other>/					BuildKit's
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/quote.h"
#include "base/vec.h"
#include "foreign/foreign_bolt.h"
#include "foreign/foreign_json.h"

#define IMAGE      "image/overlay2/"
#define LAYERS     IMAGE "layerdb/sha256"
#define CONTAINERS IMAGE "layerdb/mounts"
#define CONFIGS    IMAGE "imagedb/content/sha256"
#define TAGS       IMAGE "repositories.json"
#define TREES      "overlay2"

static int recognise(int root)
{
	return foreign_has(root, IMAGE "layerdb");
}

/* Calls fn for each name in a directory of records. */
static void each_name(struct foreign *t, const char *path,
	void (*fn)(struct foreign *t, int dir, const char *name))
{
	auto_fd fd = foreign_open(t, path, O_RDONLY | O_DIRECTORY);
	auto_fsdir d = fs_dir_at(fd < 0 ? -errno : fd, ".");
	struct ovl_err why;
	const char *name;
	int r;

	foreign_add_record(t, path);
	while ((r = fs_dir_next(&d, &name, NULL)) > 0)
		fn(t, fd, name);
	if (r < 0) {
		err_sys(&why, errno, "cannot read %s", Q(path));
		foreign_unread(t, &why);
	}
}

/* The record of where a layer is comes first and goes with the others: as long as it is
 * there, none of those was missing because it had been removed. */
static bool is_still_there(const struct foreign_place *at, const char *name)
{
	return fs_exists(at->dir, name) > 0;
}

/* Reads where the tree of a layer is: 1, 0, negative errno. */
static int read_where(struct foreign *t, const struct foreign_place *at, const char *name,
	struct foreign_layer *l, struct ovl_err *why)
{
	char own_id[FOREIGN_WORD];
	struct stat sb;
	int r = foreign_word(at, name, own_id, &sb, why);

	if (r <= 0)
		return r;
	l->created = sb.st_mtim;
	l->own_id = foreign_text(t, "%s", own_id);
	l->tree = foreign_text(t, TREES "/%s/diff", own_id);
	return 1;
}

/* Adds a layer if read finds it recorded there; with a fault if that makes no sense. */
static void add_read(struct foreign *t, const struct foreign_place *at,
	struct foreign_layer *l,
	int (*read)(struct foreign *t, const struct foreign_place *at,
		struct foreign_layer *l, struct ovl_err *why))
{
	struct ovl_err why;
	int r;

	l->tree = l->own_id = "";
	if (at->dir >= 0)
		r = read(t, at, l, &why);
	else
		r = at->dir == -ENOENT ?
			0 :
			err_sys(&why, -at->dir, "cannot read %s", Q(at->path));
	if (r < 0) {
		l->fault = foreign_text(t, "%s", why.text);
		foreign_unread(t, &why);
	}
	if (r == 0) {
		free(l->more);
		return;
	}
	*foreign_add_layer(t) = *l;
	if (*l->own_id)
		foreign_add_name(t, l->own_id, &l->id)->listed = false;
}

/* ---- image layers ----------------------------------------------------------------- */

/* Why the records of a layer do not fit its name; NULL: they do. */
static const char *misfit(const struct foreign_layer *l, struct ovl_err *why)
{
	struct ovl_id chain;

	if (digest_chain(*l->parent.s ? l->parent.s : NULL, l->diff_id, &chain, why) <
			0 ||
		id_order(&chain, &l->id) == 0)
		return NULL;
	return "its id is not that of its diff id and its parent";
}

/* Reads what is recorded of a layer: 1; 0 it is gone; negative errno. */
static int read_layer(struct foreign *t, const struct foreign_place *at,
	struct foreign_layer *l, struct ovl_err *why)
{
	char word[FOREIGN_WORD];
	int r = read_where(t, at, "cache-id", l, why);

	if (r > 0)
		r = foreign_digest(at, "diff", l->diff_id, why);
	if (r <= 0)
		return r;
	r = foreign_digest(at, "parent", l->parent.s, why);
	if (r < 0)
		return r;
	r = foreign_word(at, "size", word, NULL, why);
	if (r > 0)
		l->size = strtoll(word, NULL, 10);
	if (r < 0)
		return r;
	l->fault = misfit(l, why);
	return !l->fault || is_still_there(at, "cache-id");
}

/* What the daemon is about to remove has a name with more than the id. */
static void claim_removed(struct foreign *t, const struct foreign_place *at)
{
	char word[FOREIGN_WORD];
	struct ovl_err why;

	if (foreign_word(at, "cache-id", word, NULL, &why) > 0)
		foreign_add_claim(t, P(TREES "/%s", word), "being removed");
}

static void add_layer(struct foreign *t, int all, const char *name)
{
	struct foreign_layer l = {.kind = OVL_IMAGE, .size = -1};
	auto_fd dir = fs_open_beneath(all, name, O_PATH | O_DIRECTORY);
	struct foreign_place at = {t, dir < 0 ? -errno : dir, P(LAYERS "/%s", name)};

	if (!id_is_full(name)) {
		claim_removed(t, &at);
		return;
	}
	memcpy(l.id.s, name, sizeof(l.id.s));
	l.exact = FOREIGN_TAR_SPLIT;
	l.exact_path = foreign_text(t, "%s/tar-split.json.gz", at.path);
	add_read(t, &at, &l, read_layer);
}

/* ---- containers ------------------------------------------------------------------- */

/* The container's own record, for its name. Layers that a build has mounted
 * have none. */
static void name_container(struct foreign *t, struct foreign_layer *l)
{
	auto_json o = foreign_json_try(t, P("containers/%s/config.v2.json", l->id.s));
	const json_t *state = json_object_get(o, "State");
	const char *name = foreign_json_text(o, "Name");
	struct timespec ended = foreign_json_time(state, "FinishedAt");

	if (!o)
		return;
	l->created = foreign_json_time(o, "Created");
	l->used = foreign_json_time(state, "StartedAt");
	if (ended.tv_sec > l->used.tv_sec)
		l->used = ended;
	foreign_add_name(t, name + (*name == '/'), &l->id);
}

/* The parent is recorded last. Without one it is a container on nothing, or not finished. */
#define UNFINISHED 2 /* seconds */

/* As read_layer(). */
static int read_container(struct foreign *t, const struct foreign_place *at,
	struct foreign_layer *l, struct ovl_err *why)
{
	char word[FOREIGN_WORD];
	int r = read_where(t, at, "mount-id", l, why);

	if (r <= 0)
		return r;
	r = foreign_digest(at, "parent", l->parent.s, why);
	if (r < 0)
		return r;
	if (r == 0 && time(NULL) - l->created.tv_sec < UNFINISHED)
		return 0;
	r = foreign_word(at, "init-id", word, NULL, why);
	if (r > 0)
		foreign_add_more(t, l, P(TREES "/%s/diff", word));
	if (r < 0 || !is_still_there(at, "mount-id"))
		return r < 0 ? r : 0;
	name_container(t, l);
	return 1;
}

static void add_container(struct foreign *t, int all, const char *name)
{
	struct foreign_layer l = {.kind = OVL_WRITABLE, .size = -1};
	auto_fd dir = fs_open_beneath(all, name, O_PATH | O_DIRECTORY);
	struct foreign_place at = {t, dir < 0 ? -errno : dir, P(CONTAINERS "/%s", name)};

	foreign_hash_id(t, name, &l.id);
	add_read(t, &at, &l, read_container);
}

/* ---- images ----------------------------------------------------------------------- */

static void set_config(struct foreign *t, struct foreign_name *n, const char *image)
{
	n->config = foreign_text(t, "%s", image);
	n->config_path = foreign_text(t, CONFIGS "/%s", image);
}

/* The id of an image is the digest of its config, which lists its layers. */
static void add_image(struct foreign *t, int all, const char *image)
{
	const char *path = P(CONFIGS "/%s", image);
	auto_json o = id_is_full(image) ? foreign_json_try(t, path) : NULL;
	struct foreign_name *n;
	struct ovl_err why;
	struct ovl_id top;
	int r = foreign_json_chain(o, &top, &why);

	(void)all;
	if (r < 0) {
		err_prefix(&why, r, "%s", Q(path));
		foreign_unread(t, &why);
	}
	if (r <= 0)
		return;
	n = foreign_add_name(t, image, &top);
	n->listed = false;
	set_config(t, n, image);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct foreign_name *)a)->name,
		((const struct foreign_name *)b)->name);
}

/* ref: "name:tag" or "name@sha256:...", which is not listed. The first names of the
 * table are the ids of images, sorted. */
static void add_tag(
	struct foreign *t, size_t n_images, const char *ref, const char *image)
{
	const struct foreign_name key = {.name = image};
	const struct foreign_name *found = VEC_FIND(t->name, n_images, &key, by_name);
	struct foreign_name *n;
	struct ovl_id top;

	if (!found)
		return;
	top = found->layer;
	n = foreign_add_name(t, ref, &top);
	n->listed = !strchr(ref, '@');
	set_config(t, n, image);
}

static void read_tags(struct foreign *t, size_t n_images)
{
	auto_json o = foreign_json_try(t, TAGS);
	const char *repository;
	const char *ref;
	json_t *refs;
	json_t *id;

	foreign_add_record(t, TAGS);
	json_object_foreach(json_object_get(o, "Repositories"), repository, refs)
	{
		json_object_foreach(refs, ref, id)
		{
			const char *s = json_string_value(id);
			const char *image = s ? id_digest_hex(s) : NULL;

			if (image)
				add_tag(t, n_images, ref, image);
		}
	}
}

/* ----------------------------------------------------------------------------------- */

/* Images before their layers: one that is removed meanwhile leaves no name behind. */
static int read_docker(struct foreign *t, struct ovl_err *err)
{
	(void)err;
	t->layers_dir = TREES;
	foreign_add_claim(t, TREES "/l", "short links");
	foreign_add_record(t, "containers");
	each_name(t, CONFIGS, add_image);
	VEC_SORT(t->name, t->n_names, by_name);
	read_tags(t, t->n_names);
	each_name(t, CONTAINERS, add_container);
	each_name(t, LAYERS, add_layer);
	foreign_buildkit(t, TREES);
	return 0;
}

const struct foreign_engine foreign_docker = {
	.name = "docker",
	.owner = "Docker",
	.recognise = recognise,
	.read = read_docker,
};
