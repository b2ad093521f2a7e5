/* SPDX-License-Identifier: ISC */
/*
 * Reads OCI image layouts (image-spec, image-layout.md, image-index.md, manifest.md):
 * index.json leads to manifests, perhaps through more indexes; all of them, and what they
 * refer to, are in blobs/<algorithm>/<hex>. Docker's own media types mean the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "image/image.h"

#define MAX_NESTED 4

/* The state of the search. */
struct search {
	struct source *s;
	const char *want;
	const char *platform; /* the required platform */
	bool asked; /* the user has asked for it */
	struct images *out;
	unsigned passed; /* images for other platforms */
	struct buf others; /* their platforms */
	struct ovl_err *err;
};

enum kind { OTHER, INDEX, MANIFEST };

static enum kind kind_of(const char *media)
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
	return OTHER;
}

/* Why a layer cannot be imported; NULL if it can. */
static const char *refused(const char *media)
{
	static const char *const taken[] = {
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
	};

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(taken[i], media) == 0)
			return NULL;
	}
	if (strstr(media, "+encrypted"))
		return "encrypted";
	if (strstr(media, "nondistributable") || strstr(media, "foreign"))
		return "foreign, it lies elsewhere";
	return "of an unknown media type";
}

/* ---- descriptors ------------------------------------------------------------------ */

/* image-spec, descriptor.md. */
struct descriptor {
	const char *media;
	char hex[ID_LEN + 1];
	char name[ID_LEN + 32]; /* of the blob in the layout */
	uint64_t size;
};

static int take_descriptor(const json_t *o, struct descriptor *out, struct ovl_err *err)
{
	const char *digest = image_text(o, "digest");
	const char *hex = image_digest_hex(digest);
	const json_t *size = json_object_get(o, "size");

	if (!hex)
		return err_say(err, EBADMSG, "%s is no sha256 digest", Q(digest));
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_say(err, EBADMSG, "blob %s has no size", Q(digest));
	out->media = image_text(o, "mediaType");
	memcpy(out->hex, hex, ID_LEN + 1);
	snprintf(out->name, sizeof(out->name), "blobs/sha256/%s", out->hex);
	out->size = (uint64_t)json_integer_value(size);
	return 0;
}

/* ---- manifests -------------------------------------------------------------------- */

static int take_layer(
	struct search *q, struct image *i, const json_t *o, struct ovl_err *err)
{
	struct descriptor d;
	struct image_layer *l;
	const char *why;
	int rc = take_descriptor(o, &d, err);

	if (rc == 0)
		rc = image_add_layer(i, err);
	if (rc < 0)
		return rc;
	why = refused(d.media);
	if (why)
		return err_say(err, ENOTSUP, "layer sha256:%.12s is %s (%s)", d.hex, why,
			Q(d.media));
	l = &i->layer[i->n_layers - 1];
	memcpy(l->digest, d.hex, sizeof(l->digest));
	rc = source_find(q->s, d.name, &l->blob, err);
	if (rc == 0)
		return err_say(err, ENOENT, "blob %s is missing", Q(d.name));
	if (rc > 0 && l->blob.size != d.size)
		return err_say(err, EBADMSG, "blob %s has %llu bytes, not %llu",
			Q(d.name), (unsigned long long)l->blob.size,
			(unsigned long long)d.size);
	return rc < 0 ? rc : 0;
}

static int take_parts(struct search *q, struct image *i, const json_t *m)
{
	const json_t *layers = json_object_get(m, "layers");
	struct descriptor config;
	size_t n;
	json_t *v;
	int rc = take_descriptor(json_object_get(m, "config"), &config, q->err);

	if (rc < 0)
		return rc;
	if (strcmp(config.media, "application/vnd.oci.image.config.v1+json") != 0 &&
		strcmp(config.media, "application/vnd.docker.container.image.v1+json") !=
			0)
		return err_say(q->err, ENOTSUP, "it is no image but an artifact (%s)",
			Q(config.media));
	json_array_foreach(layers, n, v)
	{
		rc = take_layer(q, i, v, q->err);
		if (rc < 0)
			return rc;
	}
	return image_take_config(q->s, i, config.name, config.hex, config.size,
		q->asked ? q->platform : NULL, q->err);
}

static int take_manifest(
	struct search *q, const struct descriptor *d, const char *const *names)
{
	struct image *i = image_add(q->out);
	auto_buf bytes = {0};
	json_t *m = NULL;
	int rc = i ? image_json(q->s, d->name, d->hex, d->size, &bytes, &m, q->err) :
		     err_nomem(q->err);

	for (; rc == 0 && *names; names++)
		rc = image_add_name(i, *names, q->err);
	if (rc == 0)
		rc = take_parts(q, i, m);
	json_decref(m);
	return rc;
}

/* ---- indexes ---------------------------------------------------------------------- */

/* Buildkit's attestations are among the manifests but are not images. */
static bool is_attestation(const json_t *o)
{
	return *image_text(
		       json_object_get(o, "annotations"), "vnd.docker.reference.type") ||
		strcmp(image_text(json_object_get(o, "platform"), "os"), "unknown") == 0;
}

static bool fits(struct search *q, const json_t *o)
{
	const json_t *p = json_object_get(o, "platform");
	const char *os = image_text(p, "os");
	const char *arch = image_text(p, "architecture");
	const char *variant = image_text(p, "variant");

	if (!p || image_platform_fits(q->platform, os, arch, variant))
		return true;
	q->passed++;
	if (q->passed <= 8)
		buf_addf(&q->others, "%s%s/%s%s%s", q->others.len ? ", " : "", os, arch,
			*variant ? "/" : "", variant);
	return false;
}

/* The full name if there is one, else the short one. */
static void names_of(const json_t *o, const char *names[2])
{
	const json_t *a = json_object_get(o, "annotations");
	const char *full = image_text(a, "io.containerd.image.name");
	const char *ref = image_text(a, "org.opencontainers.image.ref.name");

	names[0] = *full ? full : *ref ? ref : NULL;
	names[1] = NULL;
}

static bool wanted(const struct search *q, const json_t *o, const struct descriptor *d)
{
	const json_t *a = json_object_get(o, "annotations");
	const char *hex = q->want ? id_digest_hex(q->want) : NULL;

	return !q->want || (hex && strcmp(hex, d->hex) == 0) ||
		image_called(q->want, image_text(a, "io.containerd.image.name")) ||
		image_called(q->want, image_text(a, "org.opencontainers.image.ref.name"));
}

static int take_index(
	struct search *q, const json_t *index, unsigned depth, const char *const *names);

static int take_one(
	struct search *q, const json_t *o, unsigned depth, const char *const *names)
{
	struct descriptor d;
	auto_buf bytes = {0};
	json_t *inner = NULL;
	int rc = take_descriptor(o, &d, q->err);

	if (rc < 0)
		return rc;
	switch (kind_of(d.media)) {
	case MANIFEST: return fits(q, o) ? take_manifest(q, &d, names) : 0;
	case INDEX: break;
	default: return 0;
	}
	if (depth == MAX_NESTED)
		return err_say(q->err, ELOOP, "indexes are nested too deep");
	rc = image_json(q->s, d.name, d.hex, d.size, &bytes, &inner, q->err);
	if (rc == 0)
		rc = take_index(q, inner, depth + 1, names);
	json_decref(inner);
	return rc;
}

/* At the top level each entry is an image; below, they are one image for different
 * platforms, and the first that matches is used. */
static int take_index(
	struct search *q, const json_t *index, unsigned depth, const char *const *names)
{
	const json_t *list = json_object_get(index, "manifests");
	size_t before = q->out->n;
	size_t n;
	json_t *o;

	if (!json_is_array(list))
		return err_say(q->err, EBADMSG, "an index without manifests");
	json_array_foreach(list, n, o)
	{
		const char *own[2];
		struct descriptor d;
		int rc;

		if (is_attestation(o))
			continue;
		rc = take_descriptor(o, &d, q->err);
		if (rc < 0)
			return rc;
		if (depth == 0 && !wanted(q, o, &d))
			continue;
		names_of(o, own);
		rc = take_one(q, o, depth, own[0] ? own : names);
		if (rc < 0)
			return rc;
		if (depth && q->out->n > before)
			break;
	}
	return 0;
}

static int nothing(struct search *q)
{
	char others[QUOTE_SIZE];

	if (q->passed && !q->others.failed) {
		ovl_escape(others, sizeof(others), q->others.data, q->others.len);
		return err_say(q->err, ENOENT, "no image for %s in it, but for %s",
			q->platform, others);
	}
	if (q->want)
		return err_say(q->err, ENOENT, "no image %s in it", Q(q->want));
	return err_say(q->err, ENOENT, "no image in it");
}

int image_read_oci(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err)
{
	static const char *const no_names[] = {NULL};
	struct search q = {
		.s = s,
		.want = want,
		.platform = platform ? platform : image_platform(),
		.asked = platform != NULL,
		.out = out,
		.err = err,
	};
	auto_buf bytes = {0};
	json_t *o = NULL;
	int rc = image_json(s, "oci-layout", NULL, UINT64_MAX, &bytes, &o, err);

	if (rc == 0 && strncmp(image_text(o, "imageLayoutVersion"), "1.", 2) != 0)
		rc = err_say(err, ENOTSUP, "an OCI layout of version %s",
			Q(image_text(o, "imageLayoutVersion")));
	json_decref(o);
	o = NULL;
	if (rc == 0)
		rc = image_json(s, "index.json", NULL, UINT64_MAX, &bytes, &o, err);
	if (rc == 0)
		rc = take_index(&q, o, 0, no_names);
	if (rc == 0 && !out->n)
		rc = nothing(&q);
	json_decref(o);
	buf_release(&q.others);
	return rc;
}
