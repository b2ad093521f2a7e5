/* SPDX-License-Identifier: ISC */
/* Reading and writing file data to the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define CHUNK 65536
#define PAGE  4096

void *fs_buffer(size_t n)
{
	return aligned_alloc(PAGE, (n + PAGE - 1) / PAGE * PAGE);
}

/* The offset of the next data of a file; its size if there is none. */
static off_t next_data(int fd, off_t at, off_t size)
{
	off_t data = lseek(fd, at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size : at;
	return data;
}

/* Skips what is a hole in both files. */
static off_t skip_holes(int fa, int fb, off_t at, off_t size)
{
	off_t a = next_data(fa, at, size);
	off_t b = a > at ? next_data(fb, at, size) : at;

	return a < b ? a : b;
}

int fs_data_differs(int fa, int fb, off_t size, const atomic_int *stop)
{
	auto_free char *two = fs_buffer(2 * CHUNK);
	off_t at = 0;

	while (two && (at = skip_holes(fa, fb, at, size)) < size) {
		ssize_t n = fs_pread_upto(fa, two, CHUNK, (uint64_t)at);
		ssize_t m = fs_pread_upto(fb, two + CHUNK, CHUNK, (uint64_t)at);

		if (stop && *stop)
			errno = EINTR;
		if (n < 0 || m < 0 || (stop && *stop))
			return -1;
		if (n != m || memcmp(two, two + CHUNK, (size_t)n) != 0)
			return 1;
		if (n < CHUNK)
			return 0;
		at += n;
	}
	return two ? 0 : -1;
}
