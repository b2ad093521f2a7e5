/*
 * Imports a tar while it is made: a thread makes it and writes it into a pipe, so that it
 * is not stored anywhere.
 */
#ifndef OVL_TARPIPE_H
#define OVL_TARPIPE_H

#include "content/ingest.h"
#include "content/replay.h"

/* Writes all bytes of a tar to the sink. Runs in the thread. */
typedef int (*tarpipe_fn)(void *ctx, sink_fn sink, void *to, struct ovl_err *err);

/* ingest_begin and ingest_run in one; sets the input in cfg. After a failure the
 * ingest is ended. */
int tarpipe_ingest(struct ingest *in, struct ovl_store *st, struct ingest_config *cfg,
	tarpipe_fn make, void *ctx, struct ovl_err *err);

#endif
