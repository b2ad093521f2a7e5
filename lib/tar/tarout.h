/*
 * Writes entries to a tar with libarchive's pax writer, so that the same entries give the
 * same bytes: no times but mtime, no user names, no padding to tape blocks. xattrs,
 * including ACLs, are written as SCHILY.xattr.* only, which is what Docker, containerd
 * and Podman read; by default libarchive writes each xattr a second time
 * (LIBARCHIVE.xattr.*), and ACLs as SCHILY.acl.*.
 */
#ifndef OVL_TAROUT_H
#define OVL_TAROUT_H

#include <archive_entry.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/sink.h"

struct tarout;

/* direct: for a sink that must know which bytes are file data. It gets the bytes of each
 * tarout_data() before that returns, and no other bytes in that call. */
int tarout_open(
	struct tarout **out, bool direct, sink_fn sink, void *ctx, struct ovl_err *err);

/* The map of a sparse file. Import and others take at most 1 MiB of headers. */
#define TAROUT_MAX_MAP (896 * 1024)
/* The bytes that a piece of data takes in it. */
size_t tarout_map_size(int64_t at, int64_t n);

/* Refuses a file whose xattrs import would refuse. */
int tarout_header(struct tarout *t, struct archive_entry *e, struct ovl_err *err);
int tarout_data(struct tarout *t, const void *p, size_t n, struct ovl_err *err);
/* n bytes of a hole, which the header's sparse map must contain. */
int tarout_hole(struct tarout *t, uint64_t n, struct ovl_err *err);
/* Ends the archive. */
int tarout_finish(struct tarout *t, struct ovl_err *err);
void tarout_close(struct tarout *t);

/* Sets *latest to the latest time that may be written, from $SOURCE_DATE_EPOCH; unchanged
 * if there is no limit. */
int tarout_latest(int64_t *latest, struct ovl_err *err);

#endif
