/*
 * The parts of an image: in a directory (an OCI image layout) or in a seekable tar (a
 * docker-save archive, or a layout as a tar). Names come from manifests and may be
 * hostile: only regular files inside the directory or the tar are found.
 */
#ifndef OVL_SOURCE_H
#define OVL_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "codec/stream.h"
#include "store/store.h"

/* Limits of an archive: members, and bytes of their names; the index needs memory for
 * each. */
#define SOURCE_MAX_MEMBERS 2000000
#define SOURCE_MAX_NAMES   (256u << 20)
#define SOURCE_MAX_JSON    (4u << 20)
#define SOURCE_MAX_READS   4096
#define SOURCE_MAX_READ    (32u << 20)

struct source;

/* A part: size bytes at offset of fd, or of a file in that directory. It holds no
 * descriptor, because an image may have thousands of parts. Valid as long as the
 * source. */
struct part {
	int fd; /* the source's */
	char *file; /* name in the directory fd; NULL: fd itself */
	uint64_t offset;
	uint64_t size;
};

void part_release(struct part *b);
/* Opens it for reading; the caller closes it. -1 with errno. */
int part_open(const struct part *b);
#define auto_part __attribute__((cleanup(part_release))) struct part

/* fd is a directory; the caller still owns it. */
int source_open_dir(
	struct source **out, struct ovl_store *st, int fd, struct ovl_err *err);
/*
 * Indexes the members of a tar: 1; 0: it has a member that no image has (see signs.h;
 * any: accept any members); negative errno: it cannot be read. *from has been read up to
 * there; the caller still owns it, or it is NULL if that was impossible.
 */
int source_open(struct source **out, struct ovl_store *st, struct stream **from, bool any,
	struct ovl_err *err);
/* Sets the descriptor of the tar, uncompressed, after which parts can be found. The
 * caller still owns it. */
void source_at(struct source *s, int fd);
void source_close(struct source *s);

/* A file without a name in the staging directory. */
int source_temp(struct ovl_store *st, struct ovl_err *err);

/* Finds a part by name: 1, 0 if there is none, negative errno: it is not allowed. */
int source_find(
	struct source *s, const char *name, struct part *out, struct ovl_err *err);

/* Reads a part of at most SOURCE_MAX_JSON bytes; 1, 0, negative errno. At most
 * SOURCE_MAX_READS parts and SOURCE_MAX_READ bytes of one source, then E2BIG. */
int source_read(struct source *s, const char *name, struct buf *out, struct ovl_err *err);

#endif
