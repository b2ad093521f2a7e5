/*
 * Reads tar-split, the format in which Docker and containers/storage record how the tar
 * of a layer was put together: lines of JSON, usually compressed with gzip,
 *
 *	{"type":2,"payload":BASE64,...}		these bytes of the tar
 *	{"type":1,"name":PATH,"size":N,"payload":BASE64,...}
 *						the data of a file follow; the payload is
 *						their CRC-64 (ISO 3309), big endian
 *
 * with name_raw, in base64, for a name that is not UTF-8. An entry without data has no
 * size and no payload. The records that come out are those of a recipe (recipe.h), with
 * two differences: E has the CRC-64, and Z neither size nor digest.
 */
#ifndef OVL_TARSPLIT_H
#define OVL_TARSPLIT_H

#include <stdatomic.h>

#include "base/err.h"
#include "tar/recipe.h"

struct tarsplit;

/* Reads it from fd, which stays the caller's, and must stay open. */
int tarsplit_open(
	struct tarsplit **out, int fd, const atomic_int *stop, struct ovl_err *err);
/* As recipe_next(); -EUCLEAN if the file is damaged. */
int tarsplit_next(struct tarsplit *t, struct recipe_rec *rec, struct ovl_err *err);
void tarsplit_close(struct tarsplit *t);

/* Adds bytes to the sum of a file, which begins as 0. */
uint64_t tarsplit_sum(uint64_t sum, const void *p, size_t n);

#endif
