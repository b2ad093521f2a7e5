/*
 * Ids: their alphabets, how new ones are made, and which texts are valid.
 *
 *  full id    64 of [0-9a-f]: chain id of an image layer, random for a writable layer
 *  short id   26 of [A-Z2-7]: a 128-bit UUID in base32 (RFC 4648, no padding)
 *  digest     "sha256:" and 64 of [0-9a-f]
 */
#ifndef OVL_ID_H
#define OVL_ID_H

#include <stdbool.h>
#include <stddef.h>

#include "ovl.h"

#define ID_LEN    64
#define SHORT_LEN 26

bool id_is_full(const char *s);
/* Copies a full id; false: it is none, and out is unchanged. */
bool id_take(const char *s, char out[ID_LEN + 1]);
bool id_is_short(const char *s);
/* 4 to 63 of [0-9a-f]. */
bool id_is_prefix(const char *s);
/* The order of two struct ovl_id, for qsort(3), bsearch(3) and tsearch(3). */
int id_order(const void *a, const void *b);
/* True if the first n characters are a short id. */
bool id_short_at(const char *s, size_t n);

/* Base32 of 16 bytes, 26 characters and a NUL. */
void id_base32(const unsigned char bytes[16], char out[SHORT_LEN + 1]);
void id_short_new(char out[SHORT_LEN + 1]);

/* Hex of n bytes, 2n characters and a NUL. */
void id_hex(const unsigned char *bytes, size_t n, char *out);
bool id_unhex(const char *hex, unsigned char *out, size_t n);

/* Random; 0 or -1 with errno. */
int id_random(struct ovl_id *out);

/* The hex part of a digest, with or without "sha256:"; NULL if it is not a digest. */
const char *id_digest_hex(const char *s);
/* The same, only with "sha256:". */
const char *id_sha256_hex(const char *s);

#endif
