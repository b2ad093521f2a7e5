/*
 * Notes of a layer's mounts: they show that a mount made by ovlctl exists, even in a
 * mount namespace that cannot be seen, or detached with files open. The kernel is asked
 * about the device number and the key in the note, see superblock.h.
 *
 *	<id>/.mounts/new-BOOT-OWNER-BEGUN-KEY		before mount(2), which gives the number
 *	<id>/.mounts/MAJOR:MINOR-BOOT-OWNER-BEGUN-KEY	after it
 *	<id>/.mounts/spare				kept for the next one, so that a mount
 *							can be noted on a full file system
 *
 * BOOT is the kernel's boot id: numbers mean nothing after a reboot. OWNER, device and
 * inode, distinguishes the layer's directory from copies of the store; notes of copies
 * are not about their mounts. BEGUN is a time since the boot, which gives each mount its
 * own note, so that a dead one can be removed without removing the note of a later mount
 * with the same number. KEY is that of the superblock, 0 where there are no keys.
 *
 * Notes are empty files and never synced. They are created under the layer's lock of
 * mounts; a process that holds that lock, or the layer exclusively, and finds one
 * beginning with new-, knows that its process has died.
 */
#ifndef OVL_MOUNTNOTE_H
#define OVL_MOUNTNOTE_H

#include <stdbool.h>
#include <sys/types.h>

#include "store/layer.h"

#define MOUNTNOTES     ".mounts"
#define MOUNTNOTE_SIZE 160

enum mountnote_state {
	NOTE_DEAD, /* its mount has ended */
	NOTE_LIVE, /* its mount exists, or without a key something has its number */
	NOTE_UNKNOWN, /* the kernel cannot be asked */
	NOTE_NEW /* there may be a mount, its number is not known */
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

/* Reads all notes of the layer without asking the kernel: those of its mounts since
 * the boot are LIVE. -errno. */
int mountnotes_read(const struct layer *l, struct mountnotes *out);

/* Asks the kernel about each note that is not dead. */
void mountnotes_ask(struct mountnotes *m);

/* The same, for up to that many milliseconds, until none is live: the key is freed after
 * the number. */
void mountnotes_ask_long(struct mountnotes *m, unsigned ms);

/* Sets *n to how many mounts of the layer there are, in any mount namespace, detached or not;
 * -1: the kernel does not say unless it is asked by trying, or the notes may not be read. */
int mountnotes_count(const struct layer *l, int *n);

/* The first that is not dead, or NULL. */
const struct mountnote *mountnotes_open(const struct mountnotes *m);

/* All of them are dead: the kernel says so of the layer's upper. */
void mountnotes_end(struct mountnotes *m);

/* Removes the dead ones; returns how many are left. */
size_t mountnotes_clear(const struct layer *l, struct mountnotes *m);

/* Notes a mount that is about to be made, without a number. 0, -errno. */
int mountnote_begin(const struct layer *l, struct mountnote *out);
/* Notes its number, when it has been made. */
int mountnote_number(const struct layer *l, struct mountnote *note, dev_t dev);
/* Removes the note, if there is no such mount. */
void mountnote_drop(const struct layer *l, const struct mountnote *note);

#endif
