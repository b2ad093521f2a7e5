/* Packs a staged tree as diff would, and unpacks the tar. */
#ifndef REPACK_H
#define REPACK_H

#include "content/ingest.h"

/* Packs the tree of a bottom layer, unpacks that, and compares the files. */
void repack_check(const struct ingest *in);

#endif
