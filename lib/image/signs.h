/*
 * Distinguishes archives of images from layers by the members of a tar.
 *
 * The archive of an image holds JSON, tars and a few files with known names, in
 * directories of any name. signs_fit() knows those; the first member that does not fit
 * makes the tar a layer, and in a layer that is nearly always one of the first.
 */
#ifndef OVL_SIGNS_H
#define OVL_SIGNS_H

#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum fit {
	FIT_NOT,
	FIT_MAYBE, /* depends on its content, see signs_fit_content */
	FIT,
};

/* Whether a member with that name and type can be part of an image. */
enum fit signs_fit(struct archive_entry *e);
/* True if a file with this beginning can be part of an image: a tar, plain or compressed,
 * or JSON. Only the first block is examined, because more may not be available. */
bool signs_fit_content(const void *p, size_t n);

#define SIGNS_DIRS 16

/* Members that identify images, and their directories. */
struct signs {
	struct {
		char *name; /* clean path */
		unsigned seen;
	} dir[SIGNS_DIRS];
	unsigned n;
};

void signs_release(struct signs *s);

/* Notes a member; ctx is the struct signs. */
void signs_note(void *ctx, struct archive_entry *e);

/*
 * For a tar that is imported as a layer: 1 with a clause that says which parts of an
 * image it has and what to do; 0 if there is nothing to report. fits: all members can be
 * part of an image.
 */
int signs_tell(const struct signs *s, bool fits, struct buf *out);

#endif
