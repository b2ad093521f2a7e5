/*
 * Finds the files that the trees of a stack hide in the trees below. Each tree is walked
 * once, starting at the bottom, and its names are kept in memory while trees on top of it
 * follow. This takes about 100 bytes for each file, and no lookups in lower trees.
 *
 *	hidden_push	adds a tree on top
 *	hidden_add	adds a name to it, directories before their contents
 *	hidden_enter	before the contents of a directory are added
 *	hidden_leave	after that
 *	hidden_each	calls a function for each file that this tree hides and the trees
 *			between do not
 *	hidden_pop	removes the tree
 *
 * A file with several names is hidden when the last of them is. A directory is hidden
 * when it was deleted or replaced, not when directories merge. Moved directories and
 * metacopies (see merged.h) keep their lower directories and files visible.
 */
#ifndef OVL_HIDDEN_H
#define OVL_HIDDEN_H

#include <stdatomic.h>

#include "base/buf.h"
#include "ovl.h"
#include "union/whiteout.h"

struct hidden;

/* One for each file with several names; owned by the caller, all zero at first. */
struct hidden_links {
	unsigned visible; /* its names */
	unsigned hidden_by;
};

struct hidden_trees {
	const struct xattr_policy *xp;
	/* Opens a tree that was pushed, to compare a file in it; -1 with errno. */
	int (*open)(void *ctx, unsigned tree);
	void *ctx;
	const atomic_int *stop; /* ends the comparison; NULL: never */
};
/* NULL: out of memory. */
struct hidden *hidden_new(const struct hidden_trees *in);
void hidden_free(struct hidden *h);

/*
 * WHOLE: the tree has everything that is visible, not only changes. OPAQUE: it hides all
 * trees below. UPPER: it may have been written through a mount with redirect_dir or
 * metacopy. -1: out of memory.
 */
enum { HIDDEN_WHOLE = 1, HIDDEN_OPAQUE = 2, HIDDEN_UPPER = 4 };
int hidden_push(struct hidden *h, unsigned tree, unsigned flags);
void hidden_pop(struct hidden *h);

/* Adds name, which is in directory dir, open as dirfd; the root of the tree is name "" in
 * directory 0. links is set if the file has several names. Returns the number of the
 * entry, 0 if it has none, -1 with errno. */
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
/* Ends when fn returns nonzero, and returns that. */
int hidden_each(struct hidden *h, hidden_fn fn, void *ctx);
/* Its path in its tree. */
void hidden_path(const struct hidden *h, unsigned entry, struct buf *out);

#endif
