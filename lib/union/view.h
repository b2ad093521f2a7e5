/*
 * The merged view of a directory: the directories of one name in a stack of layers that
 * make up what is seen, nearest first, as overlayfs merges them with its defaults (a
 * whiteout, a file or an opaque directory ends the list; redirects are not followed).
 *
 *	view of the root   [L3/  L2/  L1/]
 *	view_child "usr"   [L3/usr  L1/usr]	(L2 has none)
 *	view_child "lib"   [L2/lib]		(L2's is opaque)
 */
#ifndef OVL_VIEW_H
#define OVL_VIEW_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "union/whiteout.h"

struct view {
	unsigned n;
	int *fd; /* open for reading, owned */
	enum wh_dir *marks; /* of each */
	const struct xattr_policy *xp;
};

#define VIEW_INIT \
	{         \
		0 \
	}
#define auto_view __attribute__((cleanup(view_close))) struct view

void view_close(struct view *v);

/* Adds a directory below those that are there; fd becomes the view's. -1 with errno, and it is closed. */
int view_push(struct view *v, int fd);

/* Moves the directories of more below those of v. -1 with errno; more is closed then. */
int view_append(struct view *v, struct view *more);

/* The merged subdirectory name: 0 with out->n == 0 if there is none; -1 with errno. */
int view_child(const struct view *v, const char *name, struct view *out);

/* The same for a path from a root view; an empty path is the root itself. */
int view_walk(const struct view *root, const char *path, struct view *out);

/* What is seen under name: 1 and st, with *at the directory it comes from; 0 nothing. */
int view_stat(const struct view *v, const char *name, struct stat *st, unsigned *at);

/*
 * The same for many names: 1 seen, 0 not, -1 ask view_stat. What is asked for is looked up
 * in what the directories list, unless they list far more than the count of names that will
 * be asked for. An empty one says -1 of each.
 */
struct view_index {
	bool made;
	struct buf text; /* type and name of each */
	size_t *at; /* sorted by name, of one name the nearest first */
	size_t n;
};
int view_index_make(struct view_index *x, const struct view *v, size_t count);
int view_index_find(const struct view_index *x, const char *name);
void view_index_release(struct view_index *x);

/* Does the view have any visible name? fn, if given, says which count. */
int view_has_any(
	const struct view *v, bool (*fn)(void *ctx, const char *name), void *ctx);

/* The visible names, sorted by bytes; an array that ends with NULL, one allocation a
 * name, the caller's to free with view_names_free. */
int view_names(const struct view *v, char ***out);
void view_names_free(char **names);

#endif
