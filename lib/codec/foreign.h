/*
 * Formats that an import cannot read, known by their first bytes, for messages.
 */
#ifndef OVL_FOREIGN_H
#define OVL_FOREIGN_H

#include <stddef.h>

/* Enough bytes to know any of them. */
#define FOREIGN_LEN 32

/* What it is, and where there is one what makes a tar of it: the end of a sentence that
 * says that it is no tar. NULL: not known. */
const char *foreign_name(const unsigned char *p, size_t n);

#endif
