/*
 * Entries of a tar into a staging tree.
 *
 *	unpack_begin	an empty tree
 *	unpack_entry	for each entry, in the archive's order
 *	unpack_finish	what depends on all entries and on the stack below
 *
 * Nothing outside the tree is touched, whatever the entries say: names are cleaned
 * (path.h), the directory of each is resolved inside the tree, its last component is
 * never followed, and nothing that was there is written into: it is replaced.
 *
 * OCI whiteouts (image-spec, layer.md) hold in every order of entries. While unpacking,
 * a whiteout is a device on disk if nothing of its name is there, else a flag in dirs.h:
 * a directory of that name, now or later, is opaque. An entry replaces the device and
 * leaves the flag. What hides nothing goes in unpack_finish, when the stack below can be
 * asked. Of a layer that is to be whole all marks go there, and what they do not hide
 * comes in.
 */
#ifndef OVL_UNPACK_H
#define OVL_UNPACK_H

#include <archive_entry.h>
#include <stdatomic.h>

#include "base/accounts.h"
#include "base/err.h"
#include "base/idmap.h"
#include "base/xattr.h"
#include "content/behind.h"
#include "content/dirs.h"
#include "tar/tarin.h"
#include "union/view.h"

#define PARENTS 32

/* A directory that is open because entries were put into it lately. */
struct parent {
	char *path; /* as the archive says it; NULL: what it led to was replaced */
	int fd; /* O_PATH */
	struct dir *dir;
};

struct unpack {
	int layer; /* the staged layer's directory, the caller's */
	int tree; /* owned once unpack_begin has it */
	int kept; /* what was replaced, see recipe.h; -1: nothing yet */
	uint64_t n_kept;
	uint64_t kept_bytes; /* of their paths */
	struct recipe_out *recipe; /* the caller's; NULL: none is made */
	struct behind *behind; /* owned; NULL: all is written at once */
	bool no_data; /* files get their size alone */
	bool whole; /* what is below comes in as well, see graft.h, and no marks stay */
	const atomic_int *stop; /* for the part that takes no entries; or NULL */
	const struct xattr_policy *xattrs;
	uint64_t max_entries;
	uint64_t max_bytes;
	unsigned max_depth;

	uint64_t entries;
	uint64_t bytes; /* of file data */
	uint64_t implied; /* directories that no entry was there for */
	uint64_t left_devices; /* that this user namespace cannot make */
	uint64_t left_xattrs; /* that are no part of a layer, or cannot be set */

	struct dirs dirs;
	struct parent parents[PARENTS]; /* latest first */
	unsigned n_parents;
	struct idmap uids;
	struct idmap gids;
	struct accounts accounts; /* whom ACLs name */
	const struct rawhead *head; /* of the current entry */
	uint32_t uid; /* of new files */
	uint32_t gid;
	struct buf path; /* scratch */
	struct buf value;
};

/* The limits, layer, kept, recipe and behind are to be set before. The tree must be empty,
 * and made by this process. */
int unpack_begin(struct unpack *u, int tree, const struct xattr_policy *xattrs,
	struct ovl_err *err);

int unpack_entry(
	struct unpack *u, struct tarin *t, struct archive_entry *e, struct ovl_err *err);
/* After the last of them: waits for what is written behind, and lets go of what only
 * entries need. */
int unpack_written(struct unpack *u, struct ovl_err *err);

/* Does what was unpacked hide all of the stack below? */
bool unpack_hides_all(const struct unpack *u);

/* below: the merged root of the stack, with n == 0 for a bottom layer. */
int unpack_finish(struct unpack *u, const struct view *below, struct ovl_err *err);

void unpack_release(struct unpack *u);

/* ---- between the files of this module --------------------------------------------- */

/* The directory dir (clean path) in the tree, made if it is implied. */
int unpack_parent(
	struct unpack *u, const char *dir, struct parent **out, struct ovl_err *err);

/* Are we root of a user namespace only? */
bool unpack_in_userns(const struct unpack *u);

/* Takes away what is under name, so that an entry can take its place: what has data goes
 * to the layer's .kept. */
int unpack_clear(struct unpack *u, struct parent *p, const char *name, const char *path,
	struct ovl_err *err);

/* The path of name in p, without symlinks on the way. */
int unpack_path(
	const struct parent *p, const char *name, struct buf *out, struct ovl_err *err);

/* Remembers that a whiteout of name hides what is below, whatever becomes of the name. */
int unpack_hidden(struct unpack *u, struct parent *p, const char *name, const char *path,
	struct ovl_err *err);

/* Owner, mode, xattrs, ACLs and times of the entry onto what was just made under name in
 * p, open as fd (-1: not a file or directory that can be). */
int unpack_meta(struct unpack *u, struct parent *p, const char *name, int fd,
	struct archive_entry *e, struct ovl_err *err);

/* Does the new file or directory have what the entry says but for its time? */
bool unpack_is_plain(
	const struct unpack *u, const struct parent *p, struct archive_entry *e);
struct timespec unpack_mtime(const struct unpack *u, struct archive_entry *e);

/* The same for a directory, apart from what unpack_finish does. */
int unpack_dir_meta(struct unpack *u, struct parent *p, const char *name, struct dir *dir,
	bool fresh, struct archive_entry *e, struct ovl_err *err);

/* Are the entry's owner and group ids that can be? And, mapped: in this namespace? */
int unpack_check_owner(
	struct unpack *u, struct archive_entry *e, bool mapped, struct ovl_err *err);

#endif
