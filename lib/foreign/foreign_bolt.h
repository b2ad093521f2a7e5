/*
 * Bolt databases among the records of another program's store.
 */
#ifndef OVL_FOREIGN_BOLT_H
#define OVL_FOREIGN_BOLT_H

#include <time.h>

#include "foreign/bolt.h"
#include "foreign/foreign.h"

/* Reads a database: 1; 0 if it does not exist; negative errno and a text. path must exist
 * as long as *out. */
int foreign_bolt(
	const struct foreign *t, const char *path, struct bolt *out, struct ovl_err *err);

/* Opens the bucket that names (ending with NULL) lead to from bucket in (NULL: the
 * outermost), and calls fn for each bucket in it. Does nothing if there is no such
 * bucket. Ends when fn returns negative errno. */
typedef int foreign_bolt_fn(
	void *ctx, struct bolt *b, const struct bolt_item *item, struct ovl_err *err);
int foreign_bolt_each(struct bolt *b, const struct bolt_item *in,
	const char *const *names, foreign_bolt_fn *fn, void *ctx, struct ovl_err *err);

/* Decode values as Go encodes them; 0 if the value is invalid. */
uint64_t foreign_bolt_uvarint(const struct bolt_item *item);
int64_t foreign_bolt_varint(const struct bolt_item *item);
struct timespec foreign_bolt_time(const struct bolt_item *item);

/* Claims the directories of the graph driver that BuildKit uses in dockerd. */
void foreign_buildkit(struct foreign *t, const char *trees);

#endif
