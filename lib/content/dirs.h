/*
 * Remembers for each directory of a layer that is being unpacked what can be done only
 * after all its entries: times, some bits of the mode and default ACLs, and what depends
 * on the layers below. It is a tree of names, so deep paths take no more memory: about 100
 * bytes for each directory, and its name.
 */
#ifndef OVL_DIRS_H
#define OVL_DIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"

enum {
	DIR_IMPLIED = 1, /* no entry of its own: metadata from below */
	DIR_HAS_WH = 2, /* a whiteout was made in it */
	DIR_OPAQUE = 4, /* .wh..wh..opq: hides what it has below */
	DIR_REPLACED = 8, /* .wh.NAME and a directory NAME: hides the one below */
	DIR_MODE = 16, /* a part of the mode is to be set when its children exist */
	DIR_ABSENT = 32, /* currently not a directory: only DIR_REPLACED is remembered */
	DIR_SETTLE = DIR_IMPLIED | DIR_HAS_WH | DIR_OPAQUE | DIR_REPLACED
};

struct dir {
	struct dir *up; /* NULL: the root */
	const char *name;
	struct dir *child; /* the one added last */
	struct dir *sibling;
	struct dir **at; /* what points to it: up->child or a sibling */
	struct timespec mtime;
	void *acl; /* value of the default ACL; NULL: none */
	unsigned acl_len;
	unsigned flags;
	mode_t mode; /* with DIR_MODE: set-group-id bit, and what the owner may do */
	bool foreign_group; /* new files in it do not get our group */
	char text[]; /* the name */
};

struct dirs {
	struct dir *root;
	void *index; /* by up and name, see tsearch(3) */
	size_t n_absent;
	size_t acl_bytes;
};

void dirs_release(struct dirs *d);

/* Finds or adds it (all zero except its name); NULL: ENOMEM. Clears DIR_ABSENT: the
 * caller has a directory there. up NULL: the root. */
struct dir *dirs_get(struct dirs *d, struct dir *up, const char *name);
/* The same for a path from the root. */
struct dir *dirs_get_path(struct dirs *d, const char *path);
/* NULL: unknown, or DIR_ABSENT. */
struct dir *dirs_find(const struct dirs *d, const struct dir *up, const char *name);

/* Notes a whiteout of a name that exists in this layer: a directory that gets the
 * name, now or later, is DIR_REPLACED. -1: ENOMEM, or E2BIG if there are absurdly
 * many. */
int dirs_hide(struct dirs *d, struct dir *up, const char *name);

/* The directory was removed: forgets it and everything below it, except DIR_REPLACED. */
void dirs_forget(struct dirs *d, struct dir *dir);

/* Sets a copy of the default ACL. -1: ENOMEM, or E2BIG if they are absurdly many in
 * total. */
int dirs_set_acl(struct dirs *d, struct dir *dir, const void *value, size_t len);

/* Iterates from the root, each directory before its subdirectories; NULL after the
 * last. */
struct dir *dirs_next(const struct dirs *d, const struct dir *dir);

/* Its path from the root; sets out->failed if out of memory. */
void dirs_path(const struct dir *dir, struct buf *out);

#endif
