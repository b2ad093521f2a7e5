/* SPDX-License-Identifier: ISC */
/*
 * Reads OCI image layouts (image-spec: image-layout.md, image-index.md, manifest.md):
 * index.json leads to manifests, possibly through more indexes. All of these, configs and
 * layers are under blobs/<algorithm>/<hex>. Docker's own media types are equivalent.
 *
 * Also reads what skopeo calls dir: and podman docker-dir: manifest.json is the only
 * manifest or index, and the other files are named by their digests.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "base/text.h"
#include "image/image_entry.h"

#define MAX_NESTED 4

/* The state of the search. */
struct search {
	struct source *s;
	const struct wanted *want;
	bool flat; /* dir: */
	struct images *out;
	struct ovl_err *err;
};

enum kind { OTHER, INDEX, MANIFEST };

/* Without a media type, the contents decide (m; NULL: not read yet). */
static enum kind kind_of(const char *media, const json_t *m)
{
	static const struct {
		const char *media;
		enum kind kind;
	} known[] = {
		{"application/vnd.oci.image.index.v1+json", INDEX},
		{"application/vnd.docker.distribution.manifest.list.v2+json", INDEX},
		{"application/vnd.oci.image.manifest.v1+json", MANIFEST},
		{"application/vnd.docker.distribution.manifest.v2+json", MANIFEST},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].media, media) == 0)
			return known[i].kind;
	}
	return *media || !m ? OTHER : image_member(m, "manifests") ? INDEX : MANIFEST;
}

/* Why a layer of this type cannot be imported; NULL if it can. Its compression does not
 * matter, as it is detected from the contents. */
static const char *refused(const char *media)
{
	if (strstr(media, "+encrypted"))
		return "encrypted";
	if (text_after(media, "application/vnd.oci.image.layer.") ||
		text_after(media, "application/vnd.docker.image.rootfs."))
		return NULL;
	return "of an unknown media type";
}

/* ---- descriptors ------------------------------------------------------------------ */

/* image-spec, descriptor.md. */
struct descriptor {
	const char *media;
	char hex[ID_LEN + 1];
	char name[ID_LEN + 32]; /* of the blob */
	uint64_t size;
};

static int take_descriptor(struct search *q, const json_t *o, struct descriptor *out)
{
	const char *digest = image_text(o, "digest");
	const char *hex = id_sha256_hex(digest);
	const json_t *size = image_member(o, "size");

	if (!hex)
		return err_say(q->err, ENOTSUP, "%s is not a sha256 digest", Q(digest));
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_say(q->err, EBADMSG, "blob %s has no size", Q(digest));
	out->media = image_text(o, "mediaType");
	memcpy(out->hex, hex, ID_LEN + 1);
	snprintf(out->name, sizeof(out->name), "%s%s", q->flat ? "" : "blobs/sha256/",
		out->hex);
	out->size = (uint64_t)json_integer_value(size);
	return 0;
}

/* ---- manifests -------------------------------------------------------------------- */

static int take_layer(struct search *q, struct image *i, const json_t *o)
{
	struct descriptor d;
	struct image_layer *l;
	const char *why;
	int rc = take_descriptor(q, o, &d);

	if (rc == 0)
		rc = image_add_layer(i, q->err);
	if (rc < 0)
		return rc;
	why = refused(d.media);
	if (why)
		return err_say(q->err, ENOTSUP, "layer sha256:%.12s is %s (%s)", d.hex,
			why, Q(d.media));
	l = &i->layer[i->n_layers - 1];
	memcpy(l->digest, d.hex, sizeof(l->digest));
	rc = source_find(q->s, d.name, &l->blob, q->err);
	if (rc == 0 &&
		(strstr(d.media, ".nondistributable.") || strstr(d.media, ".foreign.")))
		return err_say(q->err, ENOTSUP,
			"layer sha256:%.12s is nondistributable, and its blob is not in "
			"the input",
			d.hex);
	l->absent = rc == 0;
	if (l->absent)
		l->blob.size = d.size;
	if (rc > 0 && l->blob.size != d.size)
		return err_say(q->err, EBADMSG, "blob %s has %llu bytes, not %llu",
			Q(d.name), (unsigned long long)l->blob.size,
			(unsigned long long)d.size);
	return rc < 0 ? rc : 0;
}

static int take_parts(struct search *q, struct image *i, const json_t *m, unsigned *rank)
{
	const json_t *layers = image_member(m, "layers");
	struct descriptor config;
	size_t n;
	json_t *v;
	int rc = take_descriptor(q, image_member(m, "config"), &config);

	if (rc < 0)
		return rc;
	if (strcmp(config.media, "application/vnd.oci.image.config.v1+json") != 0 &&
		strcmp(config.media, "application/vnd.docker.container.image.v1+json") !=
			0)
		return err_say(q->err, ENOTSUP, "it is an artifact, not an image (%s)",
			Q(config.media));
	json_array_foreach(layers, n, v) {
		rc = take_layer(q, i, v);
		if (rc < 0)
			return rc;
	}
	if (!i->n_layers)
		return err_say(q->err, ENOTSUP, "the image has no layers");
	return image_take_config(q->s, i, config.name, config.hex, config.size,
		&q->want->platform, rank, q->err);
}

/* ---- entries of an index ---------------------------------------------------------- */

/* True if the image is for the platform. rank: that of the platform in its config. */
static bool fits(struct search *q, const struct entry *e, struct image *i, unsigned rank)
{
	bool asked = q->want->platform.asked;

	if (e->stated)
		image_platform_text(i->platform, image_member(e->o, "platform"));
	if (e->stated && !asked)
		rank = e->rank;
	if (rank)
		return true;
	if (e->alone && !asked) {
		image_note_platform(
			q->out, entry_label(e), i->platform, &q->want->platform);
		return true;
	}
	image_not_for(q->out, i->platform);
	return false;
}

static int take_manifest(struct search *q, const struct entry *e, const json_t *m)
{
	size_t before = q->out->n;
	struct image *i = image_add(q->out);
	auto_buf name = {0};
	unsigned rank = 0;
	int rc = i ? take_parts(q, i, m, &rank) : err_nomem(q->err);

	entry_name(q->out, e, &name);
	if (rc == 0 && name.failed)
		rc = err_nomem(q->err);
	if (rc == 0 && name.len)
		rc = image_add_name(i, name.data, q->err);
	if (rc == 0 && !fits(q, e, i, rank))
		images_cut(q->out, before);
	return rc;
}

static int take_index(
	struct search *q, const json_t *index, unsigned depth, const struct entry *outer);

/* Reads the manifest or index that a descriptor refers to. */
static int load(
	struct search *q, const struct descriptor *d, enum kind *kind, json_t **out)
{
	struct descriptor file = *d;
	auto_buf bytes = {0};
	int rc;

	*kind = kind_of(d->media, NULL);
	if (*kind == OTHER && *d->media)
		return err_say(q->err, ENOTSUP, "it is of an unknown media type (%s)",
			Q(d->media));
	if (q->flat)
		snprintf(file.name, sizeof(file.name), "%s.manifest.json", d->hex);
	rc = image_json(q->s, file.name, d->hex, d->size, &bytes, out, q->err);
	if (rc == 0)
		*kind = kind_of(d->media, *out);
	return rc;
}

static int take_one(struct search *q, const struct entry *e, unsigned depth)
{
	struct descriptor d;
	auto_json m = NULL;
	enum kind kind;
	int rc = take_descriptor(q, e->o, &d);

	if (rc == 0)
		rc = load(q, &d, &kind, &m);
	if (rc < 0)
		return rc;
	if (kind != INDEX)
		return take_manifest(q, e, m);
	return depth == MAX_NESTED ?
		err_say(q->err, ELOOP, "indexes are nested too deep") :
		take_index(q, m, depth + 1, e);
}

/* ---- choosing --------------------------------------------------------------------- */

/* Keeps one of the images that start at first: the last if it is complete, else the
 * first, whose absent layers may be in the store. Returns true if it is complete. */
static bool prefer_complete(struct images *im, size_t first)
{
	struct image *last = im->n > first ? &im->image[im->n - 1] : NULL;
	bool complete = last && !image_is_thin(last);
	struct image keep;

	if (complete) {
		keep = im->image[first];
		im->image[first] = *last;
		*last = keep;
	}
	if (last)
		images_cut(im, first + 1);
	return complete;
}

/* Reads the chosen entries; below the top, the first one that can be read, preferably one
 * that is complete. */
static int take_chosen(struct search *q, const struct entry *e, size_t n, unsigned depth)
{
	struct ovl_err missing = {0};
	size_t first = q->out->n;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t before = q->out->n;

		if (!e[i].take)
			continue;
		rc = take_one(q, &e[i], depth);
		if (rc == -ENOTSUP) {
			image_unusable(q->out, before, entry_label(&e[i]), q->err);
			rc = 0;
		} else if (rc == -ENOENT && depth) {
			images_cut(q->out, before);
			missing = *q->err;
			rc = 0;
		}
		if (depth && rc == 0 && prefer_complete(q->out, first))
			return rc;
	}
	if (rc < 0 || !*missing.text || q->out->n > first)
		return rc;
	*q->err = missing;
	return -ENOENT;
}

static int take_index(
	struct search *q, const json_t *index, unsigned depth, const struct entry *outer)
{
	auto_free struct entry *e = NULL;
	size_t n;
	int rc = entries_choose(index, outer, q->want, q->out, &e, &n, q->err);

	return rc < 0 ? rc : take_chosen(q, e, n, depth);
}

/* ---- by digest -------------------------------------------------------------------- */

static int find_digest(
	struct search *q, const json_t *index, unsigned depth, const struct entry *outer);

/* Looks for the digest in an entry: that of its config, or of an entry in its index. */
static int look_inside(struct search *q, const struct entry *e,
	const struct descriptor *d, unsigned depth)
{
	struct descriptor config;
	auto_json m = NULL;
	enum kind kind;
	int rc = load(q, d, &kind, &m);

	if (rc < 0)
		return rc == -ENOENT || rc == -ENOTSUP ? 0 : rc;
	if (kind == INDEX)
		return depth < MAX_NESTED ? find_digest(q, m, depth + 1, e) : 0;
	if (take_descriptor(q, image_member(m, "config"), &config) == 0 &&
		text_after(config.hex, q->want->digest))
		return take_manifest(q, e, m);
	return 0;
}

static int find_digest(
	struct search *q, const json_t *index, unsigned depth, const struct entry *outer)
{
	const json_t *entries = image_member(index, "manifests");
	size_t n;
	json_t *o;
	int rc = 0;

	json_array_foreach(entries, n, o) {
		struct entry e = entry_of(o, outer);
		struct descriptor d;

		e.alone = true;
		if (take_descriptor(q, o, &d) < 0)
			continue;
		rc = text_after(d.hex, q->want->digest) ? take_one(q, &e, depth) :
							  look_inside(q, &e, &d, depth);
		if (rc < 0)
			break;
	}
	return rc;
}

/* ---- inputs ----------------------------------------------------------------------- */

int image_read_oci(struct source *s, const struct wanted *want, struct images *out,
	struct ovl_err *err)
{
	struct search q = {.s = s, .want = want, .out = out, .err = err};
	auto_buf bytes = {0};
	auto_json layout = NULL;
	auto_json index = NULL;
	const char *version;
	int rc = image_json(s, "oci-layout", NULL, UINT64_MAX, &bytes, &layout, err);

	if (rc < 0)
		return rc;
	version = image_text(layout, "imageLayoutVersion");
	if (!text_after(version, "1."))
		return err_say(err, ENOTSUP,
			"version %s of the OCI image layout is not supported",
			Q(version));
	rc = image_json(s, "index.json", NULL, UINT64_MAX, &bytes, &index, err);
	if (rc < 0)
		return rc;
	return *want->digest ? find_digest(&q, index, 0, NULL) :
			       take_index(&q, index, 0, NULL);
}

int image_read_dir(struct source *s, const struct wanted *want, struct images *out,
	struct ovl_err *err)
{
	struct search q = {.s = s, .want = want, .flat = true, .out = out, .err = err};
	struct entry e = {.alone = true};
	auto_buf bytes = {0};
	auto_json o = NULL;
	int rc = image_json(s, "manifest.json", NULL, UINT64_MAX, &bytes, &o, err);

	if (rc < 0)
		return rc;
	return kind_of(image_text(o, "mediaType"), o) == INDEX ?
		take_index(&q, o, 1, &e) :
		take_manifest(&q, &e, o);
}
