/* SPDX-License-Identifier: ISC */
/* Selects the wanted images of an input, and reads their layers and configs. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/quote.h"
#include "base/vec.h"
#include "image/image.h"
#include "store/config.h"

static void image_release(struct image *i)
{
	buf_release(&i->config);
	for (unsigned n = 0; n < i->n_layers; n++)
		part_release(&i->layer[n].blob);
	free(i->layer);
	for (char **p = i->names; p && *p; p++)
		free(*p);
	free(i->names);
}

void images_release(struct images *im)
{
	for (size_t i = 0; i < im->n; i++)
		image_release(&im->image[i]);
	free(im->image);
	im->image = NULL;
	im->n = 0;
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
	char **more;

	while (i->names && i->names[n])
		n++;
	if (n == IMAGE_MAX_NAMES)
		return err_say(
			err, E2BIG, "an image of more than %d names", IMAGE_MAX_NAMES);
	more = realloc(i->names, (n + 2) * sizeof(*more));
	if (!more)
		return err_nomem(err);
	i->names = more;
	more[n] = strdup(name);
	more[n + 1] = NULL;
	return more[n] ? 0 : err_nomem(err);
}

int image_add_layer(struct image *i, struct ovl_err *err)
{
	if (i->n_layers == IMAGE_MAX_LAYERS)
		return err_say(
			err, E2BIG, "an image of more than %d layers", IMAGE_MAX_LAYERS);
	if (!VEC_ROOM(i->layer, i->n_layers))
		return err_nomem(err);
	memset(&i->layer[i->n_layers], 0, sizeof(*i->layer));
	i->n_layers++;
	return 0;
}

/* ---- JSON ------------------------------------------------------------------------- */

const char *image_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

const char *image_digest_hex(const char *digest)
{
	return strncmp(digest, "sha256:", 7) == 0 ? id_digest_hex(digest) : NULL;
}

static int check_bytes(const struct buf *bytes, const char *name, const char *digest,
	uint64_t size, struct ovl_err *err)
{
	char hex[ID_LEN + 1];
	int rc;

	if (size != UINT64_MAX && size != bytes->len)
		return err_say(err, EBADMSG, "%s has %zu bytes, not %" PRIu64, Q(name),
			bytes->len, size);
	if (!digest)
		return 0;
	rc = digest_bytes(bytes->data, bytes->len, hex, err);
	if (rc < 0)
		return rc;
	if (strcmp(hex, digest) != 0)
		return err_say(err, EBADMSG, "%s has the digest sha256:%s, not sha256:%s",
			Q(name), hex, digest);
	return 0;
}

/* Three bytes of the file may take 200 bytes of memory. */
#define MAX_VALUES 100000

static bool is_crowded(const struct buf *bytes)
{
	bool quoted = false;
	size_t n = 0;

	for (size_t i = 0; i < bytes->len; i++) {
		char c = bytes->data[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted)
			n += c == ',' || c == '{' || c == '[';
	}
	return n > MAX_VALUES;
}

int image_json(struct source *s, const char *name, const char *digest, uint64_t size,
	struct buf *bytes, json_t **out, struct ovl_err *err)
{
	json_error_t why;
	int rc = source_read(s, name, bytes, err);

	if (rc == 0)
		return err_say(err, ENOENT, "%s is missing", Q(name));
	if (rc > 0)
		rc = check_bytes(bytes, name, digest, size, err);
	if (rc < 0)
		return rc;
	if (is_crowded(bytes))
		return err_say(
			err, E2BIG, "%s holds more than %d values", Q(name), MAX_VALUES);
	*out = json_loadb(bytes->data, bytes->len, JSON_REJECT_DUPLICATES, &why);
	if (!*out) {
		char text[QUOTE_SIZE];

		/* The text quotes the file. */
		ovl_escape(text, sizeof(text), why.text, strlen(why.text));
		return err_say(err, EBADMSG, "%s is not JSON: line %d: %s", Q(name),
			why.line, text);
	}
	return 0;
}

/* ---- platforms -------------------------------------------------------------------- */

/* The names of machines in uname(2) and in Go. */
static const struct {
	const char *machine;
	const char *platform;
} platforms[] = {
	{"x86_64", "linux/amd64"},
	{"aarch64", "linux/arm64"},
	{"i686", "linux/386"},
	{"armv7l", "linux/arm/v7"},
	{"armv6l", "linux/arm/v6"},
	{"ppc64le", "linux/ppc64le"},
	{"s390x", "linux/s390x"},
	{"riscv64", "linux/riscv64"},
	{"loongarch64", "linux/loong64"},
	{"mips64", "linux/mips64le"},
};

const char *image_platform(void)
{
	struct utsname u;

	for (size_t i = 0; uname(&u) == 0 && i < sizeof(platforms) / sizeof(platforms[0]);
		i++) {
		if (strcmp(u.machine, platforms[i].machine) == 0)
			return platforms[i].platform;
	}
	return "linux/unknown";
}

bool image_platform_fits(
	const char *platform, const char *os, const char *arch, const char *variant)
{
	size_t n = strlen(os);
	size_t m = strlen(arch);

	if (strncmp(platform, os, n) != 0 || platform[n] != '/')
		return false;
	platform += n + 1;
	if (strncmp(platform, arch, m) != 0)
		return false;
	platform += m;
	/* A variant that one side does not have is not compared. */
	return !*platform ||
		(*platform == '/' && (!*variant || strcmp(platform + 1, variant) == 0));
}

bool image_called(const char *want, const char *name)
{
	static const char latest[] = ":latest";
	size_t n = strlen(want);

	return strcmp(want, name) == 0 ||
		(strncmp(want, name, n) == 0 && strcmp(name + n, latest) == 0);
}

/* ---- the config ------------------------------------------------------------------- */

static int take_diff_ids(
	struct image *i, const json_t *config, const char *name, struct ovl_err *err)
{
	const json_t *rootfs = json_object_get(config, "rootfs");
	const json_t *ids = json_object_get(rootfs, "diff_ids");

	if (strcmp(image_text(rootfs, "type"), "layers") != 0 || !json_is_array(ids))
		return err_say(err, EBADMSG, "%s is no image config", Q(name));
	if (json_array_size(ids) != i->n_layers)
		return err_say(err, EBADMSG, "%s is of %zu layers, the image has %u",
			Q(name), json_array_size(ids), i->n_layers);
	for (unsigned n = 0; n < i->n_layers; n++) {
		const char *id = json_string_value(json_array_get(ids, n));
		const char *hex = id ? image_digest_hex(id) : NULL;

		if (!hex)
			return err_say(err, EBADMSG, "%s: %s is no diff id", Q(name),
				Q(id ? id : ""));
		memcpy(i->layer[n].diff_id, hex, ID_LEN + 1);
	}
	return 0;
}

static int config_fits(const json_t *config, const char *platform, struct ovl_err *err)
{
	const char *os = image_text(config, "os");
	const char *arch = image_text(config, "architecture");
	const char *variant = image_text(config, "variant");
	auto_buf is = {0};
	char text[QUOTE_SIZE];

	if (!platform || image_platform_fits(platform, os, arch, variant))
		return 0;
	buf_addf(&is, "%s/%s", os, arch);
	if (is.failed)
		return err_nomem(err);
	ovl_escape(text, sizeof(text), is.data, is.len);
	return err_say(err, ENOENT, "the image is for %s, not for %s", text, platform);
}

int image_take_config(struct source *s, struct image *i, const char *name,
	const char *digest, uint64_t size, const char *platform, struct ovl_err *err)
{
	json_t *config = NULL;
	int rc = image_json(s, name, digest, size, &i->config, &config, err);

	if (rc == 0)
		rc = take_diff_ids(i, config, name, err);
	if (rc == 0)
		rc = config_fits(config, platform, err);
	json_decref(config);
	if (rc < 0)
		return rc;
	if (digest) {
		memcpy(i->config_digest, digest, ID_LEN + 1);
		return 0;
	}
	return digest_bytes(i->config.data, i->config.len, i->config_digest, err);
}
