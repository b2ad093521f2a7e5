/*
 * A set of paths, each with a letter that says what about it is meant. Only hashes are
 * kept, 8 bytes a path: an answer may be a wrong "yes", once in about 10^19/n, so a set is
 * for what does no harm then.
 */
#ifndef OVL_PATHSET_H
#define OVL_PATHSET_H

#include <stdbool.h>
#include <stddef.h>

struct pathset;

struct pathset *pathset_new(void);
void pathset_free(struct pathset *s);
/* -1: ENOMEM. */
int pathset_add(struct pathset *s, char what, const char *path, size_t len);
bool pathset_has(const struct pathset *s, char what, const char *path, size_t len);

#endif
