/*
 * Images as they stand in an archive or directory, before they are layers of a store.
 *
 *	image_read	manifests to struct images (image_oci.c, image_docker.c, and image.c for
 *			both)
 *	image_store	their layers, configs and names into the store
 */
#ifndef OVL_IMAGE_H
#define OVL_IMAGE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "image/source.h"
#include "ovl.h"

/* Of one image; how many can be mounted is the driver's matter. */
#define IMAGE_MAX_LAYERS 1024
#define IMAGE_MAX_NAMES  1024

struct image_layer {
	struct part blob;
	char digest[ID_LEN + 1]; /* of the blob; empty: not said */
	char diff_id[ID_LEN + 1];
};

struct image {
	struct buf config; /* its bytes as they came */
	char config_digest[ID_LEN + 1];
	struct image_layer *layer; /* bottom first */
	unsigned n_layers;
	char **names; /* NULL-terminated; may not be names of layers */
};

struct images {
	struct image *image;
	size_t n;
};

void images_release(struct images *im);
#define auto_images __attribute__((cleanup(images_release))) struct images

/* Is there an image? 1, 0; negative errno: there is something like one. */
int image_is(struct source *s, struct ovl_err *err);

/*
 * The images of a source: those called want (NULL: all), for that platform
 * ("os/arch[/variant]", NULL: this machine's). Every digest of what was read is checked.
 */
int image_read(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err);

/* Takes the images in; ids is of out->n, the layer each is the top of. */
int image_store(struct ovl_store *st, const struct ovl_import *req, struct images *im,
	struct ovl_id *ids, struct ovl_err *err);

/* ---- between the files of this module --------------------------------------------- */

int image_read_oci(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err);
int image_read_docker(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err);

/* A new image at the end of the list; NULL: no memory. */
struct image *image_add(struct images *im);
int image_add_name(struct image *i, const char *name, struct ovl_err *err);
int image_add_layer(struct image *i, struct ovl_err *err);

/* A file of the source as a JSON object or array; digest and size are checked if said
 * (hex; UINT64_MAX). */
int image_json(struct source *s, const char *name, const char *digest, uint64_t size,
	struct buf *bytes, json_t **out, struct ovl_err *err);

/* A member of an object, of a type that must be; "" and NULL where it is not there. */
const char *image_text(const json_t *o, const char *key);

/* "sha256:<hex>" to hex; NULL if it is none. */
const char *image_digest_hex(const char *digest);

/* Reads the config: its diff ids into the image's layers, as many as there are. what names
 * the file. platform: what it must be for, NULL: anything. */
int image_take_config(struct source *s, struct image *i, const char *name,
	const char *digest, uint64_t size, const char *platform, struct ovl_err *err);

/* Does want ask for what is called name? Tags may be left out where they are "latest". */
bool image_called(const char *want, const char *name);

/* "os/arch[/variant]" of this machine, in Go's words. */
const char *image_platform(void);
/* Is that what platform asks for? variant may be "". */
bool image_platform_fits(
	const char *platform, const char *os, const char *arch, const char *variant);

#endif
