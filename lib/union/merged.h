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
#ifndef OVL_MERGED_H
#define OVL_MERGED_H

#include "union/view.h"

struct merged {
	struct view dir;
	bool upper; /* dir.fd[0] is in an upper */
	const struct view *root; /* the lowers at the layer's root; not owned */
};

void merged_close(struct merged *s);
#define auto_merged __attribute__((cleanup(merged_close))) struct merged

/* The directories below the upper one, as a view that owns nothing. */
struct view merged_lowers(const struct merged *s);

/* Opens the merged subdirectory name; out->dir.n == 0 if there is none. -1 with errno. */
int merged_child(const struct merged *s, const char *name, struct merged *out);

enum merged_kind {
	MERGED_MERGES, /* with the lowers' directories of that name; not added to out */
	MERGED_OPAQUE, /* with nothing */
	MERGED_REDIRECTED /* with another directory, which is added to out */
};

/* Opens the subdirectory name of the upper directory s->dir.fd[0]; lowers are the lower
 * directories merged with the latter. -1 with errno. */
int merged_of_upper(const struct merged *s, const struct view *lowers, const char *name,
	struct merged *out, enum merged_kind *how);

/*
 * Looks up a path as a process chrooted to the merged directory would: *out is the same
 * path without symlinks, "." and ".."; empty for the root. The last component is followed
 * only if a slash comes after it. -1 with errno; with ENOENT or ENOTDIR, *out is the part
 * that was found, followed by the remaining names up to a "..".
 */
int merged_resolve(const struct merged *root, const char *path, struct buf *out);

/*
 * Opens the data of the regular file name, which is in directory at of s: the file
 * itself, or the lower file that a metacopy leads to. -1 with errno.
 */
int merged_open_file(const struct merged *s, unsigned at, const char *name);

/* The same for a metacopy in an upper directory. */
int merged_open_data(
	const struct view *root, const struct view *lowers, int dirfd, const char *name);

#endif
