/*
 * Names in text. Every name that reaches a message, a list or a terminal goes through
 * ovl_escape(): nothing an archive says can move a cursor or forge a line.
 */
#ifndef OVL_QUOTE_H
#define OVL_QUOTE_H

#include <stddef.h>

#define QUOTE_SIZE 400

/* 'name', escaped and cut to fit; returns out. */
char *quote_into(char out[QUOTE_SIZE], const char *name);

/* For use in a call's arguments: err_sys(err, errno, "cannot open %s", Q(name)). */
#define Q(name) quote_into((char[QUOTE_SIZE]){0}, (name))

/* Length of the UTF-8 character at s (n bytes left), 0 if there is none. Control
 * characters (C0, DEL, C1) count as none. */
size_t quote_utf8(const char *s, size_t n);

#endif
