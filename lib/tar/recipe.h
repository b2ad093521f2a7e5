/*
 * The recipe of a layer: how its tar was put together, so that the tar can be rebuilt
 * byte for byte from the layer's tree. It is the file .recipe in the layer's directory:
 *
 *	"ovlctl-recipe 1\n", then one zstd frame (RFC 8878) with a checksum, of records:
 *
 *	R  n  bytes		these bytes of the tar: headers, padding, no file's data
 *	F  n  path		the data of file path (in the tree) follow, as runs
 *	D  gap  n		a run: n bytes, gap bytes after the end of the run before
 *	E  8 bytes		end of the file's data; their XXH64
 *	K  number  n  path	path was replaced: the old file is .kept/<number> now
 *	Z  size  32 bytes	the end: bytes of the whole tar, its SHA-256
 *
 * Between F and E there are D records, and R records for bytes of the entry that are not
 * part of the file: Solaris tar writes holes out. Numbers are LEB128, XXH64 is little
 * endian. Adjacent data is one run, and adjacent raw bytes are one record of up to 64
 * KiB, so that a tar has only one recipe, however it was divided when it was read. If an
 * entry replaces another one that has data, the old file is moved to .kept instead of
 * being removed. So the file of an F record is in the tree, unless a later K record names
 * it or a directory above it; then it is in .kept under the first of those.
 */
#ifndef OVL_RECIPE_H
#define OVL_RECIPE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/id.h"

#define RECIPE_NAME ".recipe"
#define RECIPE_KEPT ".kept"

/* ---- writing ---------------------------------------------------------------------- */

struct recipe_out;

/* Creates a recipe in the layer directory dirfd. */
int recipe_create(struct recipe_out **out, int dirfd, struct ovl_err *err);

/* May be called often with little data. After a failure all later calls fail. */
int recipe_raw(struct recipe_out *r, const void *p, size_t n);
int recipe_file(struct recipe_out *r, const char *path);
int recipe_run(struct recipe_out *r, uint64_t offset, const void *p, size_t n);
int recipe_file_end(struct recipe_out *r);
int recipe_kept(struct recipe_out *r, uint64_t number, const char *path);

/* Ends the recipe. *size: bytes of the tar. Fails if any call has failed. */
int recipe_finish(
	struct recipe_out *r, const char *diff_id, uint64_t *size, struct ovl_err *err);
/* Reports why a call failed. */
int recipe_error(const struct recipe_out *r, struct ovl_err *err);
void recipe_out_close(struct recipe_out *r);

/* ---- reading ---------------------------------------------------------------------- */

struct recipe_in;

enum recipe_type {
	RECIPE_RAW = 'R',
	RECIPE_FILE = 'F',
	RECIPE_RUN = 'D',
	RECIPE_FILE_END = 'E',
	RECIPE_KEEP = 'K',
	RECIPE_END = 'Z'
};

/* p is valid until the next call. */
struct recipe_rec {
	enum recipe_type type;
	const char *p; /* R: bytes; F, K: path, NUL-terminated */
	size_t n; /* of p */
	uint64_t offset; /* D: in the file */
	uint64_t size; /* D: bytes; Z: of the tar */
	uint64_t number; /* K */
	uint64_t sum; /* E */
	char diff_id[ID_LEN + 1]; /* Z */
};

int recipe_open(struct recipe_in **out, int dirfd, struct ovl_err *err);
/* Reads the next record; 0, or -EUCLEAN if the recipe is invalid. Nothing may be read
 * after Z. */
int recipe_next(struct recipe_in *r, struct recipe_rec *rec, struct ovl_err *err);
void recipe_in_close(struct recipe_in *r);

#define auto_recipe __attribute__((cleanup(recipe_in_closep))) struct recipe_in *
static inline void recipe_in_closep(struct recipe_in **r)
{
	recipe_in_close(*r);
}

#endif
