/*
 * What the trees of a stack hide of those below them. Each tree is walked once, from the
 * bottom one upwards, and kept in memory as long as trees on top of it are to come: about
 * 100 bytes for each file, and nothing is looked up below.
 *
 *	hidden_push	a tree on top of those that were pushed
 *	hidden_add	each name of it, the directories before what is in them
 *	hidden_enter	a directory that was opened; hidden_leave when all in it was added
 *	hidden_each	what this tree hides that was visible until now
 *	hidden_pop	the tree is not needed any more
 *
 * A file with several names is hidden when the last of them is. A directory is hidden when
 * it was deleted or replaced, not when directories merge. Moved directories and metacopies
 * (see merged.h) keep what they are made from visible.
 */
#ifndef OVL_HIDDEN_H
#define OVL_HIDDEN_H

#include <stdatomic.h>

#include "base/buf.h"
#include "ovl.h"
#include "union/whiteout.h"

struct hidden;

/* For each file with several names, all zero at first; the caller's. */
struct hidden_links {
	unsigned visible; /* its names */
	unsigned hidden_by;
};

struct hidden_trees {
	const struct xattr_policy *xp;
	/* Opens a tree that was pushed, to compare a file in it; -1. */
	int (*open)(void *ctx, unsigned tree);
	void *ctx;
	const atomic_int *stop; /* ends the comparison; NULL: never */
};
/* NULL: out of memory. */
struct hidden *hidden_new(const struct hidden_trees *in);
void hidden_free(struct hidden *h);

/*
 * whole: the tree has everything that is visible, not only changes. opaque: it hides all
 * trees below. upper: it may have been written through a mount with redirect_dir or metacopy.
 * -1: out of memory.
 */
enum { HIDDEN_WHOLE = 1, HIDDEN_OPAQUE = 2, HIDDEN_UPPER = 4 };
int hidden_push(struct hidden *h, unsigned tree, unsigned flags);
void hidden_pop(struct hidden *h);

/* Adds the name in directory dir, which is open as dirfd; the root of the tree is name "" in
 * directory 0. links: if it has several names. The number of the entry, 0 if it has none, -1
 * with errno. */
long hidden_add(struct hidden *h, unsigned dir, int dirfd, const char *name,
	const struct stat *st, struct hidden_links *links);
/* -1 with errno. */
int hidden_enter(struct hidden *h, unsigned entry, int fd);
int hidden_leave(struct hidden *h, unsigned entry);

/* A file or directory of a tree below. */
struct hidden_file {
	unsigned tree;
	unsigned entry;
	enum ovl_hidden why;
	uint64_t bytes;
};
typedef int (*hidden_fn)(void *ctx, const struct hidden_file *f);
/* Ends when fn returns nonzero, which is returned. */
int hidden_each(struct hidden *h, hidden_fn fn, void *ctx);
/* Its path in its tree. */
void hidden_path(const struct hidden *h, unsigned entry, struct buf *out);

#endif
