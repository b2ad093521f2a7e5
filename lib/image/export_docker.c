/* SPDX-License-Identifier: ISC */
/*
 * The format that "docker save" wrote up to version 24 and all its readers accept:
 * manifest.json, the config of each image as <hex>.json, its layers as <diff
 * id>/layer.tar; and for the oldest readers "repositories", which maps a tag to its top
 * layer.
 */
#include <string.h>

#include "base/fs.h"
#include "base/quote.h"
#include "image/export.h"
#include "image/image.h"
#include "image/reference.h"
#include "store/store.h"

/* Adds Docker's description of a layer, with its diff id as the key. Nothing else can
 * record the size of an absent layer. */
static void add_source(json_t *entry, const struct blob *b)
{
	json_t *sources = image_sub(entry, "LayerSources", JSON_OBJECT);
	const char *id = P("sha256:%s", b->diff_id);

	json_object_set_new(sources, id,
		json_pack("{s:s, s:s, s:I}", "mediaType",
			"application/vnd.oci.image.layer.v1.tar", "digest", id, "size",
			(json_int_t)b->size));
}

/* ---- members ---------------------------------------------------------------------- */

/* Images that differ only in their names are one entry with several tags. */
static json_t *entry_of(json_t *manifest, const char *config)
{
	json_t *entry;
	size_t i;

	json_array_foreach(manifest, i, entry) {
		const char *have = json_string_value(json_object_get(entry, "Config"));

		if (have && strcmp(have, config) == 0)
			return entry;
	}
	json_array_append_new(manifest,
		json_pack("{s:s, s:n, s:[]}", "Config", config, "RepoTags", "Layers"));
	return json_array_get(manifest, json_array_size(manifest) - 1);
}

static int add_layers(
	struct export *x, const struct exported *img, json_t *entry, struct ovl_err *err)
{
	json_t *layers = json_object_get(entry, "Layers");
	bool fill = json_array_size(layers) == 0;
	int rc = 0;

	for (size_t i = 0; i < img->n && rc == 0; i++) {
		const struct blob *b = blob_of(img->stack[i]);
		const char *path = P("%s/layer.tar", b->diff_id);

		if (b->absent)
			add_source(entry, b);
		else
			rc = export_add(x, P("%s/", b->diff_id), NULL, NULL, err);
		if (rc == 0 && !b->absent)
			rc = export_add(x, path, b, NULL, err);
		if (fill)
			json_array_append_new(layers, json_string(path));
	}
	return rc;
}

static void add_tag(
	struct export *x, const struct exported *img, json_t *entry, json_t *repositories)
{
	auto_buf repository = {0};
	auto_buf tag = {0};

	if (!img->named)
		return;
	if (!reference_split(img->what, &repository, &tag)) {
		store_warn(x->st, "%s is not an image reference: written without a tag",
			Q(img->what));
		return;
	}
	json_array_append_new(image_sub(entry, "RepoTags", JSON_ARRAY),
		json_sprintf("%s:%s", repository.data, tag.data));
	json_object_set_new(image_sub(repositories, repository.data, JSON_OBJECT),
		tag.data, json_string(blob_of(img->stack[img->n - 1])->diff_id));
}

static int add_image(struct export *x, const struct exported *img, json_t *manifest,
	json_t *repositories, struct ovl_err *err)
{
	const char *path = P("%s.json", img->config_digest);
	json_t *entry = entry_of(manifest, path);
	int rc = export_add(x, path, NULL, &img->config, err);

	if (rc == 0)
		rc = add_layers(x, img, entry, err);
	if (rc == 0)
		add_tag(x, img, entry, repositories);
	return rc;
}

int export_docker(struct export *x, struct ovl_err *err)
{
	auto_json manifest = json_array();
	auto_json repositories = json_object();
	int rc = 0;

	for (size_t i = 0; i < x->n_images && rc == 0; i++)
		rc = add_image(x, &x->image[i], manifest, repositories, err);
	if (rc == 0)
		rc = export_add_json(x, "manifest.json", manifest, err);
	if (rc == 0 && json_object_size(repositories))
		rc = export_add_json(x, "repositories", repositories, err);
	return rc;
}
