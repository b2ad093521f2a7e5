/*
 * Formats that an import cannot read, known by their first bytes, for messages.
 */
#ifndef OVL_MAGIC_H
#define OVL_MAGIC_H

#include <stddef.h>

/* Enough bytes to know any of them. */
#define MAGIC_LEN 32

/* What it is, and where there is one what makes a tar of it: the end of a sentence that
 * says that it is no tar. NULL: not known. */
const char *magic_name(const unsigned char *p, size_t n);

#endif
