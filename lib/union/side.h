/*
 * A merged directory of a layer as a mount shows it: a view (view.h) whose first
 * directory may be in an upper that was mounted with redirect_dir=on or metacopy=on and
 * holds such xattrs (kernel overlayfs.rst, "redirect_dir", "Metadata only copy up").
 *
 *	upper	moved/	redirect "d"		the directory merges with d of the lowers
 *	upper	f	metacopy		its data is that of f in the lowers
 *	upper	g	metacopy, redirect "/d/f"	... of d/f
 *
 * A relative redirect is a name in the same directory, an absolute one a path from the
 * root of the lowers.
 */
#ifndef OVL_SIDE_H
#define OVL_SIDE_H

#include "union/view.h"

struct side {
	struct view dir;
	bool upper; /* dir.fd[0] is in an upper */
	const struct view *root; /* the lowers at the layer's root; not owned */
};

void side_close(struct side *s);

/* The directories below the upper one, as a view that owns nothing. */
struct view side_lowers(const struct side *s);

/* Opens the merged subdirectory name; out->dir.n == 0 if there is none. -1 with errno. */
int side_child(const struct side *s, const char *name, struct side *out);

enum side_merge {
	SIDE_MERGES, /* with the lowers' directories of that name, which are not in out
		      * yet */
	SIDE_OPAQUE, /* with nothing */
	SIDE_REDIRECTED /* with another directory, which is in out */
};

/* Opens the subdirectory name of the upper directory s->dir.fd[0], with lowers beside.
 * -1 with errno. */
int side_of_upper(const struct side *s, const struct view *beside, const char *name,
	struct side *out, enum side_merge *how);

/*
 * Opens the data of the regular file name, which is in directory at of s: the file
 * itself, or the lower file that a metacopy leads to. -1 with errno.
 */
int side_open(const struct side *s, unsigned at, const char *name);

/* The same for a metacopy in an upper directory. */
int side_open_data(
	const struct view *root, const struct view *beside, int dirfd, const char *name);

#endif
