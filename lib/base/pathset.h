/*
 * A set of paths, each with a letter that says what the entry means. Only hashes are
 * kept, 8 bytes for each path. Probabilistic: it may report a path that was never added,
 * with a probability of about n/10^19, so use it only where a false positive does no
 * harm.
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
