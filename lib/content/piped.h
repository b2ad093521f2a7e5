/*
 * An ingest of a tar that is made while it is read: a thread of its own makes it and
 * writes it into a pipe, so that it is stored nowhere on the way.
 */
#ifndef OVL_PIPED_H
#define OVL_PIPED_H

#include "content/ingest.h"
#include "content/replay.h"

/* Gives all bytes of a tar to the sink. Runs in the thread. */
typedef int (*piped_fn)(void *ctx, sink_fn sink, void *to, struct ovl_err *err);

/* ingest_begin and ingest_run in one; the input in cfg is set here. After a failure the
 * ingest is ended. */
int piped_ingest(struct ingest *in, struct ovl_store *st, struct ingest_config *cfg,
	piped_fn make, void *ctx, struct ovl_err *err);

#endif
