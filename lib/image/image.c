/* SPDX-License-Identifier: ISC */
/* Selects the wanted images of an input, and reads their layers and configs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/quote.h"
#include "base/text.h"
#include "base/vec.h"
#include "image/image.h"
#include "store/names.h"

static void image_release(struct image *i)
{
	buf_release(&i->config);
	for (unsigned n = 0; n < i->n_layers; n++)
		part_release(&i->layer[n].blob);
	free(i->layer);
	texts_free(i->names);
}

void images_cut(struct images *im, size_t n)
{
	while (im->n > n)
		image_release(&im->image[--im->n]);
}

void images_release(struct images *im)
{
	images_cut(im, 0);
	free(steal(im->image));
	buf_release(&im->notes);
	buf_release(&im->others);
	buf_release(&im->names);
}

struct image *image_add(struct images *im)
{
	if (!VEC_ROOM(im->image, im->n))
		return NULL;
	memset(&im->image[im->n], 0, sizeof(*im->image));
	return &im->image[im->n++];
}

int image_add_name(struct image *i, const char *name, struct ovl_err *err)
{
	size_t n = 0;

	while (i->names && i->names[n])
		n++;
	if (n == IMAGE_MAX_NAMES)
		return err_say(
			err, E2BIG, "the image has more than %d names", IMAGE_MAX_NAMES);
	return texts_add(&i->names, name) < 0 ? err_nomem(err) : 0;
}

int image_add_layer(struct image *i, struct ovl_err *err)
{
	if (i->n_layers == IMAGE_MAX_LAYERS)
		return err_say(err, E2BIG, "the image has more than %d layers",
			IMAGE_MAX_LAYERS);
	if (!VEC_ROOM(i->layer, i->n_layers))
		return err_nomem(err);
	i->layer[i->n_layers++] = (struct image_layer){.blob.fd = -1};
	return 0;
}

bool image_is_thin(const struct image *i)
{
	unsigned n = 0;

	while (n < i->n_layers && !i->layer[n].absent)
		n++;
	return n < i->n_layers;
}

/* ---- names ------------------------------------------------------------------------ */

bool image_called(const char *want, const char *name)
{
	char form[NAME_FORM_SIZE];
	bool same = strcmp(want, name) == 0;

	for (unsigned i = 0; !same && name_form(want, i, form); i++)
		same = strcmp(form, name) == 0;
	return *name && same;
}

/* ---- images that are not imported ------------------------------------------------- */

#define MAX_NOTES 100
#define MAX_TOLD  8

void image_note(struct images *im, const char *fmt, ...)
{
	char line[sizeof(((struct ovl_err *)NULL)->text)];
	va_list ap;

	if (im->n_notes++ >= MAX_NOTES)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_add(&im->notes, line, strlen(line) + 1);
}

/* Adds to a list for a message, which shows only the first few. */
static void tell(struct buf *list, unsigned *n, const char *text)
{
	if ((*n)++ < MAX_TOLD)
		buf_addf(list, "%s%s", list->len ? ", " : "", text);
}

void image_not_named(struct images *im, const char *name)
{
	char text[60];

	ovl_escape(text, sizeof(text), name, strlen(name));
	tell(&im->names, &im->n_names, text);
}

void image_not_for(struct images *im, const char *platform)
{
	tell(&im->others, &im->n_others, platform);
}

void image_note_platform(struct images *im, const char *what, const char *platform,
	const struct platform *want)
{
	image_note(im, "image %s is for %s, not for %s", Q(what), platform, want->text);
}

void image_unusable(
	struct images *im, size_t n, const char *what, const struct ovl_err *err)
{
	if (!im->n_unusable++)
		im->why = *err;
	image_note(im, "image %s skipped: %.600s", Q(what), err->text);
	images_cut(im, n); /* last, because what may point to a name in one of them */
}

/* ---- the config ------------------------------------------------------------------- */

static int take_diff_ids(
	struct image *i, const json_t *config, const char *name, struct ovl_err *err)
{
	const json_t *ids = image_member(image_member(config, "rootfs"), "diff_ids");

	if (!json_is_array(ids))
		return err_say(err, EBADMSG, "%s is not an image config", Q(name));
	if (json_array_size(ids) != i->n_layers)
		return err_say(err, EBADMSG, "%s lists %zu layers, but the image has %u",
			Q(name), json_array_size(ids), i->n_layers);
	for (unsigned n = 0; n < i->n_layers; n++) {
		const char *id = json_string_value(json_array_get(ids, n));
		const char *hex = id ? id_sha256_hex(id) : NULL;

		if (!hex)
			return err_say(err, ENOTSUP, "%s: %s is not a sha256 diff id",
				Q(name), Q(id ? id : ""));
		memcpy(i->layer[n].diff_id, hex, ID_LEN + 1);
	}
	return 0;
}

void image_platform_text(char out[100], const json_t *o)
{
	const char *variant = image_text(o, "variant");
	auto_buf text = {0};

	buf_addf(&text, "%s/%s%s%s", image_text(o, "os"), image_text(o, "architecture"),
		*variant ? "/" : "", variant);
	ovl_escape(out, 100, text.failed ? "" : text.data, text.failed ? 0 : text.len);
}

int image_take_config(struct source *s, struct image *i, const char *name,
	const char *digest, uint64_t size, const struct platform *want, unsigned *rank,
	struct ovl_err *err)
{
	auto_json config = NULL;
	int rc = image_json(s, name, digest, size, &i->config, &config, err);

	if (rc == 0)
		rc = take_diff_ids(i, config, name, err);
	if (rc < 0)
		return rc;
	*rank = platform_rank(want, image_text(config, "os"),
		image_text(config, "architecture"), image_text(config, "variant"));
	image_platform_text(i->platform, config);
	return digest_bytes(i->config.data, i->config.len, i->config_digest, err);
}
