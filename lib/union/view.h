/*
 * The merged view of a directory: the directories of one name in a stack of layers,
 * nearest first, that overlayfs would merge with its default options (a whiteout, a file
 * or an opaque directory ends the list; redirects are not followed).
 *
 *	view of the root   [L3/  L2/  L1/]
 *	view_child "usr"   [L3/usr  L1/usr]	(L2 has none)
 *	view_child "lib"   [L2/lib]		(L2's is opaque)
 */
#ifndef OVL_VIEW_H
#define OVL_VIEW_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/namelist.h"
#include "union/whiteout.h"

struct view {
	unsigned n;
	int *fd; /* open for reading, owned */
	enum wh_dir *marks; /* opaque marks of each */
	const struct xattr_policy *xp;
};

#define VIEW_INIT \
	{         \
		0 \
	}
#define auto_view __attribute__((cleanup(view_close))) struct view

void view_close(struct view *v);

/* Adds a directory at the bottom; the view owns fd. -1 with errno, and fd is closed. */
int view_push(struct view *v, int fd);
/* The same at the top. */
int view_push_top(struct view *v, int fd);

/* Moves the directories of more to the bottom of v. -1 with errno, and more is closed. */
int view_append(struct view *v, struct view *more);

/* Opens the merged subdirectory name: 0, with out->n == 0 if there is none; -1 with
 * errno. */
int view_child(const struct view *v, const char *name, struct view *out);

/* The same for a path below a root view; an empty path is the root itself. */
int view_walk(const struct view *root, const char *path, struct view *out);

/* Looks up the visible file name: 1 with st, and *at the index of its directory; 0 if
 * there is none. */
int view_stat(const struct view *v, const char *name, struct stat *st, unsigned *at);

/*
 * The same for many names: 1 visible, 0 not visible, -1 unknown: use view_stat. No index
 * is made if the directories have far more names than the count that will be looked up;
 * then all names are unknown.
 */
struct view_index {
	bool made;
	struct namelist names; /* sorted; of the same name the nearest comes first */
};
int view_index_make(struct view_index *x, const struct view *v, size_t count);
int view_index_find(const struct view_index *x, const char *name);
void view_index_release(struct view_index *x);

/* Calls fn for each visible name until it returns nonzero, and returns that. -1 with
 * errno. */
int view_each(const struct view *v,
	int (*fn)(void *ctx, const char *name, const struct stat *st), void *ctx);

/* Adds the visible names. -1 with errno. */
int view_names(const struct view *v, struct namelist *out);

#endif
