/*
 * Who takes the bytes of a tar that is being written: its digest, and the recipe that
 * gives it back. A thread of its own reads the files and hashes, while the caller goes on.
 *
 *	tarsum_raw		bytes that are no file's
 *	tarsum_file		the data of this file follow
 *	   tarsum_run		   a run of them
 *	tarsum_file_end
 *	tarsum_finish
 *
 * What goes wrong in the thread, a file that cannot be read too, is told by a later call.
 */
#ifndef OVL_TARSUM_H
#define OVL_TARSUM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"

struct tarsum;

/* The recipe goes into the layer directory dirfd. stop, if given: ends it when set. */
int tarsum_open(
	struct tarsum **out, int dirfd, const atomic_int *stop, struct ovl_err *err);

/* fn is called now and then while a call waits; it may ask for the bytes hashed so far. */
void tarsum_while_waiting(struct tarsum *t, void (*fn)(void *ctx), void *ctx);
uint64_t tarsum_bytes(struct tarsum *t);

int tarsum_raw(struct tarsum *t, const void *p, size_t n, struct ovl_err *err);
int tarsum_file(struct tarsum *t, const char *path, struct ovl_err *err);
/* n bytes of fd at that offset, read later. */
int tarsum_run(
	struct tarsum *t, int fd, uint64_t offset, uint64_t n, struct ovl_err *err);
/* The fd of its runs is closed when they are read, after a failure too. */
int tarsum_file_end(struct tarsum *t, int fd, struct ovl_err *err);

/* The end. *size: bytes of the tar. */
int tarsum_finish(
	struct tarsum *t, char diff_id[ID_LEN + 1], uint64_t *size, struct ovl_err *err);
void tarsum_close(struct tarsum *t);

#endif
