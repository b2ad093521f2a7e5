/*
 * Inputs that cannot be read at any place (pipes, compressed files), as a plain file that
 * can: a temporary one without a name in the store's staging directory.
 */
#ifndef OVL_SPOOL_H
#define OVL_SPOOL_H

#include "ovl.h"
#include "store/store.h"

/*
 * Is the file at fd, read from its start, compressed? 1, 0, negative errno. *first: the
 * first name in it, as a tar, the caller's to free; NULL if there is none.
 */
int spool_look(struct ovl_store *st, int fd, char **first, struct ovl_err *err);

/* All of the input, uncompressed: a descriptor, the caller's. */
int spool(struct ovl_store *st, int fd, uint64_t max_size, struct ovl_err *err);

#endif
