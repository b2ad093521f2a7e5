/*
 * Compares two trees, an expected and an actual one.
 *
 * Names are compared in byte order, a directory before its entries. Two files are
 * compared by type, mode, owner, mtime, size, device, hard links (how many, and with
 * which of the other files), xattrs, symlink target and, if asked for, data. Whiteouts
 * are equal in all their forms.
 */
#ifndef OVL_COMPARE_H
#define OVL_COMPARE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/inodes.h"
#include "ovl.h"

struct compare_fault {
	const char *kind; /* a word for scripts, see ovlctl-check(8) */
	const char *how; /* continues a sentence that begins with the name */
};

enum { COMPARE_FAULTS = 12 };

/* One name; want or have is NULL if it does not exist there. */
struct compared {
	const char *path; /* from the root; empty: the root itself */
	const char *name; /* in both directories; "." for the root */
	int want_dir;
	int have_dir;
	const struct stat *want;
	const struct stat *have;
	unsigned n;
	struct compare_fault fault[COMPARE_FAULTS];
};

enum { COMPARE_LINKS, COMPARE_BACK, COMPARE_UIDS, COMPARE_GIDS, COMPARE_PAIRS };

struct comparison {
	const atomic_int *stop; /* ends the work when set; NULL: never */
	bool data;
	/* Files of the trees are shared with other layers (see links.h): their link
	 * counts are not compared, and files with the same inode are equal. Data is
	 * compared for files that should be shared with the directory below (-1: none)
	 * and are not. */
	bool shared;
	int below;
	/* The second tree may have fractions of a second where the first has none. */
	bool finer;
	/* An import in a user namespace may have made either tree. It leaves out devices
	 * and the xattrs that only root can set; one tree may have them without the
	 * other. */
	bool userns;
	/* The trees show owners as seen in different user namespaces: files that have the
	 * same owner in the first must have the same owner in the second. */
	bool mapped;
	/* Called for each name, even without a fault. A result other than 0 ends the
	 * work. */
	int (*each)(void *ctx, const struct compared *one, struct ovl_err *err);
	/* Called after the entries of a directory that exists in both trees. May be
	 * NULL. */
	int (*leave)(void *ctx, const struct compared *one, struct ovl_err *err);
	void *ctx;
	struct inodes pairs[COMPARE_PAIRS]; /* private: what belongs together in both */
};

/* Compares the open trees. 0, the result of a callback, or negative errno. */
int compare_trees(struct comparison *c, int want, int have, struct ovl_err *err);

#endif
