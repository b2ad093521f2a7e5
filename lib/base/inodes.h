/*
 * Remembers files that have been seen, and a path for each or how often. For files with
 * hard links.
 */
#ifndef OVL_INODES_H
#define OVL_INODES_H

#include <stdbool.h>
#include <sys/stat.h>

struct inode;

/* All zero: empty. */
struct inodes {
	struct inode **bucket;
	size_t buckets; /* a power of 2 */
	size_t n;
};

/* The path that was added last for that file; NULL: none. */
const char *inodes_path(const struct inodes *in, const struct stat *st);
/* -1: ENOMEM. */
int inodes_add(struct inodes *in, const struct stat *st, const char *path);
/* Counts that file: how often it has been seen now; 0: ENOMEM. */
nlink_t inodes_count(struct inodes *in, const struct stat *st);
void inodes_release(struct inodes *in);

#endif
