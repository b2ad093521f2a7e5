/*
 * What the fuzz targets share: a scratch directory in memory, with a store in it and
 * beside that a canary, which nothing that a target is given may touch.
 *
 *	<scratch>/canary/		file, dir/, link -> file
 *	<scratch>/store/		the store
 *
 * $FUZZ_SCRATCH is an empty directory to be used (tests/fuzz/run mounts one); without it
 * one is made in /dev/shm and removed at the end.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ovl.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(
	uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Makes scratch, store and canary; the directory of the first. */
int fuzz_begin(void);
/* The store, open until the end. */
extern struct ovl_store *fuzz_store;

/* From here on the canary and the store's own files must stay as they are. */
void fuzz_watch(void);
void fuzz_unchanged(void);

/* A promise is broken. */
void fuzz_broken(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* rc < 0 comes with a status and one line of text that may go to a terminal. */
void fuzz_refused(int rc, const struct ovl_err *err);

/* A file in memory with these bytes, to be read from its start. */
int fuzz_file(const void *p, size_t n);

/*
 * The parts of an input, which a record separator (0x1e) divides: at most max, the last
 * one has the rest. Their number.
 */
struct fuzz_part {
	const char *p;
	size_t n;
};
unsigned fuzz_split(
	const uint8_t *data, size_t size, struct fuzz_part *out, unsigned max);

/* Makes the file anew, in a directory that is there. */
void fuzz_put(int dirfd, const char *name, const void *p, size_t n);
/* The same for a recipe. 'R' as the first byte: what follows are its records, which are
 * to be packed as a recipe has them; else all of it is the file. */
void fuzz_put_recipe(int dirfd, const char *name, const void *p, size_t n);

#endif
