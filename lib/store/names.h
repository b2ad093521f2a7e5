/*
 * Names of layers: names/<name> is a symlink to ../<driver>/<id>, with '/' in the name
 * written as %2F. A note of each name is in the layer's own .names/, so that a removal
 * finds a layer's names without reading all others. A name counts only if both exist. A
 * note holds the digest of the image config that belongs to the name, if there is one.
 *
 * A killed process may leave either alone. prune removes a symlink to a layer without the
 * note. A note without the symlink is a lost name, which check reports, unless the note
 * is pending (its file is executable): it is pending until the symlink leads to the
 * layer, and again before the symlink may lead to another one.
 */
#ifndef OVL_NAMES_H
#define OVL_NAMES_H

#include "base/buf.h"
#include "base/err.h"
#include "ovl.h"
#include "store/layer.h"

#define NAME_LEN_MAX 200

/* Encodes a name as a file name; false if that is too long. */
bool name_encode(const char *name, char out[256]);
/* And back; false if the name is invalid. */
bool name_decode(const char *file, char out[NAME_LEN_MAX + 1]);

/* Refuses text that is not a valid name (OVL_USAGE); file (may be NULL): encoded. */
int name_check(const char *name, char file[256], struct ovl_err *err);

/* The name that docker(1) or podman(1) may have for the image that the user calls
 * what, in its form i: with and without a host and "latest". false: there are no more. */
#define NAME_FORM_SIZE (2 * NAME_LEN_MAX)
bool name_form(const char *what, unsigned i, char out[NAME_FORM_SIZE]);

/* Makes n bytes of text usable in a name: replaces invalid characters by '-'. */
void name_from(const char *text, size_t n, struct buf *out);

/* Finds the owner of a name: 1 and ref, 0 if there is none, negative errno. */
int names_lookup(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct ovl_err *err);

/* 1 if the name is a prefix of the id of a layer other than self (NULL: any), which
 * could not be found by it any more, and that layer; 0; negative errno. */
int names_hides_id(struct ovl_store *st, const char *name, const struct layer_ref *self,
	struct layer_ref *hidden, struct ovl_err *err);

/* Like names_lookup. *leads: the target of the symlink, perhaps a writable layer that
 * became *ref. */
int names_find(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct layer_ref *leads, struct ovl_err *err);

/* Refuses text that is not a valid name (OVL_USAGE), the beginning of the id of a layer
 * other than self (NULL: any) and, unless forced, the name of such a layer. */
int names_check(struct ovl_store *st, const char *name, const struct layer_ref *self,
	bool force, struct ovl_err *err);
/* Removes a name, if that layer (NULL: any) has it: 1 done, 0 nobody has it, negative
 * errno. durable: synced when this returns. */
int names_take(struct ovl_store *st, const char *name, const struct layer_ref *from,
	bool durable, struct ovl_err *err);

/* Moves the notes of the names for the image layer from where the commit has put them.
 * Under the lock of the names. 1: some were moved, 0: none, negative errno. */
int names_take_notes(
	const struct layer *image, const struct layer_ref *was, struct ovl_err *err);
/* Gives the names that lead to a writable layer to the image layer it has become,
 * which has notes of them; removes those notes from a writable layer that goes on.
 * Under the lock of the names. 1: some were given, 0: none, negative errno. */
int names_hand_on(
	const struct layer *image, const struct layer_ref *was, struct ovl_err *err);
/* Makes a note, and the link that names_hand_on() moves to give the name to that layer
 * (NULL: only the note). */
int names_prepare(int dir, const char *name, const char *config,
	const struct layer_ref *to, struct ovl_err *err);
/* The same for all names of a layer. */
int names_copy_notes(const struct layer *from, int to_fd, const struct layer_ref *to,
	struct ovl_err *err);

/* The digest of the config that belongs to a name of the layer: 1 and hex, 0 if there
 * is none. */
int names_config(
	int layer_fd, const char *name, char hex[ID_LEN + 1], struct ovl_err *err);

/*
 * The steps of giving a name, for a layer that appears together with it: the note in its
 * directory, the lock of the names, the symlink, and undoing it.
 */
int names_note(int layer_fd, const char *name, const char *config, struct ovl_err *err);
int names_lock(struct ovl_store *st, struct ovl_err *err);
/* For readers: no name is given or removed meanwhile, and no commit renames a layer:
 * for an entry that is being renamed, readdir(3) may return neither name. */
int names_lock_shared(struct ovl_store *st, struct ovl_err *err);
/* The same for listing all layers, optional: 1; 0 the lock was not available. */
int names_lock_to_list(struct ovl_store *st, struct ovl_err *err);
/* Like names_lock, without waiting. */
int names_trylock(struct ovl_store *st, struct ovl_err *err);
int names_link(struct ovl_store *st, const char *name, const struct layer_ref *ref,
	bool force, struct ovl_err *err);
void names_unlink(struct ovl_store *st, const char *name);
int names_sync(struct ovl_store *st, struct ovl_err *err);
void names_unlock(struct ovl_store *st);
/* Calls fn under names_lock(). */
int names_locked(struct ovl_store *st, int (*fn)(void *ctx, struct ovl_err *err),
	void *ctx, struct ovl_err *err);

/*
 * For the removal of a layer with its names: locks the names and lists those of the
 * layer, each terminated by a 0 byte: 1; 0: it has no notes, and nothing is locked. When
 * the layer is gone, its symlinks lead nowhere and names_unlink_files() removes them.
 */
int names_lock_of(const struct layer *l, struct buf *files, struct ovl_err *err);
int names_unlink_files(
	struct ovl_store *st, const struct buf *files, struct ovl_err *err);

/* Calls fn for the symlinks of all names of an open layer, until it returns nonzero. */
int names_files(const struct layer *l, int (*fn)(void *ctx, int names, const char *file),
	void *ctx, struct ovl_err *err);

/* The first of a layer's names by bytes: 1 and out, 0 if it has none; negative errno, and
 * then it may have some. */
int names_first(
	struct ovl_store *st, const struct layer_ref *ref, char out[NAME_LEN_MAX + 1]);

/* The directory of the notes, in a layer. */
#define NAMES_NOTES ".names"

/* True if the note is pending. */
bool names_note_is_pending(int dir, const char *file);
/* Opens a note, to make it pending or not. -1 with errno. */
int names_note_open(int dir, const char *file);
int names_note_set(int fd, bool pending);
/* True if the open note is pending, and has not been removed. */
bool names_note_is_still_pending(int fd);

/* Calls fn for names that an open layer has a note of and nobody has, until fn returns
 * nonzero: they are lost, unless a process is about to give or remove them, or was
 * killed then. */
int names_each_lost(const struct layer *l, int (*fn)(void *ctx, const char *name),
	void *ctx, struct ovl_err *err);
/* True if there is one, or if that is unknown. */
bool names_any_lost(const struct layer *l);
/* 1 if the name is lost, when no process is about to give or remove it; 0; negative
 * errno. again: then gives it back. */
int names_is_lost(
	const struct layer *l, const char *name, bool again, struct ovl_err *err);

/* The state of a file in names/, under the lock of the names: a name (out) whose layer
 * exists (GOOD also if a commit is about to give it) or does not, a temporary name, or
 * not a name; GONE: no such file; UNREAD (err): unknown, so it must not be removed. */
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

/* Calls fn for all names of the store. */
int names_each(struct ovl_store *st,
	int (*fn)(void *ctx, const char *name, const struct layer_ref *ref), void *ctx,
	struct ovl_err *err);

/* ---- between the files of this module --------------------------------------------- */

/* The target of a file in names/, whether it exists or not: 1, 0 no such file,
 * negative errno. */
int names_read_link(int names, const char *file, struct layer_ref *ref);
/* The owner of a name: 1 and ref, 0 nobody, negative errno. leads: see names_find; may
 * be NULL. */
int names_owner(struct ovl_store *st, int names, const char *file, struct layer_ref *ref,
	struct layer_ref *leads);
/* 1 if it leads to a layer whose commit is at work and about to give the name, and
 * where it leads; 0; -errno. */
int names_promised(struct ovl_store *st, const char *file, struct layer_ref *leads);
/* 1 if the layer in its place has a note of it, 0 if not, -errno. */
int names_noted_here(struct ovl_store *st, const struct layer_ref *ref, const char *file);
/* The same, also if a commit has yet to put the layer back. */
int names_noted(struct ovl_store *st, const struct layer_ref *ref, const char *file);
/* Opens the directory with the note: that of the layer, or where the commit that makes
 * the layer has put it. leads: see names_find. -1 with errno. */
int names_noted_in(struct ovl_store *st, const struct layer_ref *ref,
	const struct layer_ref *leads, const char *file);
/* Removes the note. */
void names_unnote(int layer_fd, const char *file);
int names_sync_notes(int layer_fd, struct ovl_err *err);

#endif
