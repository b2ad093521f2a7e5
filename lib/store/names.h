/*
 * Names of layers: names/<name> is a symlink to ../<driver>/<id>, a '/' in the name
 * written as %2F. Each is also noted in the layer's own .names/, so that a removal
 * finds a layer's names without reading those of all others. Only the two together are a
 * name. A note holds the digest of the image config that goes with the name, if one does.
 *
 * A killed process may leave either alone. A symlink to a layer without the note is pruned.
 * A note without the symlink counts as a name that was lost, which check tells of, unless
 * it is pending (its file is executable): it is so until the symlink leads to the layer,
 * and again before that may lead to another one.
 */
#ifndef OVL_NAMES_H
#define OVL_NAMES_H

#include "base/buf.h"
#include "base/err.h"
#include "ovl.h"
#include "store/layer.h"

#define NAME_LEN_MAX 200

/* The file name that stands for name; false if that is too long for one. */
bool name_encode(const char *name, char out[256]);
/* And back; false if it stands for no valid name. */
bool name_decode(const char *file, char out[NAME_LEN_MAX + 1]);

/* Makes n bytes of text usable in a name: replaces invalid characters by '-'. */
void name_from(const char *text, size_t n, struct buf *out);

/* Whose name is it? 1 and ref, 0 if nobody's, negative errno. */
int names_lookup(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct ovl_err *err);

/* Is the name the beginning of the id of a layer other than self (NULL: any), which would
 * not be found by it any more? 1 and that layer, 0, negative errno. */
int names_hides_id(struct ovl_store *st, const char *name, const struct layer_ref *self,
	struct layer_ref *hidden, struct ovl_err *err);

/* The same; *leads: where the symlink leads, to a writable layer that became *ref maybe. */
int names_find(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct layer_ref *leads, struct ovl_err *err);

/* Refuses text that is not a valid name (OVL_USAGE), the beginning of the id of a layer
 * other than self (NULL: any) and, unless forced, the name of such a layer. */
int names_check(struct ovl_store *st, const char *name, const struct layer_ref *self,
	bool force, struct ovl_err *err);
/* Gives the open layer a name, with the digest of an image config (NULL: of none; one
 * that goes with it already stays). With force it is taken from who has it, and the note
 * there as well. durable: synced when this returns. */
int names_give(const struct layer *l, const char *name, const char *config, bool force,
	bool durable, struct ovl_err *err);

/* Takes a name away from the layer that has it: 1 done, 0 nobody has it, negative errno. */
int names_take(struct ovl_store *st, const char *name, bool durable, struct ovl_err *err);

/* The same if it is that layer's, as far as it can be done. */
void names_take_from(struct ovl_store *st, const char *name, const struct layer_ref *ref);

/* Moves the notes of names that the image layer is to have from where the writable layer's
 * commit has put them. The same lock, and results. */
int names_take_notes(
	const struct layer *image, const struct layer_ref *was, struct ovl_err *err);
/* Gives the names that lead to a writable layer to the image layer it has become, which
 * has notes of them; what the writable layer keeps loses its note there. Under the lock of
 * the names. 1: some were given, 0: none, negative errno. */
int names_hand_on(
	const struct layer *image, const struct layer_ref *was, struct ovl_err *err);
/* Notes all names of a layer in the directory that will take its place. */
int names_copy_notes(const struct layer *from, int to_fd, struct ovl_err *err);

/* The digest of the config that goes with a name of the layer: 1 and hex, 0 none does. */
int names_config(
	int layer_fd, const char *name, char hex[ID_LEN + 1], struct ovl_err *err);

/*
 * The steps of that, for a layer that appears together with its name: the note in its
 * directory, the lock on all names, the name, and taking it back.
 */
int names_note(int layer_fd, const char *name, const char *config, struct ovl_err *err);
int names_lock(struct ovl_store *st, struct ovl_err *err);
/* For who looks: nobody gives a name or takes one away meanwhile, and no commit gives a
 * layer another id: of an entry that is renamed readdir(3) may show neither name. */
int names_lock_shared(struct ovl_store *st, struct ovl_err *err);
/* The same for who lists all layers, and can do without: 1, 0 it cannot be had. */
int names_lock_to_list(struct ovl_store *st, struct ovl_err *err);
/* The first for who need not have it: does not wait. */
int names_trylock(struct ovl_store *st, struct ovl_err *err);
int names_link(struct ovl_store *st, const char *name, const struct layer_ref *ref,
	bool force, struct ovl_err *err);
void names_unlink(struct ovl_store *st, const char *name);
int names_sync(struct ovl_store *st, struct ovl_err *err);
void names_unlock(struct ovl_store *st);

/*
 * For a removal of the layer, which takes its names along: locks the names and lists those
 * of the layer, each ended by a 0 byte: 1; 0: it has no note of any, and nothing is locked.
 * When the layer is gone their symlinks lead nowhere, and are unlinked.
 */
int names_lock_of(const struct layer *l, struct buf *files, struct ovl_err *err);
int names_unlink_files(
	struct ovl_store *st, const struct buf *files, struct ovl_err *err);

/* The first of a layer's names by bytes: 1 and out, 0 if it has none. */
int names_first(
	struct ovl_store *st, const struct layer_ref *ref, char out[NAME_LEN_MAX + 1]);

/* The notes of names in a layer, for who clears up: 1 and d, 0 if there are none. */
struct fs_dir;
int names_notes_open(int drv_fd, const char *id, struct fs_dir *d);
/* A note that may have been made before its name was given: is it such a one? */
bool names_note_is_pending(int dir, const char *file);
/* Opens one, and makes it such a one or settles it. -1 with errno. */
int names_note_open(int dir, const char *file);
int names_note_set(int fd, bool pending);

/* Names that an open layer has a note of and that nobody has: lost, unless someone is about
 * to give one or to take it away, or was killed then. Calls fn until it says stop. */
int names_each_lost(const struct layer *l, int (*fn)(void *ctx, const char *name),
	void *ctx, struct ovl_err *err);
/* Is there one? Yes, if that cannot be seen. */
bool names_any_lost(const struct layer *l);
/* Is it so, now that nobody is about to? 1, 0, negative errno. again: then it is given
 * back. */
int names_is_lost(
	const struct layer *l, const char *name, bool again, struct ovl_err *err);

/* What a file in names/ is, under the lock of the names: a name (out) whose layer is there
 * (GOOD also if a commit is about to give it) or not, a passing name of who gave one, or no name at all; GONE: not there any more;
 * UNREAD (err): that cannot be told now, and is no reason to take it away. */
enum name_state {
	NAME_GOOD,
	NAME_DANGLING,
	NAME_PASSING,
	NAME_BAD,
	NAME_GONE,
	NAME_UNREAD
};
enum name_state names_state(struct ovl_store *st, const char *file,
	char out[NAME_LEN_MAX + 1], struct ovl_err *err);

/* All names of the store, for who lists all layers. */
int names_each(struct ovl_store *st,
	int (*fn)(void *ctx, const char *name, const struct layer_ref *ref), void *ctx,
	struct ovl_err *err);

/* ---- between the files of this module --------------------------------------------- */

#define NAMES_NOTES ".names"

/* Where a file in names/ leads, whether that is there or not: 1, 0 it is not there,
 * negative errno. */
int names_read_link(int names, const char *file, struct layer_ref *ref);
/* Whose name it is: 1 and ref, 0 nobody's, negative errno. leads: see names_find; may be
 * NULL. */
int names_owner(struct ovl_store *st, int names, const char *file, struct layer_ref *ref,
	struct layer_ref *leads);
/* Does it lead to a layer whose commit, which is at work, is about to give it? 1 and where it
 * leads, 0, -errno. */
int names_promised(struct ovl_store *st, const char *file, struct layer_ref *leads);
/* Has the layer in its place a note of it? 1, 0, -errno. */
int names_noted_here(struct ovl_store *st, const struct layer_ref *ref, const char *file);
/* The same if it is on its way back there. */
int names_noted(struct ovl_store *st, const struct layer_ref *ref, const char *file);
/* The part of names_check that no force overrides. */
int names_refuse_id(struct ovl_store *st, const char *name, const struct layer_ref *self,
	struct ovl_err *err);
/* Notes the name before it is given. */
int names_note_pending(
	int layer_fd, const char *name, const char *config, struct ovl_err *err);
/* Opens the directory with the note: that of the layer, or where the commit that makes the
 * layer has put it. leads: see names_find. -1 with errno. */
int names_noted_in(struct ovl_store *st, const struct layer_ref *ref,
	const struct layer_ref *leads, const char *file);
/* Takes the note away. */
void names_unnote(int layer_fd, const char *file);
int names_sync_notes(int layer_fd, struct ovl_err *err);

#endif
