/*
 * Reads JSON without building values. A store has a config for each image, and a list of
 * all names; libjansson takes ten times as long for them as reading the files does.
 *
 * A position is one in the text, which ends with a NUL; NULL stands for invalid text. Values
 * that are only skipped are checked no further than for their brackets and quotes.
 */
#ifndef OVL_FOREIGN_SCAN_H
#define OVL_FOREIGN_SCAN_H

#include <stddef.h>

#include "base/buf.h"

const char *scan_blanks(const char *p);

/* Copies the string at p, without escapes, and an empty one if it does not fit. Returns the
 * position after it. */
const char *scan_string(const char *p, char *out, size_t max);

/* A member of an object. */
struct scan_member {
	char key[512]; /* empty if it is longer */
	const char *value;
};

/* Reads the next member. p is at the opening bracket of the object, or where the previous
 * member ended; the result is at the ',' or '}' after the member. Of an empty object, the
 * key and the value are empty. */
const char *scan_member(const char *p, struct scan_member *m);

/* Finds the value of a member of the object at p: as in Go, case is ignored and the last
 * one with the name is taken. *value is unchanged if there is none. Returns the position
 * after the object. */
const char *scan_find(const char *p, const char *name, const char **value);

/* The same for a text that is one object. */
bool scan_find_in(const struct buf *text, const char *name, const char **value);

#endif
