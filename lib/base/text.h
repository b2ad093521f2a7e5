/*
 * Texts: how they begin and end, numbers in them, and lists of them.
 */
#ifndef OVL_TEXT_H
#define OVL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What follows that beginning; NULL: the text begins in another way. */
const char *text_after(const char *text, const char *begin);

/* True if the text has that end, and something before it. */
bool text_ends(const char *text, const char *end);

/* The number that n decimal digits are; no digits are 0. False, and out unchanged: there
 * is something else among them, or it is over max, which is at least 9. */
bool text_number(const char *text, size_t n, uint64_t max, uint64_t *out);

/* A list is an array that ends with NULL; NULL is an empty list. Adds a copy of the text;
 * 0 or -ENOMEM. */
int texts_add(char ***list, const char *text);
void texts_free(char **list);

#endif
