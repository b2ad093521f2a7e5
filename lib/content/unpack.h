/*
 * Unpacks the entries of a tar into a staging tree.
 *
 *	unpack_begin	an empty tree
 *	unpack_entry	for each entry, in the archive's order
 *	unpack_finish	what depends on all entries and on the stack below
 *
 * Nothing outside the tree is touched, whatever the entries say: names are normalised
 * (path.h), the directory of each is resolved inside the tree, the last component is
 * never followed, and an existing file is replaced, never written to.
 *
 * OCI whiteouts (image-spec, layer.md) work in every order of entries. While unpacking, a
 * whiteout is a device on disk if the name does not exist, else a flag in dirs.h: a
 * directory of that name, now or later, is opaque. An entry replaces the device and keeps
 * the flag. unpack_finish removes whiteouts that hide nothing, when the stack below is
 * known. For a driver whose image layers are complete trees, it removes all whiteouts and
 * adds what they do not hide.
 */
#ifndef OVL_UNPACK_H
#define OVL_UNPACK_H

#include <archive_entry.h>
#include <stdatomic.h>

#include "base/accounts.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/idmap.h"
#include "base/xattr.h"
#include "content/dirs.h"
#include "content/handover.h"
#include "content/writer.h"
#include "store/store.h"
#include "tar/tarin.h"
#include "union/view.h"

#define PARENTS 32

/* A directory that is kept open because of recent entries. */
struct parent {
	char *path; /* as in the archive; NULL: the directory was replaced */
	int fd; /* O_PATH */
	struct dir *dir;
};

struct replay_trees;

/* Trees in which another program has unpacked the same tar. Files with data become hard
 * links to its files if possible; otherwise they share their blocks, or are written. The
 * donor's files are never changed, and must have the same data as the tar. */
struct donor {
	const struct replay_trees *trees; /* see replay.h */
	const char *whose; /* the store that they are in */
	bool unverified; /* the tar was made from them, without a diff id to compare */
	struct handover *read; /* the files that the tar is being made from; NULL: it is
				* not made from them */
};

struct unpack {
	int layer; /* the staged layer's directory, the caller's */
	int tree; /* owned after unpack_begin */
	int kept; /* .kept, see recipe.h; -1: nothing was replaced yet */
	uint64_t n_kept;
	uint64_t kept_bytes; /* of their paths */
	struct recipe_out *recipe; /* the caller's; NULL: none is made */
	struct writer *writer; /* owned; NULL: files are written immediately */
	bool no_data; /* files get only their size */
	const struct donor *donor; /* NULL: none */
	bool flat; /* complete tree: adds what is below, see links.h; keeps no
		     * whiteouts */
	const atomic_int *stop; /* for unpack_finish; or NULL */
	const struct xattr_policy *xattrs;
	uint64_t max_entries;
	uint64_t max_bytes;
	unsigned max_depth;

	uint64_t entries;
	uint64_t bytes; /* of file data */
	uint64_t implied; /* directories without an entry */
	uint64_t left[LEFT_KINDS];

	struct dirs dirs;
	struct parent parents[PARENTS]; /* latest first */
	unsigned n_parents;
	struct idmaps ids;
	struct accounts accounts; /* for names in ACLs */
	struct tarin *tar; /* the reader, at the current entry */
	struct archive_entry *e;
	const struct rawhead *head;
	uint32_t uid; /* of new files */
	uint32_t gid;
	struct buf path; /* scratch */
	struct buf value;
	char *chunk;
};

/* The caller sets limits, layer, kept, recipe and writer before. The tree must be
 * empty and made by this process. */
int unpack_begin(struct unpack *u, int tree, const struct xattr_policy *xattrs,
	struct ovl_err *err);

int unpack_entry(
	struct unpack *u, struct tarin *t, struct archive_entry *e, struct ovl_err *err);
/* After the last entry: waits for the writing thread and releases what only entries
 * need. */
int unpack_written(struct unpack *u, struct ovl_err *err);

/* True if the unpacked tree hides the whole stack below. */
bool unpack_hides_all(const struct unpack *u);

/* below: the merged root of the stack, with n == 0 for a bottom layer. */
int unpack_finish(struct unpack *u, const struct view *below, struct ovl_err *err);

void unpack_release(struct unpack *u);

/* ---- between the files of this module --------------------------------------------- */

/* The place of an entry. */
struct unpack_place {
	const char *path; /* clean path in the layer */
	const char *name; /* its last component */
	struct parent *p;
};

/*
 * Creates something at a place; if something exists there, removes that and tries again.
 * fn is a system call wrapper: -1 and EEXIST, or its result.
 */
typedef int (*unpack_maker)(
	struct unpack *u, const struct unpack_place *at, const void *ctx);
int unpack_make(struct unpack *u, const struct unpack_place *at, unpack_maker fn,
	const void *ctx, struct ovl_err *err);

/* Unpacks the current entry, a regular file. */
int unpack_file(struct unpack *u, const struct unpack_place *at, struct ovl_err *err);

/* Opens the directory dir (clean path) in the tree; creates it if it is implied. */
int unpack_parent(
	struct unpack *u, const char *dir, struct parent **out, struct ovl_err *err);

/* True if this process is root only in a user namespace. */
bool unpack_in_userns(const struct unpack *u);

/* Removes what is there, so that an entry can take its place: a file with data is moved
 * to the layer's .kept. */
int unpack_clear(struct unpack *u, const struct unpack_place *at, struct ovl_err *err);

/* The path of the place, with symlinks resolved. */
int unpack_path(const struct unpack_place *at, struct buf *out, struct ovl_err *err);

/* Remembers that a whiteout hides name, in the same directory, in the layers below,
 * whatever entry gets that name. */
int unpack_hidden(struct unpack *u, const struct unpack_place *at, const char *name,
	struct ovl_err *err);

/* Sets owner, mode, xattrs, ACLs and times of the current entry on the file that was just
 * created there, open as fd (-1: cannot be opened). */
int unpack_meta(
	struct unpack *u, const struct unpack_place *at, int fd, struct ovl_err *err);
/* The same for a directory, apart from what unpack_finish does. */
int unpack_dir_meta(struct unpack *u, const struct unpack_place *at, struct dir *dir,
	bool fresh, struct ovl_err *err);

/* True if the entry has xattrs or ACLs. */
bool unpack_has_xattrs(const struct unpack *u);
/* The mode to create a file with. Only root may set xattrs of a file that its owner may
 * not write to, so the final mode may be set later. */
mode_t unpack_first_mode(const struct unpack *u);
/* True if only the time of the new file or directory has to be set. */
bool unpack_is_plain(const struct unpack *u, const struct parent *p);
struct timespec unpack_mtime(const struct unpack *u);

/* Reports that a file cannot be given to a user and group; returns -errnum. */
int unpack_fail_owner(
	int errnum, const char *name, uid_t uid, gid_t gid, struct ovl_err *err);

/* Checks that the entry's owner and group are valid ids; mapped: also in this
 * namespace. */
int unpack_check_owner(struct unpack *u, bool mapped, struct ovl_err *err);

/* A file of the donor, open for reading. */
struct donated {
	int fd; /* -1: none */
	bool read; /* the data of the entry were read from it: they are the same */
	int why; /* link(2) failed with that errno; 0: it was not tried */
	struct stat st;
};

static inline void donated_close(struct donated *d)
{
	close_fdp(&d->fd);
}
#define auto_donated __attribute__((cleanup(donated_close))) struct donated

/* Finds the donor's file for an entry with data: the one that was read for their place
 * in the tar, or else the one at that path in the tree. The caller sets out->fd to -1,
 * and it stays -1 if the file has to be written. -EUCLEAN: the donor's tree is damaged. */
int unpack_donated(
	struct unpack *u, const char *path, struct donated *out, struct ovl_err *err);
/* Makes the entry a hard link of the donor's file: 1; 0 if that has other metadata or
 * cannot be linked; negative errno. */
int unpack_link(struct unpack *u, const struct unpack_place *at, struct donated *from,
	struct ovl_err *err);
/* Gives the empty file fd the donor's data as a reflink; false if that is impossible. */
bool unpack_clone(struct unpack *u, int fd, const struct donated *from);
/* Checks that the donor's file has this data. */
int unpack_same_data(struct unpack *u, const char *path, const struct donated *from,
	const void *p, size_t n, uint64_t offset, struct ovl_err *err);

#endif
