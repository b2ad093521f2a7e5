/* SPDX-License-Identifier: ISC */
/*
 * Writes an OCI image layout (image-spec 1.0, image-layout.md): oci-layout, index.json
 * with a manifest for each image, and blobs/sha256/ with files named by their digest.
 */
#include <string.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/quote.h"
#include "image/export.h"
#include "image/image.h"
#include "image/reference.h"
#include "store/store.h"

#define MEDIA "application/vnd.oci.image."

static const char *layer_type(const struct export *x, const struct blob *b)
{
	const char *how = b->absent ? "none" : x->compress;

	return strcmp(how, "gzip") == 0  ? MEDIA "layer.v1.tar+gzip" :
		strcmp(how, "zstd") == 0 ? MEDIA "layer.v1.tar+zstd" :
					   MEDIA "layer.v1.tar";
}

static json_t *descriptor(const char *type, const char *hex, uint64_t size)
{
	return json_pack("{s:s, s:o, s:I}", "mediaType", type, "digest",
		json_sprintf("sha256:%s", hex), "size", (json_int_t)size);
}

static int add_blob(struct export *x, const char *hex, const struct blob *b,
	const struct buf *text, struct ovl_err *err)
{
	return export_add(x, P("blobs/sha256/%s", hex), b, text, err);
}

static int add_layers(
	struct export *x, const struct exported *img, json_t *layers, struct ovl_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < img->n && rc == 0; i++) {
		const struct blob *b = blob_of(img->stack[i]);

		rc = b->absent ? 0 : add_blob(x, b->digest, b, NULL, err);
		json_array_append_new(
			layers, descriptor(layer_type(x, b), b->digest, b->size));
	}
	return rc;
}

/* Only warns: a layout may contain any name, but docker and podman may reject it. */
static void warn_of_name(const struct export *x, const struct exported *img)
{
	auto_buf repository = {0};
	auto_buf tag = {0};

	if (!reference_split(img->what, &repository, &tag))
		store_warn(x->st,
			"%s is not an image reference: podman and docker cannot load it "
			"by this name",
			Q(img->what));
}

/* Adds the image's members, and its descriptor to manifests. */
static int add_image(struct export *x, const struct exported *img, json_t *manifests,
	struct ovl_err *err)
{
	auto_json layers = json_array();
	auto_json manifest = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2,
		"mediaType", MEDIA "manifest.v1+json", "config",
		descriptor(MEDIA "config.v1+json", img->config_digest, img->config.len),
		"layers", layers);
	auto_buf text = {0};
	char hex[ID_LEN + 1];
	json_t *d;
	int rc = add_layers(x, img, layers, err);

	if (rc == 0)
		rc = export_dump(manifest, &text, err);
	if (rc == 0)
		rc = digest_bytes(text.data, text.len, hex, err);
	if (rc == 0)
		rc = add_blob(x, hex, NULL, &text, err);
	if (rc == 0)
		rc = add_blob(x, img->config_digest, NULL, &img->config, err);
	if (rc < 0)
		return rc;
	d = descriptor(MEDIA "manifest.v1+json", hex, text.len);
	json_object_set(d, "platform", img->platform);
	if (img->named) {
		json_object_set_new(d, "annotations",
			json_pack(
				"{s:s}", "org.opencontainers.image.ref.name", img->what));
		warn_of_name(x, img);
	}
	json_array_append_new(manifests, d);
	return 0;
}

int export_oci(struct export *x, struct ovl_err *err)
{
	auto_json manifests = json_array();
	auto_json index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
		MEDIA "index.v1+json", "manifests", manifests);
	auto_json layout = json_pack("{s:s}", "imageLayoutVersion", "1.0.0");
	int rc = export_add(x, "blobs/", NULL, NULL, err);

	if (rc == 0)
		rc = export_add(x, "blobs/sha256/", NULL, NULL, err);
	for (size_t i = 0; i < x->n_images && rc == 0; i++)
		rc = add_image(x, &x->image[i], manifests, err);
	if (rc == 0)
		rc = export_add_json(x, "index.json", index, err);
	return rc < 0 ? rc : export_add_json(x, "oci-layout", layout, err);
}
