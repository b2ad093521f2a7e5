/*
 * aside/: layers that check --repair has moved away because nothing in the store says
 * what they are. Nothing is lost: each is kept unchanged as "<where>.<name>" until
 * someone removes it.
 */
#ifndef OVL_ASIDE_H
#define OVL_ASIDE_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "ovl.h"

#define ASIDE_NAME_MAX (NAME_MAX + 1)

/* Moves name in the open directory there; out: its new name. */
int aside_move(struct ovl_store *st, int dirfd, const char *name, const char *where,
	char out[ASIDE_NAME_MAX], struct ovl_err *err);

/* True if that layer was moved there. */
bool aside_has(struct ovl_store *st, const char *driver, const char *id);

#endif
