/* SPDX-License-Identifier: ISC */
/*
 * Reads docker-save archives (Docker's image spec v1.2): manifest.json is an array of
 * {Config, RepoTags, Layers}, whose Config and Layers name other members: <hex>.json and
 * <hex>/layer.tar, or since Docker 25 blobs/sha256/<hex> for both.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "image/image.h"

/* The digest in a name: blobs/sha256/<hex>, or <hex>.json of a config. Other names
 * have none, or an old layer id. */
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

	json_array_foreach(layers, n, v)
	{
		const char *name = json_string_value(v);
		struct image_layer *l;
		int rc = image_add_layer(i, err);

		if (rc < 0)
			return rc;
		if (!name)
			return err_say(
				err, EBADMSG, "'manifest.json': a layer without a name");
		l = &i->layer[i->n_layers - 1];
		rc = source_find(s, name, &l->blob, err);
		if (rc == 0)
			return err_say(err, ENOENT, "%s is missing", Q(name));
		if (rc < 0)
			return rc;
		if (!digest_in_name(name, l->digest))
			l->digest[0] = '\0';
	}
	return 0;
}

/* 1: it is wanted, or all are. */
static int take_names(
	struct image *i, const json_t *item, const char *want, struct ovl_err *err)
{
	int wanted = want == NULL;
	size_t n;
	json_t *v;

	json_array_foreach(json_object_get(item, "RepoTags"), n, v)
	{
		const char *name = json_string_value(v);
		int rc;

		if (!name)
			continue;
		if (want && !image_called(want, name))
			continue;
		wanted = 1;
		rc = image_add_name(i, name, err);
		if (rc < 0)
			return rc;
	}
	return wanted;
}

static int take_item(struct source *s, const json_t *item, const char *want,
	const char *platform, struct images *out, struct ovl_err *err)
{
	const char *config = image_text(item, "Config");
	char hex[ID_LEN + 1];
	bool named = digest_in_name(config, hex);
	struct image *i = image_add(out);
	int wanted;
	int rc;

	if (!i)
		return err_nomem(err);
	wanted = take_names(i, item, want, err);
	if (wanted < 0)
		return wanted;
	if (!wanted &&
		!(named && id_digest_hex(want) &&
			strcmp(id_digest_hex(want), hex) == 0)) {
		out->n--;
		return 0;
	}
	if (!*config || !json_is_array(json_object_get(item, "Layers")))
		return err_say(err, EBADMSG,
			"'manifest.json': an image without Config or Layers");
	rc = take_layers(s, i, json_object_get(item, "Layers"), err);
	if (rc == 0)
		rc = image_take_config(
			s, i, config, named ? hex : NULL, UINT64_MAX, platform, err);
	return rc;
}

int image_read_docker(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err)
{
	auto_buf bytes = {0};
	json_t *list = NULL;
	json_t *item;
	size_t n;
	int rc = image_json(s, "manifest.json", NULL, UINT64_MAX, &bytes, &list, err);

	if (rc == 0)
		json_array_foreach(list, n, item)
		{
			rc = take_item(s, item, want, platform, out, err);
			if (rc < 0)
				break;
		}
	json_decref(list);
	if (rc == 0 && !out->n)
		rc = err_say(err, ENOENT, want ? "no image %s in it" : "no image in it",
			Q(want ? want : ""));
	return rc;
}
