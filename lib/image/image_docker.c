/* SPDX-License-Identifier: ISC */
/*
 * Reads docker-save archives (Docker's image spec v1.2): manifest.json is an array of
 * {Config, RepoTags, Layers}, whose Config and Layers name other members: <hex>.json and
 * <hex>/layer.tar, or since Docker 25 blobs/sha256/<hex> for both.
 */
#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/quote.h"
#include "image/image.h"

/* The digest in a name: blobs/sha256/<hex>, or <hex>.json of a config. Other names have
 * none, or only an old layer id. */
static bool digest_in_name(const char *name, char hex[ID_LEN + 1])
{
	static const char blobs[] = "blobs/sha256/";
	bool blob = strncmp(name, blobs, sizeof(blobs) - 1) == 0;
	size_t n;

	if (blob)
		name += sizeof(blobs) - 1;
	n = strlen(name);
	if (blob ? n != ID_LEN : n != ID_LEN + 5 || strcmp(name + ID_LEN, ".json") != 0)
		return false;
	memcpy(hex, name, ID_LEN);
	hex[ID_LEN] = '\0';
	return id_is_full(hex);
}

static int take_layers(
	struct source *s, struct image *i, const json_t *layers, struct ovl_err *err)
{
	size_t n;
	json_t *v;

	json_array_foreach(layers, n, v) {
		const char *name = json_string_value(v);
		int rc = image_add_layer(i, err);

		if (rc < 0)
			return rc;
		if (!name)
			return err_say(
				err, EBADMSG, "'manifest.json': a layer has no name");
		rc = source_find(s, name, &i->layer[i->n_layers - 1].blob, err);
		if (rc < 0)
			return rc;
		i->layer[i->n_layers - 1].absent = rc == 0;
	}
	return i->n_layers ? 0 : err_say(err, ENOTSUP, "the image has no layers");
}

/* Takes the names of an image: 1 if one of them is wanted, or all images are. */
static int take_names(struct images *im, struct image *i, const json_t *item,
	const char *want, struct ovl_err *err)
{
	const json_t *names = image_member(item, "RepoTags");
	int wanted = want == NULL;
	size_t n;
	json_t *v;

	json_array_foreach(names, n, v) {
		const char *name = json_string_value(v);
		int rc;

		if (!name)
			continue;
		if (want && !image_called(want, name)) {
			image_not_named(im, name);
			continue;
		}
		wanted = 1;
		rc = image_add_name(i, name, err);
		if (rc < 0)
			return rc;
	}
	return wanted;
}

/* Does the config's digest begin with these digits? 1, 0, negative errno. */
static int has_digest(
	struct source *s, const char *config, const char *begin, struct ovl_err *err)
{
	char hex[ID_LEN + 1];
	auto_buf bytes = {0};
	int rc = source_read(s, config, &bytes, err);

	if (rc > 0)
		rc = digest_bytes(bytes.data, bytes.len, hex, err);
	else
		return rc;
	return rc < 0 ? rc : strncmp(hex, begin, strlen(begin)) == 0;
}

/* Takes the sizes of absent layers, for messages: docker describes layers by diff id. */
static void take_sizes(struct image *i, const json_t *sources)
{
	for (unsigned n = 0; n < i->n_layers; n++) {
		const json_t *of = image_member(
			sources, P("sha256:%s", i->layer[n].diff_id));
		const json_t *size = image_member(of, "size");

		if (i->layer[n].absent && json_integer_value(size) > 0)
			i->layer[n].blob.size = (uint64_t)json_integer_value(size);
	}
}

/* A config's name is only a file name, so a wrong digest in it is noted, but is no
 * error. */
static void check_name(struct images *im, const struct image *i, const char *config)
{
	char hex[ID_LEN + 1];

	if (digest_in_name(config, hex) && strcmp(hex, i->config_digest) != 0)
		image_note(im, "the config %s has a different digest: sha256:%s",
			Q(config), i->config_digest);
}

static int take_parts(struct source *s, struct images *im, const json_t *item,
	const struct platform *want, struct ovl_err *err)
{
	const char *config = image_text(item, "Config");
	struct image *i = &im->image[im->n - 1];
	const char *label = i->names ? i->names[0] : config;
	unsigned rank;
	int rc = *config ? take_layers(s, i, image_member(item, "Layers"), err) :
			   err_say(err, ENOTSUP, "the image has no config");

	if (rc == 0)
		rc = image_take_config(s, i, config, NULL, UINT64_MAX, want, &rank, err);
	if (rc == -ENOTSUP) {
		image_unusable(im, im->n - 1, label, err);
		return 0;
	}
	if (rc < 0)
		return rc;
	check_name(im, i, config);
	take_sizes(i, image_member(item, "LayerSources"));
	if (rank)
		return 0;
	if (!want->asked) {
		image_note_platform(im, label, i->platform, want);
		return 0;
	}
	image_not_for(im, i->platform);
	images_cut(im, im->n - 1);
	return 0;
}

static int take_item(struct source *s, const json_t *item, const struct wanted *want,
	struct images *out, struct ovl_err *err)
{
	struct image *i = image_add(out);
	int wanted = i ? take_names(out, i, item, want->name, err) : err_nomem(err);

	if (wanted > 0 && *want->digest)
		wanted = has_digest(s, image_text(item, "Config"), want->digest, err);
	if (wanted <= 0) {
		images_cut(out, out->n - (i != NULL));
		return wanted;
	}
	return take_parts(s, out, item, &want->platform, err);
}

int image_read_docker(struct source *s, const struct wanted *want, struct images *out,
	struct ovl_err *err)
{
	auto_buf bytes = {0};
	auto_json list = NULL;
	json_t *item;
	size_t n;
	int rc = image_json(s, "manifest.json", NULL, UINT64_MAX, &bytes, &list, err);

	for (n = 0; rc == 0 && (item = json_array_get(list, n)); n++)
		rc = take_item(s, item, want, out, err);
	return rc;
}
