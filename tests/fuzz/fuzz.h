/*
 * Shared by the fuzz targets: a scratch directory in memory, with a store and, next to
 * it, a canary, which no input may change.
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

/* Makes the scratch directory, the store and the canary; returns a descriptor of the
 * first. */
int fuzz_begin(void);
/* The store, open until the end. */
extern struct ovl_store *fuzz_store;

/* From here on the canary and the store's own files must not change. */
void fuzz_watch(void);
void fuzz_unchanged(void);

/* Reports a fault and aborts. */
void fuzz_broken(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Checks that rc < 0 comes with a status and one line of text without control bytes. */
void fuzz_refused(int rc, const struct ovl_err *err);

/* A file in memory with these bytes, open at its start. */
int fuzz_file(const void *p, size_t n);

/*
 * Splits an input at record separators (0x1e) into at most max parts, of which the last
 * has the rest. Returns their number.
 */
struct fuzz_part {
	const char *p;
	size_t n;
};
unsigned fuzz_split(
	const uint8_t *data, size_t size, struct fuzz_part *out, unsigned max);

/* Writes the file, in an existing directory. */
void fuzz_put(int dirfd, const char *name, const void *p, size_t n);
/* The same for a recipe. If the first byte is 'R', the rest are its records, which are
 * compressed first; otherwise the bytes are the file. */
void fuzz_put_recipe(int dirfd, const char *name, const void *p, size_t n);

#endif
