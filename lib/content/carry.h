/*
 * Carries the changes of a layer into the directory of the host that it is on.
 *
 *	carry_check	compares what the layer changes with what is there now
 *	carry_out	stages, places, and leaves what the layer's mount shows
 *
 * The layer's own tree stays as it is until the caller removes it, and each step depends
 * only on that tree and on what is in the directory. So after a kill all is done again,
 * and comes to the same end. Two kinds of changes need what they change: a directory that was
 * renamed with redirect_dir=on, and a file that was renamed with metacopy=on, are in the
 * layer only as the path of what they were. These are moved, or completed, in a temporary
 * directory first; then the layer's mark is removed. So the states are
 *
 *	layer		temporary	directory
 *	m -> d				d		before
 *	m -> d		INODE				staged
 *	m		INODE				the mark is gone
 *	m				m		placed
 *
 * where INODE is the number of the layer's m. The temporary directory, DIR/.ovlctl-<link>,
 * also has each new file until it is renamed into its place.
 */
#ifndef OVL_CARRY_H
#define OVL_CARRY_H

#include "base/err.h"
#include "base/inodes.h"
#include "base/namelist.h"
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

/* A change in the directory that apply itself has made or is about to make: not to the
 * file that it writes, but to another name of one that it replaces, or to a directory. */
struct carry_note {
	char kind; /* 'f' or 'd' */
	ino_t inode;
	struct timespec at; /* f: its mtime. d: its ctime when done, 0 until then */
};

/* A directory whose owner may write to it only because its mode was changed. */
struct carry_opened {
	ino_t inode;
	mode_t mode; /* before */
};

struct carry {
	const struct layer *l;
	const struct ondir *on;
	const struct namelist *only; /* paths; empty: all */
	bool force; /* conflicts are none */

	/* Private. */
	int tree; /* the layer's own */
	int temp; /* the temporary directory; -1: none there */
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
	bool *met; /* of the paths: there is a change at it */
	size_t conflicts;
	char *conflict; /* the last one */
};

#define auto_carry __attribute__((cleanup(carry_end))) struct carry

/* Opens the layer's tree. l, on and only are set, tree and temp are -1. */
int carry_begin(struct carry *c, struct ovl_err *err);
/* Conflicts are told with store_problem(), the last one is the error. */
int carry_check(struct carry *c, struct ovl_err *err);
int carry_out(struct carry *c, struct ovl_err *err);
void carry_end(struct carry *c);

/* Is the path in the layer one of those asked for, or below one? */
bool carry_wants(const struct carry *c, const char *path);

#endif
