/*
 * Images in an archive or directory, before they are layers of a store.
 *
 *	image_read	manifests to struct images (image_oci.c, image_docker.c; for both
 *			image.c and image_json.c)
 *	image_store	puts their layers, configs and names into the store
 */
#ifndef OVL_IMAGE_H
#define OVL_IMAGE_H

#include "base/buf.h"
#include "base/json.h"
#include "base/err.h"
#include "base/id.h"
#include "image/platform.h"
#include "image/source.h"
#include "ovl.h"

/* Limits of an image; the driver limits how many layers can be mounted. */
#define IMAGE_MAX_LAYERS 1024
#define IMAGE_MAX_NAMES  1024

struct foreign_layer;

struct image_layer {
	struct part blob; /* if absent, only its size, 0 if unknown */
	/* The layer in another program's store whose files are taken over; NULL: it comes
	 * from the blob. */
	const struct foreign_layer *from;
	bool packed; /* its tar does not exist: the diff id is that of a tar made from the
		      * files */
	bool absent; /* not in the input; the store must have the layer */
	char digest[ID_LEN + 1]; /* of the blob; empty: unknown */
	char diff_id[ID_LEN + 1];
};

struct image {
	struct buf config; /* its bytes, unchanged */
	char platform[100]; /* for messages */
	char config_digest[ID_LEN + 1];
	char other_digest[ID_LEN +
		1]; /* in another program's store, before it was changed */
	struct image_layer *layer; /* bottom first */
	unsigned n_layers;
	char **names; /* NULL-terminated; not all of them are valid names of layers */
};

struct images {
	struct image *image;
	size_t n;
	const char *base; /* prefix of a name that is only a tag; NULL: ignore such
			   * names */
	struct buf notes; /* warnings for the user, each terminated by a NUL */
	unsigned n_notes; /* may be more than notes has */
	struct ovl_store
		*other; /* another program's store that contains the layers; NULL: none */
	bool unverified; /* also take layers whose tar does not exist, packed from their
			  * files */

	/* About images that were not chosen, for the message if none was. */
	struct buf others; /* their platforms */
	unsigned n_others;
	struct buf names; /* their names */
	unsigned n_names;
	unsigned n_unusable; /* number of images that cannot be imported */
	struct ovl_err why; /* the reason for the first of these */
};

void images_release(struct images *im);
#define auto_images __attribute__((cleanup(images_release))) struct images

/* 1 if there is an image, 0 if not; negative errno: there is a broken one. */
int image_is(struct source *s, struct ovl_err *err);

/*
 * Reads the images of a source: those called want (NULL: all; a name, or the beginning of
 * the digest of a config, manifest or index), for that platform ("os/arch[/variant]",
 * NULL: this machine's). Checks every digest of what it reads. Images that cannot be
 * imported are skipped with a note if another one remains.
 */
int image_read(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err);

/* The prefix of a name that is only a tag: the last component of the input's real path,
 * without suffixes for archives and compression. "" for a pipe. */
void image_base(int fd, struct buf *out);

/* Imports the images. *ids: the top layer of each; the caller's, also after a failure. */
int image_store(struct ovl_store *st, const struct ovl_import *req, struct images *im,
	struct ovl_ids *ids, struct ovl_err *err);

/* ---- between the files of this module --------------------------------------------- */

/* The images to be read. */
struct wanted {
	const char *name; /* NULL: any */
	char digest[ID_LEN + 1]; /* the beginning of a digest, in hex; "": any */
	struct platform platform;
};

/* These find all images that are wanted; there may be none. */
int image_read_oci(struct source *s, const struct wanted *want, struct images *out,
	struct ovl_err *err);
int image_read_docker(struct source *s, const struct wanted *want, struct images *out,
	struct ovl_err *err);
/* A directory written by skopeo (dir:) or podman (docker-dir). */
int image_read_dir(struct source *s, const struct wanted *want, struct images *out,
	struct ovl_err *err);

/* Appends a new image to the list; NULL: out of memory. */
struct image *image_add(struct images *im);
/* Removes all images from the nth on. */
void images_cut(struct images *im, size_t n);
int image_add_name(struct image *i, const char *name, struct ovl_err *err);
int image_add_layer(struct image *i, struct ovl_err *err);
/* True if layers are absent. */
bool image_is_thin(const struct image *i);

/* Adds a warning. */
void image_note(struct images *im, const char *fmt, ...) PRINTF(2, 3);
/* Records that an image of that name, or for that platform, is not chosen. */
void image_not_named(struct images *im, const char *name);
void image_not_for(struct images *im, const char *platform);
/* Warns about an image for another platform. */
void image_note_platform(struct images *im, const char *what, const char *platform,
	const struct platform *want);
/* Removes all images from the nth on, which cannot be imported, and records why (err). */
void image_unusable(
	struct images *im, size_t n, const char *what, const struct ovl_err *err);

/* Reads a file of the source as a JSON object or array; checks digest (hex; may be
 * NULL) and size (UINT64_MAX: any). */
int image_json(struct source *s, const char *name, const char *digest, uint64_t size,
	struct buf *bytes, json_t **out, struct ovl_err *err);
/* Parses JSON as Go's encoding/json does; NULL and *why on failure. */
json_t *image_parse(const struct buf *bytes, json_error_t *why);

/* A member of an object, ignoring the case of the key; NULL if there is none, or null. */
const json_t *image_member(const json_t *o, const char *key);
/* Renames that member to key. */
void image_respell(json_t *o, const char *key);
/* The object or array o[key]; if it is of another type or missing, a new one. */
json_t *image_sub(json_t *o, const char *key, json_type type);
/* The text of a member; "" if there is none. */
const char *image_text(const json_t *o, const char *key);

/* Reads the config and sets the diff ids of the image's layers; their numbers must
 * match. name: the file; digest and size: see image_json. *rank: see platform_rank. */
int image_take_config(struct source *s, struct image *i, const char *name,
	const char *digest, uint64_t size, const struct platform *want, unsigned *rank,
	struct ovl_err *err);
/* "os/arch[/variant]", escaped for messages. */
void image_platform_text(char out[100], const json_t *o);

/* True if want means the image called name, possibly in another form (name_form). */
bool image_called(const char *want, const char *name);

#endif
