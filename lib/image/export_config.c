/* SPDX-License-Identifier: ISC */
/*
 * Makes image configs: OCI image-spec, config.md, which docker uses too.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "tar/tarout.h"
#include "image/config_change.h"
#include "image/export.h"
#include "image/image.h"
#include "store/config.h"
#include "store/driver.h"
#include "store/names.h"

/* ---- an existing config ----------------------------------------------------------- */

/* Parses a config, and changes the keys used here to the spelling of the image-spec. */
static json_t *parse_config(const struct buf *text)
{
	static const char *const keys[] = {"architecture", "config", "created", "history",
		"os", "os.features", "os.version", "rootfs", "variant"};
	json_error_t why;
	json_t *o = image_parse(text, &why);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		image_respell(o, keys[i]);
	image_respell(json_object_get(o, "rootfs"), "diff_ids");
	return o;
}

/* True if the config's layers are the first n of the stack. */
static bool config_fits(const json_t *config, const struct exported *img, size_t n)
{
	const json_t *ids = json_object_get(
		json_object_get(config, "rootfs"), "diff_ids");

	if (!json_is_array(ids) || json_array_size(ids) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(ids, i));
		const char *hex = s ? id_digest_hex(s) : NULL;

		if (!hex || strcmp(hex, img->stack[i]->diff_id) != 0)
			return false;
	}
	return true;
}

/*
 * Finds the config of the first n layers of the stack: 1 found, 0 not, negative errno.
 * own: these are the operand's layers, so a config that does not match is damage.
 */
static int find_for(struct exported *img, size_t n, bool own, struct ovl_err *err)
{
	const struct layer *l = &img->stack[n - 1]->l;
	struct layer_ref ref = layer_ref_of(l);
	char name[NAME_LEN_MAX + 1];
	char hex[ID_LEN + 1];
	char is[ID_LEN + 1];
	auto_json o = NULL;
	int rc;

	/* The operand selects a config only for its own layer; for a lower one take its
	 * first name's. */
	if (!own)
		names_first(l->st, &ref, name);
	rc = config_get(l, own ? img->what : name, &img->found, hex, err);
	if (rc <= 0)
		return rc;
	rc = digest_bytes(img->found.data, img->found.len, is, err);
	if (rc < 0)
		return rc;
	if (strcmp(is, hex) != 0)
		return err_say(err, EUCLEAN, "config %.12s of layer %.12s is damaged",
			hex, l->id.s);
	o = parse_config(&img->found);
	if (o && config_fits(o, img, n)) {
		img->found_for = n;
		return 1;
	}
	return own ? err_say(err, EUCLEAN,
			     "config %.12s of layer %.12s does not match its stack", hex,
			     l->id.s) :
		     0;
}

int export_find_config(struct exported *img, struct ovl_err *err)
{
	int rc = img->change ? 0 : find_for(img, img->n, true, err);

	for (size_t n = img->n - 1; rc == 0 && n; n--)
		rc = find_for(img, n, false, err);
	return rc < 0 ? rc : 0;
}

/* ---- a new config ----------------------------------------------------------------- */

/* RFC 3339, years 1970 to 9999, clamped by $SOURCE_DATE_EPOCH. */
static int when(int64_t seconds, char out[32], struct ovl_err *err)
{
	int64_t latest = INT64_C(253402300799);
	int rc = tarout_latest(&latest, err);
	struct tm tm;
	time_t t;

	if (rc < 0)
		return rc;
	if (latest > INT64_C(253402300799))
		latest = INT64_C(253402300799);
	t = seconds < 0 ? 0 : seconds > latest ? latest : seconds;
	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return 0;
}

static bool is_of_layer(const json_t *entry)
{
	return !json_is_true(json_object_get(entry, "empty_layer"));
}

/* The number of layers with an entry in the history. */
static size_t history_length(const json_t *config)
{
	const json_t *history = json_object_get(config, "history");
	const json_t *entry;
	size_t n = 0;
	size_t i;

	json_array_foreach(history, i, entry)
		n += is_of_layer(entry);
	return n;
}

/* Marks entries beyond the number of layers as entries without a layer, from the last. */
static void cut_history(json_t *config, size_t layers)
{
	json_t *history = json_object_get(config, "history");
	size_t n = history_length(config);

	for (size_t i = json_array_size(history); n > layers && i-- > 0;) {
		json_t *entry = json_array_get(history, i);

		if (!is_of_layer(entry))
			continue;
		json_object_set_new(entry, "empty_layer", json_true());
		n--;
	}
}

/* Sets the layers, and adds missing history entries. */
static int add_layers(json_t *config, const struct exported *img, struct ovl_err *err)
{
	json_t *rootfs = image_sub(config, "rootfs", JSON_OBJECT);
	json_t *ids = image_sub(rootfs, "diff_ids", JSON_ARRAY);
	json_t *history = image_sub(config, "history", JSON_ARRAY);
	char created[32];
	size_t n;

	cut_history(config, img->found_for);
	n = history_length(config);
	json_object_set_new(rootfs, "type", json_string("layers"));
	json_array_clear(ids);
	for (size_t i = 0; i < img->n; i++) {
		const struct blob *b = img->stack[i];
		int rc = when(b->l.meta.created.tv_sec, created, err);

		if (rc < 0)
			return rc;
		json_array_append_new(ids, json_sprintf("sha256:%s", b->diff_id));
		if (i >= n)
			json_array_append_new(history,
				json_pack("{s:s, s:s}", "created", created, "created_by",
					"ovlctl"));
	}
	if (img->found_for < img->n)
		json_object_set_new(config, "created", json_string(created));
	if (!config_fits(config, img, img->n))
		return err_nomem(err);
	return img->change ? image_change(config, img->change, err) : 0;
}

/* The config of an image without a recorded one. */
static json_t *new_config(void)
{
	struct platform here;
	json_t *o;

	platform_here(&here);
	o = json_pack(
		"{s:s, s:s, s:{}}", "architecture", here.arch, "os", here.os, "config");
	if (*here.variant)
		json_object_set_new(o, "variant", json_string(here.variant));
	return o;
}

/* OCI image-spec, image-index.md: the platform of an image in an index. */
static json_t *platform(const json_t *config)
{
	static const char *const keys[] = {
		"architecture", "os", "os.features", "os.version", "variant"};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *v = json_object_get(config, keys[i]);

		if (json_is_array(v) || (json_is_string(v) && json_string_length(v)))
			json_object_set(o, keys[i], v);
	}
	return o;
}

int export_make_config(struct exported *img, struct ovl_err *err)
{
	auto_json config = img->found_for ? parse_config(&img->found) : new_config();
	size_t entries = history_length(config);
	int rc = 0;

	if (!config)
		return err_nomem(err);
	/* Even a config for these layers may not fit: a layer that was packed again has a
	 * new diff id. The image-spec allows an empty history. */
	if (img->found_for == img->n && config_fits(config, img, img->n) &&
		(!entries || entries == img->n)) {
		buf_add(&img->config, img->found.data, img->found.len);
		rc = img->config.failed ? err_nomem(err) : 0;
	} else {
		rc = add_layers(config, img, err);
		if (rc == 0)
			rc = export_dump(config, &img->config, err);
	}
	if (rc < 0)
		return rc;
	img->platform = platform(config);
	return digest_bytes(img->config.data, img->config.len, img->config_digest, err);
}
