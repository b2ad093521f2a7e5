/*
 * References of images, as docker and podman read them (distribution/reference):
 * [domain/]component[/component]...[:tag]
 */
#ifndef OVL_REFERENCE_H
#define OVL_REFERENCE_H

#include <stdbool.h>

#include "base/buf.h"

/* A name in its two parts, "latest" if it has no tag; false: it is no reference. */
bool reference_split(const char *name, struct buf *repository, struct buf *tag);

#endif
