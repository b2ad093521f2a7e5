/*
 * Exports stacks of layers as an OCI image layout or a docker archive.
 *
 *	export.c	operands -> images, each a stack of blobs; the order of the work
 *	export_blob.c	layers -> blobs: rebuilt or packed, compressed, on several threads
 *	export_config.c	image configs, kept or made; for commit as well
 *	image_change.c	changes of a config by instructions of a Dockerfile
 *	export_oci.c, export_docker.c	the other members of the layout or archive
 *	export_out.c	writes everything into one tar or into a directory
 *	export_util.c	shared code
 *
 * The size and the name (a digest) of a member must be known before it is written to a
 * tar. So blobs that are compressed or packed are spooled first; a blob that is the tar
 * of an image layer is known beforehand, and is rebuilt while it is written.
 */
#ifndef OVL_EXPORT_H
#define OVL_EXPORT_H

#include <jansson.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/pace.h"
#include "content/replay.h"
#include "ovl.h"
#include "store/layer.h"

/* A layer and its file in the image. */
struct blob {
	struct layer l; /* open, locked shared */
	const struct blob *same; /* an earlier blob with the same tar; or NULL */
	bool packed; /* it has no recipe: its tar, and perhaps another diff id, are known
		      * only after packing */
	bool absent; /* the receiver has it: the image only describes it, as
		      * uncompressed */
	char diff_id[ID_LEN + 1];
	char digest[ID_LEN + 1]; /* of the file */
	uint64_t size; /* of the file */
	int fd; /* the spooled file; -1: it is rebuilt when written, or in the directory
		 * already */
};

struct exported {
	const char *what; /* the operand */
	bool named; /* the operand is a name, not an id */
	struct blob **stack; /* the bottom first */
	size_t n;
	/* The config that was found, and the number of layers that it describes; 0:
	 * none. */
	struct buf found;
	size_t found_for;
	const struct ovl_commit *change; /* from a commit; or NULL */
	struct buf config; /* the config to write */
	char config_digest[ID_LEN + 1];
	json_t *platform; /* an OCI platform object */
};

struct member {
	char *path; /* with a '/' at the end for a directory */
	const struct blob *blob;
	struct buf text; /* its content if blob is NULL */
};

struct export
{
	struct ovl_store *st;
	const struct ovl_export *req;
	const char *compress; /* of the blobs */
	struct ovl_id *known; /* ids of layers that the receiver has, sorted */
	size_t n_known;
	struct blob **blob; /* each layer once */
	size_t n_blobs;
	struct exported *image;
	size_t n_images;
	struct member *member;
	size_t n_members;
	int out_dir; /* the directory, under its temporary name; -1: writes a tar */
	int out_blobs; /* its blobs/sha256 */
	char out_temp[256];
	struct stat old; /* the directory it replaces; st_mode 0: none */
	int spool_dir;
	atomic_uint_fast64_t bytes; /* bytes of the layers' tars that are done */
	atomic_uint_fast64_t entries;
	atomic_bool cancelled; /* one failed, so the others must stop */
	struct pace pace;
};

/* The blob that represents b in the image. */
static inline const struct blob *blob_of(const struct blob *b)
{
	return b->same ? b->same : b;
}
/* Reverses a stack that was made from the top down. */
static inline void export_turn_over(struct exported *img)
{
	for (size_t i = 0; i < img->n / 2; i++) {
		struct blob *b = img->stack[i];

		img->stack[i] = img->stack[img->n - 1 - i];
		img->stack[img->n - 1 - i] = b;
	}
}

/* export_util.c. */

/* Reports progress; call it on the main thread, as often as convenient. */
void export_progress(struct export *x);
/* Writes o as text (NULL: out of memory); the same content always gives the same text. */
int export_dump(const json_t *o, struct buf *out, struct ovl_err *err);

/* export_blob.c: makes all blobs that are not rebuilt while they are written. */
int export_blobs(struct export *x, struct ovl_err *err);

/* export_config.c: before and after the blobs are made. */
int export_find_config(struct exported *img, struct ovl_err *err);
int export_make_config(struct exported *img, struct ovl_err *err);

/* export_oci.c, export_docker.c: add all members. */
int export_oci(struct export *x, struct ovl_err *err);
int export_docker(struct export *x, struct ovl_err *err);

/* export_out.c. Adds a directory, or a file of a blob or a text;
 * a member that exists already is not added again. */
int export_begin(struct export *x, struct ovl_err *err);
int export_add(struct export *x, const char *path, const struct blob *blob,
	const struct buf *text, struct ovl_err *err);
int export_add_json(
	struct export *x, const char *path, const json_t *o, struct ovl_err *err);
/* Writes the members, sorted; gives a directory its name. */
int export_write(struct export *x, struct ovl_err *err);
/* Always called; removes an unfinished directory. */
void export_end(struct export *x);

#endif
