/*
 * Applies the changes of a layer to the directory of the host that it is on.
 *
 *	carry_check	finds conflicts between the layer and changes in the directory
 *	carry_out	makes the directory what the layer's mount shows
 *
 * The layer's own tree stays unchanged until the caller removes it, and each step depends
 * only on that tree and on the directory. After a kill everything is therefore done
 * again, with the same result. There is one exception: of a directory renamed with
 * redirect_dir=on, or a file renamed with metacopy=on, the layer holds only the old path,
 * as an xattr. Such directories are moved to a temporary directory first, and such files
 * completed there; then the xattr is removed. The states are
 *
 *	layer		temporary	directory
 *	m -> d				d		before
 *	m -> d		INODE				staged
 *	m		INODE				the xattr is removed
 *	m				m		placed
 *
 * where INODE is the inode number of the layer's m. New files are also written to the
 * temporary directory, DIR/.ovlctl-<link>, and renamed from there.
 */
#ifndef OVL_CARRY_H
#define OVL_CARRY_H

#include "base/err.h"
#include "base/inodes.h"
#include "base/namelist.h"
#include "content/pack.h"
#include "store/layer.h"
#include "store/ondir.h"

/* Something that was renamed in a mount with redirect_dir=on or metacopy=on. */
struct carry_moved {
	char *path; /* in the layer */
	char *from; /* in the directory; NULL: staged already, or nothing is there */
	char *dir; /* of a file: the directory that it is in, or was in */
	ino_t inode; /* of the layer's file */
	bool file;
};

/* A change that apply itself has made or is about to make as a side effect, and that must
 * not be taken for a conflict: to a directory, or to other names of a file that it
 * replaces. */
struct carry_note {
	char kind; /* 'f' or 'd' */
	ino_t inode;
	struct timespec at; /* f: its mtime. d: its ctime when done, 0 until then */
};

/* A directory whose mode was changed so that its owner can write to it. */
struct carry_opened {
	ino_t inode;
	mode_t mode; /* before */
};

struct carry {
	const struct layer *l;
	const struct ondir *on;
	struct namelist
		*only; /* paths, sorted; empty: all. Their type: is there a change? */
	bool force; /* ignore conflicts */

	/* Private. */
	int tree; /* the layer's own */
	int temp; /* the temporary directory; -1: it does not exist */
	char temp_name[48];
	struct inodes placed; /* files with hard links */
	struct carry_moved *moved;
	size_t n_moved;
	struct namelist gone; /* paths in the directory that will be removed */
	struct carry_note *note; /* sorted by inode, then by age */
	size_t n_notes;
	struct buf new_notes;
	struct carry_opened *opened; /* those that have not been left */
	size_t n_opened;
	struct pack_lost lost; /* what the directory will not get */
	struct inodes counted; /* files with hard links that were looked at for it */
	size_t conflicts;
	char *conflict; /* the last one */
};

#define auto_carry __attribute__((cleanup(carry_end))) struct carry

/* Opens the layer's tree. l, on and only are set, tree and temp are -1. */
int carry_begin(struct carry *c, struct ovl_err *err);
/* Reports conflicts with store_problem(); the last one is the error. */
int carry_check(struct carry *c, struct ovl_err *err);
int carry_out(struct carry *c, struct ovl_err *err);
void carry_end(struct carry *c);

/* True if the path in the layer is one of c->only, or below one. */
bool carry_wants(const struct carry *c, const char *path);

#endif
