/*
 * Names in text. Every name in a message, a list or on a terminal goes through
 * ovl_escape(), so that nothing in an archive can move the cursor or forge a line.
 */
#ifndef OVL_QUOTE_H
#define OVL_QUOTE_H

#include "base/buf.h"

#define QUOTE_SIZE 400

/* 'name', escaped and truncated to fit; returns out. */
char *quote_into(char out[QUOTE_SIZE], const char *name);

/* For use as an argument: err_sys(err, errno, "cannot open %s", Q(name)). */
#define Q(name) quote_into((char[QUOTE_SIZE]){0}, (name))

/* Length of the UTF-8 character at s (n bytes left), 0 if it is invalid or a control
 * character (C0, DEL, C1). */
size_t quote_utf8(const char *s, size_t n);

/* Decodes n characters of base64 with padding (RFC 4648); p may be NULL if n is 0. False:
 * they are not base64, or ENOMEM. */
bool quote_base64_decode(const char *p, size_t n, struct buf *out);

#endif
