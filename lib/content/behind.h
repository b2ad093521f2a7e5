/*
 * Small files of a tree that is unpacked are written behind, by a thread of their own:
 * the caller has made the file, gives its data and time, and goes on to the next.
 *
 *	behind_begin	a file
 *	   behind_write	   data of it
 *	behind_end	its time; the file is closed when that is done
 *	behind_wait	all of them are on disk as far as write(2) brings them
 *
 * What could not be written a later call tells.
 *
 * Making a file costs about as much as parsing its entry and filling the recipe: with two
 * processors to themselves, an import without this takes 1.2 times as long for 40,000 files
 * of 3,000 bytes, 1.06 times for a tree of 550 MB, and as long as with it where
 * decompression is what takes time.
 */
#ifndef OVL_BEHIND_H
#define OVL_BEHIND_H

#include <stdint.h>
#include <time.h>

#include "base/err.h"

/* What is larger costs little more to be written at once. */
#define BEHIND_MAX (1024 * 1024)

struct behind;

int behind_open(struct behind **out, struct ovl_err *err);

/* path is for messages. */
int behind_begin(struct behind *b, const char *path, struct ovl_err *err);
int behind_write(struct behind *b, int fd, const void *p, size_t n, uint64_t offset,
	struct ovl_err *err);
/* fd is the thread's to close, after a failure too. */
int behind_end(
	struct behind *b, int fd, const struct timespec *mtime, struct ovl_err *err);

/* NULL has nothing to wait for. */
int behind_wait(struct behind *b, struct ovl_err *err);
void behind_close(struct behind *b);

#endif
