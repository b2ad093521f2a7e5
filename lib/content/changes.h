/*
 * Finds the changes of a layer compared with the layers below it, or with any other
 * layer. Everything that lists or packs changes uses it. A writable layer may be mounted:
 * files that disappear from it during the walk are skipped.
 *
 * Compared with its own parent, only the upper tree is read, with one lookup below for
 * each name. A directory that was renamed with redirect_dir=on is compared with the lower
 * directory it came from; whiteouts and opaque directories become deletions.
 *
 * Changes are sorted by the bytes of their path, so that "a" is followed by "a.b" and
 * that by "a/c".
 */
#ifndef OVL_CHANGES_H
#define OVL_CHANGES_H

#include "base/err.h"
#include "store/layer.h"
#include "union/view.h"

struct changes;

struct change {
	char kind; /* 'A', 'C', 'D' */
	/* D: an opaque directory above hides it. */
	bool by_opaque;
	/* A, C of a directory: it hides something below. */
	bool opaque;
	/* C of a directory: only its contents changed. Only when comparing with any
	 * base. */
	bool only_inside;
	const char *path; /* without a leading '/'; empty: the root */
	size_t path_len;
	/* A, C: the file. Not set (-1) when comparing with any base. */
	int dirfd;
	const char *name;
	struct changes *walk; /* for changes_open_data() */
};

typedef int (*change_fn)(void *ctx, const struct change *c, struct ovl_err *err);

/*
 * Calls fn for each change; a result other than 0 ends the walk and is returned. base
 * NULL: the layer's parent. The caller has opened and locked both layers.
 */
int changes_walk(const struct layer *l, const struct layer *base, change_fn fn, void *ctx,
	struct ovl_err *err);

/* Tells fn about a change of a path, as ovl_diff() does, except the root; returns what
 * it returns. */
int changes_tell(int (*fn)(void *ctx, const struct ovl_change *c), void *ctx, char kind,
	const char *path, struct ovl_err *err);

/*
 * True if the layer's tree holds more than its changes. It must then be compared with its
 * parent in the way it is compared with any other base.
 */
bool changes_compared(const struct layer *l);

/*
 * For use in fn, for a regular file without data in an upper mounted with metacopy=on:
 * opens the lower file that has the data. -1 with errno.
 */
int changes_open_data(const struct change *c);

#endif
