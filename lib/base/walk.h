/*
 * A walk through a directory tree, or through up to three trees in parallel.
 *
 *	auto_walk w = {.trees = 1, .top = {dirfd}, .first = name};
 *
 *	while ((r = walk_next(&w)) > 0) {
 *		r == WALK_NAME	w.name in the directory w.fd[0]; the first one is first.
 *				Call walk_enter(&w) to visit what is in it
 *		r == WALK_LEFT	the same name again, after all that is in it
 *	}
 *
 * Names come in the order in which they are read, and entries may be added and removed
 * during the walk; with both they are sorted by their bytes. In a deep tree only some of
 * the directories above stay open, see levels.h. Symlinks are not followed.
 */
#ifndef OVL_WALK_H
#define OVL_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/levels.h"

struct namelist;

#define WALK_TREES 3

enum { WALK_NAME = 1, WALK_LEFT };

/* For a walk through something other than directories, such as the merged view of a
 * stack. open and close are as in struct levels; names gives all names in dir, sorted. */
struct walk_kind {
	int (*open)(void *ctx, const void *up, const char *name, void *dir);
	void (*close)(void *ctx, void *dir);
	int (*names)(void *ctx, void *dir, struct namelist *out);
};

struct walk {
	/* Set by the caller. */
	unsigned trees;
	int top[WALK_TREES]; /* the directories that first is in; still the caller's */
	const char *first; /* "." to begin with the directory itself */
	bool both; /* visit names of the first two trees, sorted; false: of the first */
	int (*open)(int dirfd, const char *name); /* NULL: fs_open_dir */
	/* The size of a struct for each directory on the way, which begins with its int
	 * fd[WALK_TREES]; the rest, zero at first, is for the caller. 0: only those. */
	size_t size;
	/* Instead of trees, top, both and open; all of the struct is for the caller
	 * then. */
	const struct walk_kind *kind;
	void *ctx;
	unsigned near; /* see levels.h; 0: as many as most trees are deep */

	/* What walk_next has found. */
	const char *name;
	unsigned char type; /* DT_* of readdir(3), maybe DT_UNKNOWN */
	void *dir; /* the struct of the directory that it is in */
	const int *
		fd; /* its descriptors; in the third tree -1 if it does not exist there */
	void *in; /* after walk_enter and with WALK_LEFT: the struct of name itself */
	struct buf path; /* relative to first, which is "" */

	/* Not for the caller. */
	bool left;
	char *block;
	struct levels levels;
};

/* WALK_*; 0 at the end; -1 with errno if a directory cannot be read, which the next call
 * skips. */
int walk_next(struct walk *w);
/* Opens name in all trees; what is in it comes next. Removes a trailing '/' of name. -1
 * with errno. */
int walk_enter(struct walk *w);
void walk_end(struct walk *w);
#define auto_walk __attribute__((cleanup(walk_end))) struct walk

#endif
