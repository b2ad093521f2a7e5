/*
 * Where a file has data and where holes.
 *
 * lseek(2) with SEEK_DATA alone does not do for "same tree, same bytes": of space that
 * was allocated but never written (fallocate(1)) it says data or hole depending on
 * whether someone has read it lately. So such space counts as a hole, which FIEMAP
 * (kernel, filesystems/fiemap.rst) tells where the file system has it.
 *
 * File systems have blocks of 1 KiB and more, but most of them, and pages, have 4 KiB. So
 * holes are told in whole aligned blocks of that size everywhere.
 */
#ifndef OVL_SPARSE_H
#define OVL_SPARSE_H

#include <sys/types.h>

/* Returns 0 to go on; anything else ends the map and is returned. */
typedef int (*sparse_fn)(void *ctx, off_t at, off_t n);

/* Calls fn for each run of data up to size, in order. -1 with errno. */
int sparse_map(int fd, off_t size, sparse_fn fn, void *ctx);

#endif
