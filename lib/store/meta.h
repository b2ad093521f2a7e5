/*
 * Metadata of a layer: the file .layer in its directory. Lines "key value"; the first one
 * is the format, the last one "end", so that a torn file is detected.
 *
 *	ovlctl-layer 1
 *	kind image | writable
 *	link <26>
 *	parent <64 hex>		absent in a bottom layer
 *	diff-id <64 hex>	image layers
 *	on-dir 1		it is on a directory of the host, see ondir.h
 *	depth N			layers below it in its history
 *	lowers N		lower layers of its mount: depth, unless a layer is opaque
 *	size N			bytes of file data, without holes and further hard links
 *	entries N		of the tar it came from
 *	tar N			bytes of that tar, uncompressed
 *	created N		seconds since 1970, and the nanoseconds that
 *	created-ns N		belong to it; absent: 0
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
	bool on_dir;
	char diff_id[ID_LEN + 1]; /* empty: none */
	unsigned depth;
	unsigned lowers;
	uint64_t size;
	bool unmeasured; /* size is not known; only in another program's store */
	uint64_t entries;
	uint64_t tar_size;
	struct timespec created;
	struct ovl_id becomes; /* empty: none */
	struct ovl_id was; /* empty: none */
};

/* The time for created. */
struct timespec meta_now(void);

/* Creates .layer in the layer directory dirfd. */
int meta_write(int dirfd, const struct meta *m, struct ovl_err *err);

/* The same, but atomically replaces an existing one. */
int meta_replace(int dirfd, const struct meta *m, struct ovl_err *err);

/* Reads it. -ENOENT if it does not exist, -EUCLEAN if it is invalid. */
int meta_read(int dirfd, struct meta *m, struct ovl_err *err);
/* True if rc of meta_read() means a missing or damaged file, not one that could not be
 * read. */
bool meta_is_damage(int rc);

/* To and from the text form. */
void meta_format(const struct meta *m, char out[META_MAX]);
int meta_parse(const char *text, size_t len, struct meta *m);

#endif
