/* SPDX-License-Identifier: ISC */
/* Finds out what kind of image a source is, and reads it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/quote.h"
#include "image/image.h"

/* The forms of an image: two have a manifest.json. */
enum { DOCKER_SAVE = 1, SKOPEO_DIR = 2, OCI_LAYOUT = 4 };

/* A digest in the manifest.json of skopeo's dir:, which is one manifest or an index. */
static const char *dir_part(const json_t *o)
{
	const json_t *list = image_member(o, "manifests");
	const json_t *part = image_member(o, "config");

	if (json_is_array(list))
		part = json_array_get(list, 0);
	else if (!json_is_array(image_member(o, "layers")))
		return NULL;
	return id_sha256_hex(image_text(part, "digest"));
}

/* A config is named after its digest; a manifest of an index has a suffix, too. */
static int find_any(struct source *s, const char *name, struct ovl_err *err)
{
	auto_part b = {0};
	int rc = source_find(s, name, &b, err);

	return rc ? rc : source_find(s, P("%s.manifest.json", name), &b, err);
}

/*
 * Does a config exist of any image that docker's manifest.json lists? If all are missing,
 * the archive is incomplete; layers may be missing.
 */
static int find_config(struct source *s, const json_t *list, struct ovl_err *err)
{
	const char *absent = NULL;
	const json_t *item;
	size_t n;
	int rc = 0;

	json_array_foreach(list, n, item) {
		const char *config = image_text(item, "Config");
		auto_part b = {0};

		if (!*config ||
			!(json_object_get(item, "Layers") ||
				image_member(item, "Layers")))
			continue;
		rc = source_find(s, config, &b, err);
		if (rc)
			return rc;
		absent = config;
	}
	return absent ?
		err_say(err, EBADMSG,
			"'manifest.json' names the config %s, which is missing; if this is "
			"a layer, not an incomplete image, use --as layer",
			Q(absent)) :
		0;
}

/* Which form this manifest.json belongs to; 0 for none, negative errno. */
static int manifest_kind(struct source *s, struct ovl_err *err)
{
	auto_buf bytes = {0};
	auto_part b = {0};
	auto_json o = NULL;
	const char *hex;
	int rc = source_find(s, "manifest.json", &b, err);

	if (rc <= 0)
		return rc;
	rc = image_json(s, "manifest.json", NULL, UINT64_MAX, &bytes, &o, err);
	if (rc < 0)
		return err_is_system(rc) ? rc : 0;
	hex = json_is_object(o) ? dir_part(o) : NULL;
	rc = hex ? find_any(s, hex, err) : find_config(s, o, err);
	return rc <= 0 ? rc : hex ? SKOPEO_DIR : DOCKER_SAVE;
}

static int is_oci(struct source *s, struct ovl_err *err)
{
	auto_part b = {0};
	int rc = source_find(s, "oci-layout", &b, err);

	part_release(&b);
	return rc <= 0 ? rc : source_find(s, "index.json", &b, err);
}

/* The forms of the source; 0: none. An archive in one form may contain a file of
 * another. */
static int forms(struct source *s, struct ovl_err *err)
{
	struct ovl_err why;
	int kind = manifest_kind(s, &why);
	int oci = err_is_system(kind) ? 0 : is_oci(s, err);

	if (oci < 0)
		return oci;
	if (kind < 0 && !oci) {
		*err = why;
		return kind;
	}
	return (kind > 0 ? kind : 0) | (oci ? OCI_LAYOUT : 0);
}

int image_is(struct source *s, struct ovl_err *err)
{
	int has = forms(s, err);

	return has > 0 ? 1 : has;
}

/* ---- reading ---------------------------------------------------------------------- */

/* If manifest.json has no names, takes them from index.json, for the same images. */
static int borrow_names(struct source *s, const struct wanted *want, struct images *im,
	struct ovl_err *err)
{
	auto_images named = {.base = im->base};
	struct ovl_err ignored;

	for (size_t i = 0; i < im->n; i++) {
		if (im->image[i].names)
			return 0;
	}
	if (image_read_oci(s, want, &named, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < im->n * named.n; i++) {
		struct image *to = &im->image[i % im->n];
		const struct image *from = &named.image[i / im->n];
		int rc = 0;

		if (strcmp(to->config_digest, from->config_digest) != 0)
			continue;
		for (char **p = from->names; p && *p && rc == 0; p++)
			rc = image_add_name(to, *p, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Docker 25 saves both forms; manifest.json has the full names. */
static int read_all(struct source *s, const struct wanted *want, struct images *out,
	struct ovl_err *err)
{
	int has = forms(s, err);
	int rc;

	if (has < 0)
		return has;
	if (has & SKOPEO_DIR)
		return image_read_dir(s, want, out, err);
	rc = has & DOCKER_SAVE ? image_read_docker(s, want, out, err) : 0;
	if (rc < 0 || has == DOCKER_SAVE)
		return rc;
	return out->n ? borrow_names(s, want, out, err) :
			image_read_oci(s, want, out, err);
}

/* The hex digits of want, if it can be the beginning of a digest. */
static bool as_digest(const char *want, char digits[ID_LEN + 1])
{
	bool said = strncmp(want, "sha256:", 7) == 0;
	const char *hex = want + (said ? 7 : 0);
	size_t n = strlen(hex);

	/* Without "sha256:" it needs at least the 12 digits that docker prints. */
	if (n > ID_LEN || n < (said ? 4 : 12) || hex[strspn(hex, "0123456789abcdef")])
		return false;
	snprintf(digits, ID_LEN + 1, "%s", hex);
	return true;
}

static int check_one(const struct images *im, const char *want, struct ovl_err *err)
{
	for (size_t i = 1; i < im->n; i++) {
		if (strcmp(im->image[0].config_digest, im->image[i].config_digest) != 0)
			return err_say(
				err, EEXIST, "%s matches several digests", Q(want));
	}
	return 0;
}

static int nothing(const struct images *im, const char *want, const struct platform *p,
	struct ovl_err *err)
{
	char more[32] = "";

	if (im->n_unusable) {
		*err = im->why;
		return -ENOTSUP;
	}
	if (im->n_others == 1)
		return err_say(err, ENOENT, "the image is for %s, not for %s",
			im->others.data ? im->others.data : "", p->text);
	if (im->n_others)
		return err_say(err, ENOENT, "no image for %s, only for %s", p->text,
			im->others.data ? im->others.data : "");
	if (im->n_names > 8)
		snprintf(more, sizeof(more), " and %u more", im->n_names - 8);
	if (want && im->n_names)
		return err_say(err, ENOENT, "no image %s; it has %s%s", Q(want),
			im->names.data ? im->names.data : "", more);
	return want ? err_say(err, ENOENT, "no image %s", Q(want)) :
		      err_say(err, ENOENT, "no image");
}

int image_read(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err)
{
	struct wanted w = {.name = want};
	int rc;

	platform_want(&w.platform, platform);
	rc = read_all(s, &w, out, err);
	if (rc == 0 && !out->n && want && as_digest(want, w.digest)) {
		w.name = NULL;
		rc = read_all(s, &w, out, err);
		if (rc == 0)
			rc = check_one(out, want, err);
	}
	return rc == 0 && !out->n ? nothing(out, want, &w.platform, err) : rc;
}
