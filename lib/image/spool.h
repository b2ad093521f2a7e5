/*
 * Inputs that are not seekable: pipes and compressed files. Their members show what they
 * are. As long as they fit an image, the bytes are kept in a temporary file without a
 * name, in the staging directory; a tar that soon turns out to be a layer needs none.
 *
 *	spool_open	the input as a stream
 *	spool_look	1: all of it is in fd, and may be an image
 *			0: it is a layer; the stream has all of it, from the first byte on
 */
#ifndef OVL_SPOOL_H
#define OVL_SPOOL_H

#include "codec/stream.h"
#include "ovl.h"
#include "store/store.h"

struct spool {
	struct ovl_store *st;
	struct stream *stream; /* a caller that takes it over sets it to NULL */
	int fd; /* -1: nothing was kept */
	bool fits; /* all members could be an image's */
	struct pace pace;
};

#define SPOOL_INIT       \
	{                \
		.fd = -1 \
	}

void spool_release(struct spool *sp);
#define auto_spool __attribute__((cleanup(spool_release))) struct spool

/* Uncompressed the input has at most max_size bytes (0: the default). */
int spool_open(struct spool *sp, struct ovl_store *st, int fd, uint64_t max_size,
	struct ovl_err *err);
/* any: treat it as an image, whatever its members are. */
int spool_look(struct spool *sp, bool any, struct ovl_err *err);

/* Is the file at fd, read from its start, compressed? 1, 0, negative errno. */
int spool_compressed(int fd, struct ovl_err *err);

/* A file without a name in the staging directory. */
int spool_file(struct ovl_store *st, struct ovl_err *err);

#endif
