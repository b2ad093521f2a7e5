/*
 * Notes of a layer's mounts, by which a mount that ovlctl made is known wherever it is: in
 * a mount namespace that cannot be seen, or detached with files open. The kernel is asked
 * about the device number and the key in the note, see superblock.h.
 *
 *	<id>/.mounts/new-BOOT-OWNER-BEGUN-KEY		before mount(2), which tells the number
 *	<id>/.mounts/MAJOR:MINOR-BOOT-OWNER-BEGUN-KEY	after it
 *	<id>/.mounts/spare				kept for the next, so that a mount can
 *							be noted on a full file system
 *
 * BOOT is the kernel's boot id: numbers mean nothing after a reboot. OWNER is what tells
 * the layer's directory from those of copies of the store, device and inode; their notes
 * are not of their mounts. BEGUN is a time since the boot, which gives each mount a note of
 * its own, so that one judged dead can be taken away without taking the note of a later
 * mount with the same number. KEY is that of the superblock, 0 where there are no keys.
 *
 * Notes are empty files and never synced. They are made under the layer's lock of mounts;
 * one that begins with new- and is met by who holds that lock, or the layer exclusively,
 * was left by a process that died.
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
	NOTE_LIVE, /* its mount lives, or without a key something has its number */
	NOTE_UNKNOWN, /* that cannot be asked */
	NOTE_NEW /* there may be a mount, its number is not known */
};

struct mountnote {
	char name[MOUNTNOTE_SIZE];
	dev_t dev; /* 0 of a new one */
	int key; /* 0: none */
	enum mountnote_state state;
};

struct mountnotes {
	struct mountnote *note;
	size_t n;
};

void mountnotes_release(struct mountnotes *m);
#define auto_mountnotes __attribute__((cleanup(mountnotes_release))) struct mountnotes

/* All notes of the layer, nothing asked yet: those of its mounts of this boot are LIVE.
 * -errno. */
int mountnotes_read(const struct layer *l, struct mountnotes *out);

/* Asks the kernel about each that is not dead. */
void mountnotes_ask(struct mountnotes *m);

/* The same, for up to half a second, until none lives: a key goes after its number. */
void mountnotes_ask_long(struct mountnotes *m);

/* Takes the dead ones away; how many are left. */
size_t mountnotes_clear(const struct layer *l, struct mountnotes *m);

/* For a mount that is about to be made: a note with no number. 0, -errno. */
int mountnote_begin(const struct layer *l, struct mountnote *out);
/* It has been made, and has that number. */
int mountnote_number(const struct layer *l, struct mountnote *note, dev_t dev);
/* There is no mount any more, or never was. */
void mountnote_drop(const struct layer *l, const struct mountnote *note);

#endif
