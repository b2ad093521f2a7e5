/*
 * Notes of a layer's mounts: they show that a mount made by ovlctl exists, even in a
 * mount namespace that cannot be seen, or detached with files open. The kernel is asked
 * about the device number and the key in the note, see superblock.h.
 *
 *	<id>/.mount.new-BOOT-OWNER-BEGUN-KEY		before mount(2), which gives the number
 *	<id>/.mount.MAJOR:MINOR-BOOT-OWNER-BEGUN-KEY	after it
 *	<id>/.mount.spare				kept for the next one, so that a mount
 *							can be noted on a full file system
 *
 * BOOT is the kernel's boot id: numbers have no meaning after a reboot. It is all zeros if
 * it was hidden from the process: such a note may be of this boot. OWNER is the
 * device and inode of the layer's directory: a note with others was copied with the store
 * and is ignored. BEGUN is a time since the boot, which gives each mount its own note, so
 * that a dead one can be removed without removing the note of a later mount with the same
 * number. KEY is that of the superblock, 0 if there are no keys.
 *
 * Notes are empty files and never synced. They are created under the layer's lock of
 * mounts; a process that holds that lock, or the layer exclusively, and finds one
 * without a number, knows that its process has died.
 */
#ifndef OVL_MOUNTNOTE_H
#define OVL_MOUNTNOTE_H

#include <stdbool.h>
#include <sys/types.h>

#include "store/layer.h"

#define MOUNTNOTE_SIZE 160

enum mountnote_state {
	NOTE_DEAD, /* its mount has ended */
	NOTE_LIVE, /* its mount exists or, without a key, something has its number */
	NOTE_UNKNOWN, /* the kernel cannot be asked */
	NOTE_NEW /* there may be a mount, whose number is not known */
};

struct mountnote {
	char name[MOUNTNOTE_SIZE];
	dev_t dev; /* 0 in a new note */
	int key; /* 0: none */
	enum mountnote_state state;
};

struct mountnotes {
	struct mountnote *note;
	size_t n;
};

void mountnotes_release(struct mountnotes *m);
#define auto_mountnotes __attribute__((cleanup(mountnotes_release))) struct mountnotes

/* Reads all notes of the layer without asking the kernel: notes since the boot are LIVE.
 * -errno. */
int mountnotes_read(const struct layer *l, struct mountnotes *out);

/* Asks the kernel about each note that is not dead. */
void mountnotes_ask(struct mountnotes *m);

/* The same, for up to that many milliseconds until none is live: the key is freed later
 * than the number. */
void mountnotes_ask_long(struct mountnotes *m, unsigned ms);

/* Sets *n to the number of mounts of the layer in any mount namespace, including detached
 * ones. -1: the kernel would only tell by trying. */
int mountnotes_count(const struct layer *l, int *n);

/* The first that is not dead, or NULL. */
const struct mountnote *mountnotes_open(const struct mountnotes *m);

/* Makes all of them dead, because the kernel says that the layer's upper is not
 * mounted. */
void mountnotes_end(struct mountnotes *m);

/* A killed process may have left a note without the device number. If the mount with that
 * number, which has just ended here, has no other note, it is that mount's, which may still
 * exist elsewhere. */
void mountnotes_number(const struct layer *l, struct mountnotes *m, dev_t dev);

/* Removes the dead ones; returns the number of the others. */
size_t mountnotes_clear(const struct layer *l, struct mountnotes *m);

/* Makes a note, without a number, of a mount that is about to be made. 0, -errno. */
int mountnote_begin(const struct layer *l, struct mountnote *out);
/* Adds the number of the mount when it has been made. */
int mountnote_number(const struct layer *l, struct mountnote *note, dev_t dev);
/* Removes the note if the mount failed. */
void mountnote_drop(const struct layer *l, const struct mountnote *note);

#endif
