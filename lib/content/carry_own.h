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
	bool opaque; /* this directory, or one above it */
	/* below is not the directory that the layer was made on, so all names in it are
	 * new. */
	bool fresh;
	bool open; /* false above the root of the walk; everything else is zero then */
};

/* A name in the layer. */
struct carry_step {
	const char *path;
	const char *name;
	const struct carry_pair *in; /* the directory that it is in; NULL for the root */
	struct stat st;
	bool whiteout;
	bool wanted; /* false: only a parent of something wanted */
	/* In the second call for a directory, after its contents: the directory
	 * itself. */
	const struct carry_pair *left;
};

typedef int (*carry_fn)(struct carry *c, const struct carry_step *s, struct ovl_err *err);

/* Calls fn for each name in the layer that is wanted or a parent of one, and again, with
 * left, for each directory after its contents. */
int carry_walk(struct carry *c, carry_fn fn, struct ovl_err *err);

/* Opens the directory of the host that the layer's directory upper changes: name in
 * below, or the one it was renamed from. *out is -1 if there is none. */
int carry_origin(const struct carry *c, int below, int upper, const char *name, int *out);
int carry_open_below(int dirfd, const char *name, int *out);

/* Sets marks, opaque and fresh of the open pair. above: NULL for the root. */
int carry_marks(
	const struct carry *c, struct carry_pair *p, const struct carry_pair *above);
/* If the layer's directory path is opaque, calls fn for each wanted name that it
 * hides. */
int carry_hidden(struct carry *c, const struct carry_pair *dir, const char *path,
	int (*fn)(struct carry *c, const struct carry_pair *dir, const char *name,
		struct ovl_err *err),
	struct ovl_err *err);

/* The name of something in the temporary directory. */
#define CARRY_STAGED(inode) P("%" PRIxMAX, (uintmax_t)(inode))
#define CARRY_NEW           ".new"
#define CARRY_GONE          ".gone"

/* Opens the temporary directory if it exists; make: creates it if it does not. */
int carry_temp(struct carry *c, bool make, struct ovl_err *err);
/* Stages everything that was renamed. */
int carry_stage(struct carry *c, struct ovl_err *err);
/* Copies the layer's file to the temporary directory as CARRY_NEW. */
int carry_copy(struct carry *c, int upper, int below, const char *name);

/* Renames the escaped xattrs of a file from the layer to the names that a mount shows. */
int carry_unescape(const struct carry *c, int dirfd, const char *name);

int carry_notes_read(struct carry *c, struct ovl_err *err);
int carry_note_add(struct carry *c, const struct stat *st, bool done);
/* True if another program has changed the file or directory since the layer was made. */
bool carry_changed(const struct carry *c, const struct stat *st);
/* The same for a directory; added and removed names do not count. */
bool carry_meta_changed(const struct carry *c, const struct stat *st);
int carry_notes_write(struct carry *c, struct ovl_err *err);

#endif
