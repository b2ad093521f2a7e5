/* Writes simple tars, and changes any tar such that a reader still gets far. */
#ifndef TARBITS_H
#define TARBITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Adds a member with that type flag; for a link p is its target. */
void tarbits_add(struct buf *out, const char *name, char type, const void *p, size_t n);

/* For LLVMFuzzerCustomMutator: mostly changes one member, as a whole or a field of its
 * header, and corrects the lengths of pax records and checksums afterwards. */
size_t tarbits_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
