/*
 * References of images, as docker and podman read them (distribution/reference):
 * [domain/]component[/component]...[:tag]
 */
#ifndef OVL_REFERENCE_H
#define OVL_REFERENCE_H

#include <stdbool.h>

#include "base/buf.h"

/* Splits a name into repository and tag, which is "latest" if missing; false: it is not a
 * reference. */
bool reference_split(const char *name, struct buf *repository, struct buf *tag);

#endif
