/*
 * Internal to carry*.c.
 */
#ifndef OVL_CARRY_OWN_H
#define OVL_CARRY_OWN_H

#include "base/walk.h"
#include "content/carry.h"
#include "union/whiteout.h"

/* A directory of the layer, and the one that it changes. */
struct carry_pair {
	int upper;
	int below; /* -1: none */
	enum wh_dir marks;
	bool opaque; /* or something that it is in */
	/* The layer was not made on the other one: what is in that is new to it. */
	bool fresh;
	bool open; /* or all is zero, as above the root of the walk */
};

/* A name in the layer. */
struct carry_step {
	const char *path;
	const char *name;
	const struct carry_pair *in; /* what it is in; the root is in nothing: NULL */
	struct stat st;
	bool whiteout;
	bool wanted; /* not only on the way to something that is */
	/* All that is in it has been visited; this is the directory itself. */
	const struct carry_pair *left;
};

typedef int (*carry_fn)(struct carry *c, const struct carry_step *s, struct ovl_err *err);

/* Calls fn for each name in the layer that is wanted or on the way, and again, with left, for
 * each directory after its names. */
int carry_walk(struct carry *c, carry_fn fn, struct ovl_err *err);

/* Opens what the layer's directory upper changes, which is name in a directory of the host,
 * or was before it was renamed. *out -1: nothing. */
int carry_origin(const struct carry *c, int below, int upper, const char *name, int *out);
int carry_open_below(int dirfd, const char *name, int *out);

/* Sets what the open pair says of itself. above: NULL for the root. */
int carry_marks(
	const struct carry *c, struct carry_pair *p, const struct carry_pair *above);
/* Calls fn for the names below, as far as they are wanted, that the layer's directory path
 * hides if it is opaque. */
int carry_hidden(struct carry *c, const struct carry_pair *dir, const char *path,
	int (*fn)(struct carry *c, const struct carry_pair *dir, const char *name,
		struct ovl_err *err),
	struct ovl_err *err);

/* The name of something in the temporary directory. */
#define CARRY_STAGED(inode) P("%" PRIxMAX, (uintmax_t)(inode))
#define CARRY_NEW           ".new"
#define CARRY_GONE          ".gone"

/* Opens the temporary directory, if there is one; make: there is. */
int carry_temp(struct carry *c, bool make, struct ovl_err *err);
/* Stages all that was renamed. */
int carry_stage(struct carry *c, struct ovl_err *err);
/* Copies the layer's file to the temporary directory as CARRY_NEW. */
int carry_copy(struct carry *c, int upper, int below, const char *name);

/* Gives the xattrs of a file that came from the layer the names that a mount shows. */
int carry_unescape(const struct carry *c, int dirfd, const char *name);

int carry_notes_read(struct carry *c, struct ovl_err *err);
int carry_note_add(struct carry *c, const struct stat *st, bool done);
/* Has the file or directory been changed since the layer was made, by others? */
bool carry_changed(const struct carry *c, const struct stat *st);
/* And not only by adding or removing a name? */
bool carry_meta_changed(const struct carry *c, const struct stat *st);
int carry_notes_write(struct carry *c, struct ovl_err *err);

#endif
