/*
 * A layer's changes as a layer tar (OCI image-spec, layer.md): what was added or changed
 * with all that belongs to it, a whiteout .wh.NAME for what was deleted, and
 * .wh..wh..opq in a directory that hides what is below.
 *
 * Sorted by path and reproducible. Left out: sockets, overlayfs's own xattrs, marks that
 * hide nothing. The root directory is the entry "./".
 */
#ifndef OVL_PACK_H
#define OVL_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "content/changes.h"
#include "store/layer.h"
#include "tar/tarout.h"

enum pack_kind { PACK_FILE, PACK_WHITEOUT, PACK_OPAQUE };

/* What a tar cannot say of a tree, counted. */
struct pack_lost {
	uint64_t sockets;
	uint64_t flags; /* files that are immutable or append-only (chattr) */
	uint64_t
		links; /* files that index=on keeps joined with names that did not change */
};
void pack_warn(struct ovl_store *st, const struct pack_lost *lost);

/*
 * For who wants to know more of the tree than the tar says. Each may be NULL; a negative
 * errno that it returns ends the packing and is returned.
 */
struct pack_watch {
	void *ctx;
	/* An entry comes: of the file, or of a whiteout or an opaque mark for it. */
	int (*entry)(void *ctx, const struct change *c, enum pack_kind kind,
		struct ovl_err *err);
	/* The file has an xattr that does not go into a tar. */
	int (*left_xattr)(
		void *ctx, const struct change *c, const char *attr, struct ovl_err *err);
	/* Who has this reads the data of files, n bytes of fd at that offset: the tar gets
	 * as many bytes next, in memory that may not be read. */
	int (*run)(void *ctx, const struct change *c, int fd, uint64_t offset, uint64_t n,
		struct ovl_err *err);
	/* That was all of them. fd is the watch's to close now. */
	int (*data_end)(void *ctx, int fd, struct ovl_err *err);
	struct pack_lost *lost; /* NULL: a warning tells it */
};

/* Writes the open layer's tar; the caller finishes t. watch NULL: nobody does. */
int pack_layer(const struct layer *l, struct tarout *t, const struct pack_watch *watch,
	struct ovl_err *err);

/* The latest time that may be written, from $SOURCE_DATE_EPOCH: 1, or 0 if any may. */
int pack_latest(int64_t *latest, struct ovl_err *err);

#endif
