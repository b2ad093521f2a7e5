/*
 * Computes the digest and the recipe of a tar without storing it. A thread reads the
 * files and hashes while the caller goes on.
 *
 *	tarsum_raw		bytes that are not file data
 *	tarsum_file		the data of this file follow
 *	   tarsum_run		   a run of them
 *	tarsum_file_end
 *	tarsum_finish
 *
 * An error in the thread, such as an unreadable file, is reported by a later call.
 */
#ifndef OVL_TARSUM_H
#define OVL_TARSUM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"

struct tarsum;

/* The recipe is created in the layer directory dirfd. The work ends when *stop is set
 * (NULL: never). */
int tarsum_open(
	struct tarsum **out, int dirfd, const atomic_int *stop, struct ovl_err *err);

/* fn is called regularly while a call waits; it may call tarsum_bytes(), the bytes
 * hashed so far. */
void tarsum_while_waiting(struct tarsum *t, void (*fn)(void *ctx), void *ctx);
uint64_t tarsum_bytes(struct tarsum *t);

int tarsum_raw(struct tarsum *t, const void *p, size_t n, struct ovl_err *err);
int tarsum_file(struct tarsum *t, const char *path, struct ovl_err *err);
/* n bytes of fd at that offset; they are read later. */
int tarsum_run(
	struct tarsum *t, int fd, uint64_t offset, uint64_t n, struct ovl_err *err);
/* fd is closed after its runs have been read, or after a failure. */
int tarsum_file_end(struct tarsum *t, int fd, struct ovl_err *err);

/* Finishes. *size: bytes of the tar. */
int tarsum_finish(
	struct tarsum *t, char diff_id[ID_LEN + 1], uint64_t *size, struct ovl_err *err);
void tarsum_close(struct tarsum *t);

#endif
