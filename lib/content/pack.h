/*
 * Packs a layer's changes as a layer tar (OCI image-spec, layer.md): added and changed
 * files with their metadata, a whiteout .wh.NAME for each deleted one, and .wh..wh..opq
 * in an opaque directory.
 *
 * The tar is sorted by path and reproducible. It leaves out sockets, overlayfs's own
 * xattrs, and whiteouts and opaque entries that hide nothing. The root directory is the
 * entry "./".
 */
#ifndef OVL_PACK_H
#define OVL_PACK_H

#include <stdint.h>

#include "base/sink.h"
#include "content/changes.h"
#include "store/layer.h"

enum pack_kind { PACK_FILE, PACK_WHITEOUT, PACK_OPAQUE };

/* Counts of what a tar cannot represent. */
struct pack_lost {
	uint64_t sockets;
	uint64_t flags; /* immutable or append-only files (chattr) */
	uint64_t links; /* hard links to unchanged names, which only index=on preserves */
};
void pack_warn(struct ovl_store *st, const struct pack_lost *lost);
/* Counts what the file loses, as its xattr of overlayfs with the name mark says. */
void pack_note_lost(const struct xattr_policy *xp, int dirfd, const char *name,
	const char *mark, struct pack_lost *lost);

/*
 * Callbacks for a caller that needs more than the tar. Each may be NULL; a negative errno
 * ends the packing and is returned.
 */
struct pack_watch {
	void *ctx;
	/* Before each entry: for a file, a whiteout or an opaque mark. */
	int (*entry)(void *ctx, const struct change *c, enum pack_kind kind,
		struct ovl_err *err);
	/* The file has an xattr that is left out of the tar. */
	int (*left_xattr)(
		void *ctx, const struct change *c, const char *attr, struct ovl_err *err);
	/* The callback reads the data itself, n bytes of fd at that offset. The sink gets
	 * n bytes next, at an address that must not be read. */
	int (*run)(void *ctx, const struct change *c, int fd, uint64_t offset, uint64_t n,
		struct ovl_err *err);
	/* All runs were passed. The callback closes fd. */
	int (*data_end)(void *ctx, int fd, struct ovl_err *err);
	struct pack_lost *lost; /* NULL: a warning is given */
};

/* Writes the open layer's tar. With watch->run the sink gets headers and padding
 * separately from data; see tarout_open(). watch may be NULL. */
int pack_layer(const struct layer *l, sink_fn sink, void *ctx,
	const struct pack_watch *watch, struct ovl_err *err);

#endif
