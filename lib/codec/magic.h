/*
 * Recognises formats that an import cannot read by their first bytes, for messages.
 */
#ifndef OVL_MAGIC_H
#define OVL_MAGIC_H

#include <stddef.h>

/* Enough bytes to recognise any of them. */
#define MAGIC_LEN 32

/* The name of the format and, if there is one, a command that makes a tar of it: the end
 * of a sentence that says that the input is not a tar. NULL: not recognised. */
const char *magic_name(const unsigned char *p, size_t n);

#endif
