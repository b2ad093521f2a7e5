/*
 * Where a file has data and where it has holes.
 *
 * lseek(2) with SEEK_DATA alone is not enough for "same tree, same bytes": space that was
 * allocated but never written (fallocate(1)) is reported as data or as a hole depending
 * on whether it was read lately. So such space counts as a hole; FIEMAP (kernel,
 * filesystems/fiemap.rst) finds it where the file system supports it.
 *
 * File systems have blocks of 1 KiB and more, but most have 4 KiB, as pages do. So holes
 * are reported in whole aligned blocks of 4 KiB, or of a multiple, everywhere.
 */
#ifndef OVL_SPARSE_H
#define OVL_SPARSE_H

#include <sys/types.h>

#define SPARSE_BLOCK 4096

/* Returns 0 to go on; any other value ends the walk and is returned. */
typedef int (*sparse_fn)(void *ctx, off_t at, off_t n);

/* Calls fn for each data range up to size, in order; block is SPARSE_BLOCK or a power of
 * two times that. -1 with errno. */
int sparse_map(int fd, off_t size, off_t block, sparse_fn fn, void *ctx);

#endif
