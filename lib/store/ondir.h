/*
 * A writable layer on a directory of the host, as "create --on" and "run --on" make it.
 * The directory is the only lower of the layer's mounts, and apply carries the layer's
 * changes into it. The layer has no parent and no list of lowers; its .layer says that it
 * is on a directory, and the file .on says on which one:
 *
 *	ovlctl-on 1
 *	inode N
 *	type HEX		of its file system, see statfs(2)
 *	fsid HEX		the same
 *	born SEC.NS		when the directory was made; 0 if that is unknown
 *	since SEC.NS		when the layer was made, by the clock of file systems
 *	path ABSOLUTE		which may contain newlines
 *	end
 */
#ifndef OVL_ONDIR_H
#define OVL_ONDIR_H

#include "base/buf.h"
#include "base/err.h"
#include "store/layer.h"

#define ONDIR_NAME ".on"
/* The directory that apply makes in it while it works: this, followed by the layer's
 * short id. */
#define ONDIR_TEMP ".ovlctl-"

struct ondir {
	int fd; /* the directory, open for reading; -1: not open */
	struct buf path;
	uint64_t inode;
	uint64_t type;
	uint64_t fsid;
	struct timespec born;
	struct timespec since;
};

#define ONDIR_INIT ((struct ondir){.fd = -1})
#define auto_ondir __attribute__((cleanup(ondir_close))) struct ondir
void ondir_close(struct ondir *d);

/* Opens the directory that a user named. Refuses the root directory, a directory that
 * contains the store, and one in the store. */
int ondir_choose(
	struct ovl_store *st, const char *dir, struct ondir *out, struct ovl_err *err);

/* Writes .on into a staged layer. */
int ondir_note(int layer_fd, struct ondir *d, struct ovl_err *err);
/* Waits, some milliseconds at most, until changes get a later time than the layer. */
void ondir_wait(const struct ondir *d);

/* Reads .on in a layer's directory; the directory that it names is not opened. */
int ondir_read(int layer_fd, struct ondir *out, struct ovl_err *err);
/* The same, and opens that directory: an error if its path now leads to another one. */
int ondir_open(const struct layer *l, struct ondir *out, struct ovl_err *err);

/* Refuses a layer on a directory, called what, where an image layer would be made of
 * it. */
int ondir_refuse(const struct layer *l, const char *what, struct ovl_err *err);

/* True if a file with that ctime changed after the layer was made. */
bool ondir_is_later(const struct ondir *d, const struct timespec *ctime);

#endif
