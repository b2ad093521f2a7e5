/*
 * What is remembered of a layer: the file .layer in its directory. Lines "key value",
 * the first the format, the last "end", so that a torn file is seen.
 *
 *	ovlctl-layer 1
 *	kind image | writable
 *	link <26>
 *	parent <64 hex>		absent in a bottom layer
 *	diff-id <64 hex>	image layers
 *	depth N			layers below it in its history
 *	lowers N		lower layers of its mount: depth, unless something is cut
 *	size N			bytes of file data, holes and second names not counted
 *	entries N		of the tar it came from
 *	tar N			bytes of that tar, uncompressed
 *	created N		seconds since 1970
 *	becomes <64 hex>	while a commit makes an image layer of it: its id; and the
 *	was <64 hex>		layer's own, see becoming.h
 *	end
 */
#ifndef OVL_META_H
#define OVL_META_H

#include "base/err.h"
#include "base/id.h"
#include "ovl.h"

#define META_NAME ".layer"
#define META_MAX  4096

struct meta {
	enum ovl_kind kind;
	char link[SHORT_LEN + 1];
	bool has_parent;
	struct ovl_id parent;
	char diff_id[ID_LEN + 1]; /* empty: none */
	unsigned depth;
	unsigned lowers;
	uint64_t size;
	uint64_t entries;
	uint64_t tar_size;
	int64_t created;
	struct ovl_id becomes; /* empty: none */
	struct ovl_id was; /* empty: none */
};

/* Writes .layer into the layer directory dirfd, where there is none yet. */
int meta_write(int dirfd, const struct meta *m, struct ovl_err *err);

/* The same where there may be one, in one step. */
int meta_replace(int dirfd, const struct meta *m, struct ovl_err *err);

/* Reads it. -ENOENT when there is none, -EUCLEAN when it is not sound. */
int meta_read(int dirfd, struct meta *m, struct ovl_err *err);
/* Is that what meta_read says of a file that is missing or damaged, and not of one that
 * cannot be read now? */
bool meta_is_damage(int rc);

/* The text form and back, for tests and for who has the bytes already. */
void meta_format(const struct meta *m, char out[META_MAX]);
int meta_parse(const char *text, size_t len, struct meta *m);

#endif
