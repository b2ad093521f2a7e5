/* The tar that diff would make of a staged tree, and what comes of that. */
#ifndef REPACK_H
#define REPACK_H

#include "content/ingest.h"

/* Packs the tree of a bottom layer, unpacks that, and compares all there is to a file. */
void repack_check(const struct ingest *in);

#endif
