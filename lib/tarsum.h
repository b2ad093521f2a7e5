/*
 * Who takes the bytes of a tar that is being written: its digest, and the recipe that
 * gives it back. A thread of its own hashes, while the caller reads on.
 *
 *	tarsum_raw		bytes that are no file's
 *	tarsum_file		the data of this file follow
 *	   tarsum_run		   a run of them, and its offset in the file
 *	tarsum_file_end
 *	tarsum_finish
 */
#ifndef OVL_TARSUM_H
#define OVL_TARSUM_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "id.h"

struct tarsum;

/* The recipe goes into the layer directory dirfd. */
int tarsum_open(struct tarsum **out, int dirfd, struct ovl_err *err);

int tarsum_raw(struct tarsum *t, const void *p, size_t n, struct ovl_err *err);
int tarsum_file(struct tarsum *t, const char *path, struct ovl_err *err);
int tarsum_run(
	struct tarsum *t, uint64_t offset, const void *p, size_t n, struct ovl_err *err);
int tarsum_file_end(struct tarsum *t, struct ovl_err *err);

/* The end. *size: bytes of the tar. */
int tarsum_finish(
	struct tarsum *t, char diff_id[ID_LEN + 1], uint64_t *size, struct ovl_err *err);
void tarsum_close(struct tarsum *t);

#endif
