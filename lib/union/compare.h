/*
 * Two trees held against each other: one as it is to be, and one as it is.
 *
 * Names are looked at in the order of their bytes, a directory before what is in it. Of
 * two files that are compared: type, mode, owner, mtime, size, device, hard links (how
 * many, and with which of the others), xattrs, the target of a symlink, and data if that
 * is asked for. Whiteouts are equal, whatever they look like.
 */
#ifndef OVL_COMPARE_H
#define OVL_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "ovl.h"

struct compare_fault {
	const char *kind; /* a word for scripts, see ovlctl-check(8) */
	const char *how; /* continues a sentence that begins with the name */
};

enum { COMPARE_FAULTS = 12 };

/* One name; want or have is NULL where it is not there. */
struct compared {
	const char *path; /* from the top; empty: the top itself */
	const char *name; /* in both directories: "." for the top */
	int want_dir;
	int have_dir;
	const struct stat *want;
	const struct stat *have;
	unsigned n;
	struct compare_fault fault[COMPARE_FAULTS];
};

struct comparison {
	const atomic_int *stop; /* ends the work when set; NULL: never */
	bool data;
	/* Files of the trees are files of other layers too (see graft.h): how many names they
	 * have says nothing, those that are the same file need no look, and data are looked
	 * at of those that are to be the same as in the directory below (-1: none) and are
	 * not. */
	bool shared;
	int below;
	/* Told of each name, sound ones too. Other than 0 ends the work. */
	int (*each)(void *ctx, const struct compared *one, struct ovl_err *err);
	/* Of each directory that both have, when all in it was compared. NULL: not wanted. */
	int (*leave)(void *ctx, const struct compared *one, struct ovl_err *err);
	void *ctx;
	struct buf path; /* not for the caller */
	unsigned depth;
	void *links;
	void *back;
};

/* Compares the open trees. 0, what a function said, or negative errno. */
int compare_trees(struct comparison *c, int want, int have, struct ovl_err *err);

#endif
