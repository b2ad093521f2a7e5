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

	if (id_take(name, l.id.s)) {
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
	if (r > 0) {
		foreign_add_more(t, l, P(TREES "/%s/diff", word));
		foreign_add_name(t, word, &l->id)->listed = false;
	}
	if (r < 0 || fs_exists(all->dir, mount_id) <= 0)
		return r < 0 ? r : 0;
	name_container(t, l);
	return 1;
}

/* ---- images ----------------------------------------------------------------------- */

/* Two threads read the sizes of layers, for ls, and image configs. Sorted by name. */
struct images {
	struct records layers;
	/* For ls, about each layer; if not all is known, all its records are read later. */
	struct known {
		bool sized;
		atomic_bool proved; /* by the thread that sets it first */
		struct foreign_layer layer;
	} * known;
	size_t n_sizes;
	atomic_size_t next_size;
	pthread_mutex_t listing; /* locked until the configs are listed */
	struct records configs;
	struct ovl_id *top; /* top layer of each; empty: it has none, or is invalid */
	size_t n_configs;
	atomic_size_t next_config;
	struct reader {
		struct images *im;
		struct foreign_stack stack;
		struct buf text;
		size_t bad; /* the first config that it could not read, and why */
		struct ovl_err why;
	} reader[2];
};

static void images_free(struct images **p)
{
	struct images *im = *p;

	if (!im)
		return;
	records_release(&im->configs);
	records_release(&im->layers);
	buf_release(&im->reader[0].text);
	buf_release(&im->reader[1].text);
	free(im->top);
	free(im->known);
	free(im);
}
#define auto_images __attribute__((cleanup(images_free))) struct images

static void read_size(struct images *im, size_t i)
{
	const char *name = namelist_name(&im->layers.names, i);
	struct known *k = &im->known[i];
	char word[FOREIGN_WORD];
	struct ovl_err why;
	struct stat sb;

	if (foreign_word(&im->layers.at, P("%s/size", name), word, &sb, &why) <= 0)
		return;
	k->sized = true;
	k->layer.size = strtoll(word, NULL, 10);
	k->layer.created = sb.st_mtim;
}

/* If a layer has this id, its parent and diff id are true, because the id is the digest of
 * both. Those that the previous config has too are proved already. */
static void prove_layers(struct images *im, const struct foreign_stack *s)
{
	for (size_t i = s->same; i < s->n; i++) {
		size_t at = namelist_find(&im->layers.names, s->step[i].chain.s);
		struct known *k = &im->known[at];

		if (at == im->layers.names.n || atomic_exchange(&k->proved, true))
			continue;
		k->layer.id = s->step[i].chain;
		if (i)
			k->layer.parent = s->step[i - 1].chain;
		memcpy(k->layer.diff_id, s->step[i].diff_id, ID_LEN + 1);
		k->layer.tree = k->layer.own_id = "";
	}
}

/* The id of an image is the digest of its config, which lists its layers. */
static void read_config(struct reader *r, size_t i)
{
	struct images *im = r->im;
	const char *id = namelist_name(&im->configs.names, i);
	struct ovl_err why;
	int rc = id_is_full(id) ? foreign_file_at(&im->configs.at, id, FOREIGN_JSON_MAX,
					  &r->text, NULL, &why) :
				  0;

	if (rc > 0) {
		rc = foreign_stack_read(&r->stack, &r->text, &why);
		prove_layers(im, &r->stack);
		if (rc < 0)
			err_prefix(&why, rc, "%s", Q(P(CONFIGS "/%s", id)));
	}
	if (rc > 0)
		im->top[i] = *foreign_stack_top(&r->stack);
	if (rc < 0 && r->bad == FOREIGN_NONE) {
		r->bad = i;
		r->why = why;
	}
}

static void *read_next(void *ctx)
{
	struct reader *r = ctx;
	struct images *im = r->im;
	size_t i;

	while ((i = atomic_fetch_add(&im->next_size, 1)) < im->n_sizes)
		read_size(im, i);
	pthread_mutex_lock(&im->listing);
	pthread_mutex_unlock(&im->listing);
	while ((i = atomic_fetch_add(&im->next_config, 1)) < im->n_configs)
		read_config(r, i);
	return NULL;
}

static void list_configs(struct foreign *t, struct images *im)
{
	im->configs = open_records(t, CONFIGS);
	namelist_sort(&im->configs.names);
	im->top = calloc(im->configs.names.n + 1, sizeof(*im->top));
	im->n_configs = im->top ? im->configs.names.n : 0;
	t->failed |= !im->top;
}

/* Of what could not be read, the first is reported, whichever thread came to it. */
static void read_images(struct foreign *t, struct images *im)
{
	struct reader *r = im->reader;
	pthread_t thread;
	bool two;

	r[0].im = r[1].im = im;
	r[0].bad = r[1].bad = FOREIGN_NONE;
	im->listing = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&im->listing);
	two = thread_start(&thread, read_next, &r[1]) == 0;
	list_configs(t, im);
	pthread_mutex_unlock(&im->listing);
	read_next(&r[0]);
	if (two)
		pthread_join(thread, NULL);
	r += r[1].bad < r[0].bad;
	if (r->bad != FOREIGN_NONE)
		foreign_unread(t, &r->why);
}

/* For ls, only names that are listed are added. */
static void name_image(struct foreign *t, const struct images *im, size_t i,
	const char *name, bool listed)
{
	const char *image = namelist_name(&im->configs.names, i);
	struct foreign_name *n;

	if (!*im->top[i].s || (t->brief && !listed))
		return;
	n = foreign_add_name(t, name, &im->top[i]);
	n->listed = listed;
	if (t->brief)
		return;
	n->config = foreign_text(t, "%s", image);
	n->config_path = foreign_text(t, CONFIGS "/%s", image);
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
		i = hex ? namelist_find(&im->configs.names, hex) : im->configs.names.n;
		if (i < im->configs.names.n && *ref.key)
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

static void add_layers(struct foreign *t, const struct images *im)
{
	for (size_t i = 0; i < im->layers.names.n; i++) {
		const struct known *k = &im->known[i];

		if (k->sized && k->proved)
			*foreign_add_layer(t) = k->layer;
		else
			add_layer(t, &im->layers.at, namelist_name(&im->layers.names, i));
	}
}

static void add_images(struct foreign *t)
{
	auto_images *im = calloc(1, sizeof(*im));

	t->failed |= !im;
	if (!im)
		return;
	im->configs.at.dir = -1;
	im->layers = open_records(t, LAYERS);
	namelist_sort(&im->layers.names);
	im->known = calloc(im->layers.names.n + 1, sizeof(*im->known));
	im->n_sizes = t->brief ? im->layers.names.n : 0;
	t->failed |= !im->known;
	if (!t->failed)
		read_images(t, im);
	if (t->failed)
		return;
	for (size_t i = 0; i < im->n_configs; i++)
		name_image(t, im, i, namelist_name(&im->configs.names, i), false);
	read_tags(t, im);
	add_layers(t, im);
}

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

	(void)err;
	t->layers_dir = TREES;
	foreign_add_claim(t, TREES "/l", "short links");
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++)
		foreign_add_record(t, records[i]);
	add_containers(t);
	add_images(t);
	if (!t->brief)
		foreign_buildkit(t, TREES);
	return 0;
}

const struct foreign_engine foreign_docker = {
	.name = "docker",
	.owner = "Docker",
	.own = IMAGE "layerdb",
	.can_brief = true,
	.recognise = recognise,
	.read = read_docker,
};
