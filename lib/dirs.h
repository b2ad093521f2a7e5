/*
 * What must be remembered of each directory while a layer is unpacked, because it can be
 * done only when all its entries are there: times, set-group-id bits and default ACLs,
 * and what depends on the layers below. About 100 bytes a directory, and its path.
 */
#ifndef OVL_DIRS_H
#define OVL_DIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum {
	DIR_IMPLIED = 1, /* no entry of its own: metadata from below */
	DIR_HAS_WH = 2, /* a whiteout was made in it */
	DIR_OPAQUE = 4, /* .wh..wh..opq: hides what it has below */
	DIR_REPLACED = 8, /* .wh.NAME and a directory NAME: hides the one below */
	DIR_SETGID = 16, /* set when its children are made */
	DIR_SETTLE = DIR_IMPLIED | DIR_HAS_WH | DIR_OPAQUE | DIR_REPLACED
};

struct dir {
	struct dir *next; /* in its hash chain */
	struct timespec mtime;
	void *acl; /* value of the default ACL; NULL: none */
	unsigned acl_len;
	unsigned flags;
	bool foreign_group; /* new files in it do not get our group */
	char path[];
};

struct dirs {
	struct dir **bucket;
	size_t n_buckets;
	size_t n;
	size_t acl_bytes;
};

void dirs_release(struct dirs *d);

struct dir *dirs_find(const struct dirs *d, const char *path);
/* Found or new (all zero but its path); NULL: ENOMEM. */
struct dir *dirs_get(struct dirs *d, const char *path);
/* Forgets path and all below it. */
void dirs_forget(struct dirs *d, const char *path);
/* The default ACL, copied. -1: ENOMEM, or E2BIG when all of them are absurdly many. */
int dirs_set_acl(struct dirs *d, struct dir *dir, const void *value, size_t len);

/* All of them, parents before children; the array is the caller's to free. */
struct dir **dirs_sorted(const struct dirs *d);

#endif
