/*
 * Finds out whether the input of an import is an image, from its members or, for a
 * directory, its files. A pipe or a compressed file cannot be read twice, so as long as
 * its members fit an image, its bytes are kept in a temporary file without a name, in the
 * staging directory; a tar that soon turns out to be a layer needs none.
 *
 *	spool_open
 *	spool_look	1: an image, which is read by src
 *			0: a layer; stream has all of it, from the first byte on, or is
 *			NULL: then fd has
 */
#ifndef OVL_SPOOL_H
#define OVL_SPOOL_H

#include "codec/stream.h"
#include "image/source.h"
#include "ovl.h"
#include "store/store.h"

struct spool {
	struct ovl_store *st;
	struct stream *stream; /* a caller that takes it over sets it to NULL */
	struct source *src; /* NULL: a member that no image has, or damage */
	int file; /* the input, if any part of it can be read, or -1 */
	int temp; /* the part that was kept; -1: none */
	struct pace pace;
};

#define SPOOL_INIT                     \
	{                              \
		.file = -1, .temp = -1 \
	}

void spool_release(struct spool *sp);
#define auto_spool __attribute__((cleanup(spool_release))) struct spool

int spool_open(struct spool *sp, struct ovl_store *st, const struct ovl_import *req,
	struct ovl_err *err);
/* any: treat the input as an image, whatever its members are. */
int spool_look(struct spool *sp, bool any, struct ovl_err *err);

#endif
