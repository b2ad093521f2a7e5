/*
 * Images in an archive or directory, before they are layers of a store.
 *
 *	image_read	manifests to struct images (image_oci.c, image_docker.c, and image.c for
 *			both)
 *	image_store	puts their layers, configs and names into the store
 */
#ifndef OVL_IMAGE_H
#define OVL_IMAGE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "image/source.h"
#include "ovl.h"

/* Limits of one image; the driver decides how many layers can be mounted. */
#define IMAGE_MAX_LAYERS 1024
#define IMAGE_MAX_NAMES  1024

struct image_layer {
	struct part blob;
	char digest[ID_LEN + 1]; /* of the blob; empty: unknown */
	char diff_id[ID_LEN + 1];
};

struct image {
	struct buf config; /* its bytes, unchanged */
	char config_digest[ID_LEN + 1];
	struct image_layer *layer; /* bottom first */
	unsigned n_layers;
	char **names; /* NULL-terminated; not all of them are valid names of layers */
};

struct images {
	struct image *image;
	size_t n;
};

void images_release(struct images *im);
#define auto_images __attribute__((cleanup(images_release))) struct images

/* 1 if there is an image, 0 if not; negative errno: there is a broken one. */
int image_is(struct source *s, struct ovl_err *err);

/*
 * Reads the images of a source: those called want (NULL: all), for that platform
 * ("os/arch[/variant]", NULL: this machine's). Checks every digest of what it reads.
 */
int image_read(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err);

/* Imports the images; ids has out->n elements, the top layer of each. */
int image_store(struct ovl_store *st, const struct ovl_import *req, struct images *im,
	struct ovl_id *ids, struct ovl_err *err);

/* ---- between the files of this module --------------------------------------------- */

int image_read_oci(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err);
int image_read_docker(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err);

/* Appends a new image to the list; NULL: out of memory. */
struct image *image_add(struct images *im);
int image_add_name(struct image *i, const char *name, struct ovl_err *err);
int image_add_layer(struct image *i, struct ovl_err *err);

/* Reads a file of the source as a JSON object or array; checks digest (hex; may be
 * NULL) and size (UINT64_MAX: any). */
int image_json(struct source *s, const char *name, const char *digest, uint64_t size,
	struct buf *bytes, json_t **out, struct ovl_err *err);

/* The text of a member of an object; "" if there is none. */
const char *image_text(const json_t *o, const char *key);

/* "sha256:<hex>" to hex; NULL if it is invalid. */
const char *image_digest_hex(const char *digest);

/* Reads the config and sets the diff ids of the image's layers; their numbers must
 * match. name: the file. platform: the required one, NULL: any. */
int image_take_config(struct source *s, struct image *i, const char *name,
	const char *digest, uint64_t size, const char *platform, struct ovl_err *err);

/* True if want means the image called name. The tag "latest" may be omitted. */
bool image_called(const char *want, const char *name);

/* "os/arch[/variant]" of this machine, in Go's words. */
const char *image_platform(void);
/* True if it matches platform. variant may be "". */
bool image_platform_fits(
	const char *platform, const char *os, const char *arch, const char *variant);

#endif
