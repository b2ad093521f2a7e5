/*
 * Remembers files that have been seen and something about each, such as a path. For files
 * with hard links.
 */
#ifndef OVL_INODES_H
#define OVL_INODES_H

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

struct inode;

/* All zero: empty. */
struct inodes {
	struct inode **bucket;
	size_t buckets; /* a power of 2 */
	size_t n;
};

/* The data that was last put for that file, aligned for integers and pointers; NULL:
 * none. */
void *inodes_find(const struct inodes *in, const struct stat *st);
/* Returns a copy of the n bytes that never moves; NULL: out of memory. */
void *inodes_put(struct inodes *in, const struct stat *st, const void *data, size_t n);

/* The same with a path. -1: ENOMEM. */
static inline const char *inodes_path(const struct inodes *in, const struct stat *st)
{
	return inodes_find(in, st);
}

static inline int inodes_add(struct inodes *in, const struct stat *st, const char *path)
{
	return inodes_put(in, st, path, strlen(path) + 1) ? 0 : -1;
}

/* Counts the calls for that file, including this one; 0: ENOMEM. */
static inline uint64_t inodes_count(struct inodes *in, const struct stat *st)
{
	const uint64_t none = 0;
	uint64_t *seen = inodes_find(in, st);

	if (!seen)
		seen = inodes_put(in, st, &none, sizeof(none));
	return seen ? ++*seen : 0;
}

void inodes_release(struct inodes *in);

#endif
