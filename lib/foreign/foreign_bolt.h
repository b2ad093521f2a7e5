/*
 * Bolt databases among the records of another program's store.
 */
#ifndef OVL_FOREIGN_BOLT_H
#define OVL_FOREIGN_BOLT_H

#include <time.h>

#include "foreign/bolt.h"
#include "foreign/foreign.h"

/* Reads a database: 1; 0 there is none; negative errno and a text. path must last as long. */
int foreign_bolt(
	const struct foreign *t, const char *path, struct bolt *out, struct ovl_err *err);

/* Calls fn for each bucket in the one below in (NULL: the outermost) that the names lead to,
 * one after the other, to NULL; nothing, if there is none. fn returns negative errno to
 * end. */
typedef int foreign_bolt_fn(
	void *ctx, struct bolt *b, const struct bolt_item *item, struct ovl_err *err);
int foreign_bolt_each(struct bolt *b, const struct bolt_item *in,
	const char *const *names, foreign_bolt_fn *fn, void *ctx, struct ovl_err *err);

/* Values as Go encodes them; 0 if it is none. */
uint64_t foreign_bolt_uvarint(const struct bolt_item *item);
int64_t foreign_bolt_varint(const struct bolt_item *item);
struct timespec foreign_bolt_time(const struct bolt_item *item);

/* What BuildKit, as a part of dockerd, keeps in the directories of the graph driver. */
void foreign_buildkit(struct foreign *t, const char *trees);

#endif
