/*
 * aside/: what check --repair took out of the way because nothing in the store says what
 * it is. Nothing of it is lost: it lies there as it was, under "<where>.<name>", until
 * someone removes it.
 */
#ifndef OVL_ASIDE_H
#define OVL_ASIDE_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "ovl.h"

#define ASIDE_NAME_MAX (NAME_MAX + 1)

/* Moves name of the open directory there; out: what it is called there. */
int aside_take(struct ovl_store *st, int dirfd, const char *name, const char *where,
	char out[ASIDE_NAME_MAX], struct ovl_err *err);

/* Was that layer put there? */
bool aside_has(struct ovl_store *st, const char *driver, const char *id);

#endif
