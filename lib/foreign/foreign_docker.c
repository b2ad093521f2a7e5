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
#include "base/namelist.h"
#include "base/quote.h"
#include "base/thread.h"
#include "base/vec.h"
#include "foreign/foreign_bolt.h"
#include "foreign/foreign_json.h"
#include "foreign/foreign_scan.h"
#include "foreign/foreign_stack.h"

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

/* A directory of records. */
struct records {
	struct foreign_place at;
	struct namelist names;
};

static void records_release(struct records *r)
{
	close_fdp(&r->at.dir);
	namelist_release(&r->names);
}
#define auto_records __attribute__((cleanup(records_release))) struct records

static struct records open_records(struct foreign *t, const char *path)
{
	int fd = foreign_open(t, path, O_RDONLY | O_DIRECTORY);
	struct records out = {.at = {t, fd < 0 ? -errno : fd, path}};
	auto_fsdir d = fs_dir_at(out.at.dir, ".");
	struct ovl_err why;

	if (namelist_read(&out.names, &d, true) < 0) {
		err_sys(&why, errno, "cannot read %s", Q(path));
		foreign_unread(t, &why);
	}
	return out;
}

/* Reads the directory of a layer's tree: 1, 0 if there is no such record, negative
 * errno. */
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

/* Reads the records in the directory name: 1; 0 if the layer no longer exists; negative
 * errno. cache-id and mount-id are written first and removed with the others: as long as they
 * exist, no other record was missing because the layer had been removed. */
typedef int read_fn(struct foreign *t, const struct foreign_place *all, const char *name,
	struct foreign_layer *l, struct ovl_err *why);

/* Adds a layer if its directory is recorded, with a fault if read finds one. */
static void add_read(struct foreign *t, const struct foreign_place *all, const char *name,
	struct foreign_layer *l, read_fn *read)
{
	struct ovl_err why;
	int r;

	l->tree = l->own_id = "";
	r = read(t, all, name, l, &why);
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

/* Why the records of a layer do not match its name; NULL: they do. */
static const char *misfit(const struct foreign_layer *l, struct ovl_err *why)
{
	struct ovl_id chain;

	if (digest_chain(*l->parent.s ? l->parent.s : NULL, l->diff_id, &chain, why) <
			0 ||
		id_order(&chain, &l->id) == 0)
		return NULL;
	return "its id is not that of its diff id and its parent";
}

static int read_layer(struct foreign *t, const struct foreign_place *all,
	const char *name, struct foreign_layer *l, struct ovl_err *why)
{
	const char *cache_id = P("%s/cache-id", name);
	char word[FOREIGN_WORD];
	struct stat sb;
	int r = read_where(t, all, cache_id, l, why);

	if (r > 0)
		r = foreign_digest(all, P("%s/diff", name), l->diff_id, why);
	if (r <= 0)
		return r;
	r = foreign_digest(all, P("%s/parent", name), l->parent.s, why);
	if (r >= 0)
		r = foreign_word(all, P("%s/size", name), word, &sb, why);
	if (r < 0)
		return r;
	if (r > 0) {
		l->size = strtoll(word, NULL, 10);
		l->created = sb.st_mtim;
	}
	l->fault = misfit(l, why);
	return !l->fault || fs_exists(all->dir, cache_id) > 0;
}

static void add_layer(
	struct foreign *t, const struct foreign_place *all, const char *name)
{
	struct foreign_layer l = {.kind = OVL_IMAGE, .size = -1};
	char word[FOREIGN_WORD];
	struct ovl_err why;

	if (id_is_full(name)) {
		memcpy(l.id.s, name, sizeof(l.id.s));
		l.exact = FOREIGN_TAR_SPLIT;
		l.exact_path = foreign_text(t, LAYERS "/%s/tar-split.json.gz", name);
		add_read(t, all, name, &l, read_layer);
	} else if (foreign_word(all, P("%s/cache-id", name), word, NULL, &why) > 0) {
		/* The daemon adds a suffix to the name of a directory before it removes it. */
		foreign_add_claim(t, P(TREES "/%s", word), "being removed");
	}
}

/* ---- containers ------------------------------------------------------------------- */

/* Reads the container's own record for its name. Layers mounted by a build have none. */
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

/* The parent is recorded last. A container without one has no parent, or is not
 * finished. */
#define UNFINISHED 2 /* seconds */

static int read_container(struct foreign *t, const struct foreign_place *all,
	const char *name, struct foreign_layer *l, struct ovl_err *why)
{
	const char *mount_id = P("%s/mount-id", name);
	char word[FOREIGN_WORD];
	int r = read_where(t, all, mount_id, l, why);

	if (r <= 0)
		return r;
	r = foreign_digest(all, P("%s/parent", name), l->parent.s, why);
	if (r == 0 && time(NULL) - l->created.tv_sec < UNFINISHED)
		return 0;
	if (r >= 0)
		r = foreign_word(all, P("%s/init-id", name), word, NULL, why);
	if (r > 0)
		foreign_add_more(t, l, P(TREES "/%s/diff", word));
	if (r < 0 || fs_exists(all->dir, mount_id) <= 0)
		return r < 0 ? r : 0;
	name_container(t, l);
	return 1;
}

/* ---- images ----------------------------------------------------------------------- */

/* Other layers are proved by their own records, so the limit may be anything. */
#define PROOFS_MAX ((size_t)1 << 16)

struct images {
	struct records rec; /* sorted by name */
	struct ovl_id *top; /* top layer of each; empty: it has none, or is invalid */
	/* What image configs prove about layers, sorted by id: if a layer has this id, parent
	 * and diff id are true, because the id is the digest of both. */
	struct foreign_layer *proof;
	size_t n_proofs;
};

static void images_release(struct images *im)
{
	records_release(&im->rec);
	free(im->top);
	free(im->proof);
}
#define auto_images __attribute__((cleanup(images_release))) struct images

/* Adds proofs for the layers that the previous config does not have. */
static void add_proofs(
	struct foreign *t, struct images *im, const struct foreign_stack *s)
{
	for (size_t i = s->same; i < s->n && im->n_proofs < PROOFS_MAX; i++) {
		struct foreign_layer l = {
			.id = s->step[i].chain, .tree = "", .own_id = ""};

		if (!VEC_ROOM(im->proof, im->n_proofs)) {
			t->failed = true;
			return;
		}
		if (i)
			l.parent = s->step[i - 1].chain;
		memcpy(l.diff_id, s->step[i].diff_id, ID_LEN + 1);
		im->proof[im->n_proofs++] = l;
	}
}

/* For ls, only names that are listed are added. */
static void name_image(struct foreign *t, const struct images *im, size_t i,
	const char *name, bool listed)
{
	const char *image = namelist_name(&im->rec.names, i);
	struct foreign_name *n;

	if (!*im->top[i].s || (t->brief && !listed))
		return;
	n = foreign_add_name(t, name, &im->top[i]);
	n->listed = listed;
	n->config = foreign_text(t, "%s", image);
	n->config_path = foreign_text(t, CONFIGS "/%s", image);
}

/* The id of an image is the digest of its config, which lists its layers. */
static void read_images(struct foreign *t, struct images *im)
{
	struct foreign_stack stack = {0};
	auto_buf text = {0};
	struct ovl_err why;

	for (size_t i = 0; i < im->rec.names.n && !t->failed; i++) {
		const char *id = namelist_name(&im->rec.names, i);
		int r = id_is_full(id) ? foreign_file_at(&im->rec.at, id,
						 FOREIGN_JSON_MAX, &text, NULL, &why) :
					 0;

		if (r > 0) {
			r = foreign_stack_read(&stack, &text, &why);
			if (r < 0)
				err_prefix(&why, r, "%s", Q(P(CONFIGS "/%s", id)));
		}
		if (r < 0)
			foreign_unread(t, &why);
		if (r <= 0)
			continue;
		im->top[i] = *foreign_stack_top(&stack);
		name_image(t, im, i, id, false);
		add_proofs(t, im, &stack);
	}
	VEC_SORT(im->proof, im->n_proofs, id_order);
}

/* refs is at an object of names: "name:tag", or "name@sha256:...", which is not listed. */
static const char *read_refs(struct foreign *t, const struct images *im, const char *refs)
{
	char id[sizeof("sha256:") + ID_LEN];
	struct scan_member ref;

	while (refs && *refs != '}') {
		const char *hex;
		size_t i;

		refs = scan_member(refs, &ref);
		hex = scan_string(ref.value, id, sizeof(id)) ? id_digest_hex(id) : NULL;
		i = hex ? namelist_find(&im->rec.names, hex) : im->rec.names.n;
		if (i < im->rec.names.n && *ref.key)
			name_image(t, im, i, ref.key, !strchr(ref.key, '@'));
	}
	return refs;
}

/* All names, by repository. */
static void read_tags(struct foreign *t, const struct images *im)
{
	auto_buf text = {0};
	struct scan_member repository;
	struct ovl_err why;
	const char *p = "";
	int r = foreign_file(t, TAGS, FOREIGN_JSON_MAX, &text, NULL, &why);

	if (r > 0 && !scan_find_in(&text, "Repositories", &p))
		p = NULL;
	while (r > 0 && p && (*p == '{' || *p == ',')) {
		p = scan_member(p, &repository);
		if (*repository.value == '{' && !read_refs(t, im, repository.value))
			p = NULL;
	}
	if (r > 0 && !p)
		r = err_say(&why, EUCLEAN, "%s is damaged", Q(TAGS));
	if (r < 0)
		foreign_unread(t, &why);
}

static void add_images(struct foreign *t, struct images *im)
{
	im->rec = open_records(t, CONFIGS);
	namelist_sort(&im->rec.names);
	im->top = calloc(im->rec.names.n + 1, sizeof(*im->top));
	if (im->top) {
		read_images(t, im);
		read_tags(t, im);
	}
	t->failed |= !im->top;
}

/* ---- layers for ls ---------------------------------------------------------------- */

struct sizes {
	const struct records *layers;
	struct size {
		bool known;
		int64_t bytes;
		struct timespec created;
	} * of; /* each of them */
};

/* Runs in a thread. If it cannot read a size, all records of that layer are read later. */
static void *read_sizes(void *ctx)
{
	struct sizes *s = ctx;

	for (size_t i = 0; i < s->layers->names.n; i++) {
		const char *name = namelist_name(&s->layers->names, i);
		char word[FOREIGN_WORD];
		struct ovl_err why;
		struct stat sb;

		if (foreign_word(&s->layers->at, P("%s/size", name), word, &sb, &why) > 0)
			s->of[i] = (struct size){
				true, strtoll(word, NULL, 10), sb.st_mtim};
	}
	return NULL;
}

static void add_layers(struct foreign *t, const struct images *im, const struct sizes *s)
{
	for (size_t i = 0; i < s->layers->names.n; i++) {
		const char *name = namelist_name(&s->layers->names, i);
		const struct foreign_layer *p = s->of && s->of[i].known ?
			VEC_FIND(im->proof, im->n_proofs, name, id_order) :
			NULL;
		struct foreign_layer *l;

		if (!p) {
			add_layer(t, &s->layers->at, name);
			continue;
		}
		l = foreign_add_layer(t);
		*l = *p;
		l->size = s->of[i].bytes;
		l->created = s->of[i].created;
	}
}

/* For ls, a second thread reads the records of layers. */
static void read_both(struct foreign *t, struct images *im, const struct records *layers)
{
	struct sizes sizes = {.layers = layers};
	pthread_t thread;
	int why = -1;

	if (t->brief)
		sizes.of = calloc(layers->names.n + 1, sizeof(*sizes.of));
	if (sizes.of)
		why = thread_start(&thread, read_sizes, &sizes);
	add_images(t, im);
	if (why == 0)
		pthread_join(thread, NULL);
	add_layers(t, im, &sizes);
	free(sizes.of);
}

/* ----------------------------------------------------------------------------------- */

static void add_containers(struct foreign *t)
{
	auto_records all = open_records(t, CONTAINERS);

	for (size_t i = 0; i < all.names.n; i++) {
		struct foreign_layer l = {.kind = OVL_WRITABLE, .size = -1};
		const char *name = namelist_name(&all.names, i);

		foreign_hash_id(t, name, &l.id);
		add_read(t, &all.at, name, &l, read_container);
	}
}

/* Containers are read before their layers. If an image is added or removed meanwhile, its
 * names may be missing. */
static int read_docker(struct foreign *t, struct ovl_err *err)
{
	static const char *const records[] = {
		"containers", CONFIGS, TAGS, CONTAINERS, LAYERS};
	auto_images im = {.rec.at.dir = -1};
	auto_records layers = {.at.dir = -1};

	(void)err;
	t->layers_dir = TREES;
	foreign_add_claim(t, TREES "/l", "short links");
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++)
		foreign_add_record(t, records[i]);
	add_containers(t);
	layers = open_records(t, LAYERS);
	read_both(t, &im, &layers);
	if (!t->brief)
		foreign_buildkit(t, TREES);
	return 0;
}

const struct foreign_engine foreign_docker = {
	.name = "docker",
	.owner = "Docker",
	.can_brief = true,
	.recognise = recognise,
	.read = read_docker,
};
