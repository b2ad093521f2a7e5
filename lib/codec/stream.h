/*
 * The input of an import, as uncompressed bytes. A thread of its own reads, decompresses
 * and hashes, one block ahead of another; who parses takes the blocks in order, in place:
 *
 *	fd -> decode -> SHA-256 -> ring of blocks -> stream_next(), stream_release()
 *
 * The digest is over every uncompressed byte, so it is there only after the last block
 * was taken.
 */
#ifndef OVL_STREAM_H
#define OVL_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/id.h"
#include "base/sink.h"

struct stream;

struct stream_config {
	int fd;
	bool part; /* not all of fd from where it is, but size bytes at offset */
	uint64_t offset;
	uint64_t size;
	bool digest_input; /* wanted: the digest of the input as it is on disk */
	uint64_t max_size; /* of the uncompressed bytes */
	const atomic_int *stop;
	bool beside; /* others are read at the same time: memory counts more than waits */
	atomic_uint_fast64_t *taken; /* bytes of the input are added here too; NULL: no */
	void (*tick)(void *ctx); /* by stream_next, also while it waits; NULL: no */
	void *tick_ctx;
	sink_fn keep; /* gets the blocks that are given back, until stream_again; NULL: no */
	void *keep_ctx;
};

int stream_open(
	struct stream **out, const struct stream_config *cfg, struct ovl_err *err);

/* Blocks the parser may hold at a time, and the bytes in each but the last. */
#define STREAM_HOLD  6
#define STREAM_BLOCK (256 * 1024)

/*
 * The next block: its length and *p, good until it is given back; 0 at the end; -errno.
 * Who holds STREAM_HOLD blocks must give one back before it asks for another.
 */
ssize_t stream_next(struct stream *s, const void **p, struct ovl_err *err);
/* Gives the oldest block held back. */
void stream_release(struct stream *s);
bool stream_held(const struct stream *s);

/*
 * For an input whose kind is told by its beginning: the next block is the first one again.
 * fd has what keep got, which is read from there; blocks that were not given back are given
 * out once more. The digest stays that of the input, each byte counted once.
 */
int stream_again(struct stream *s, int fd, struct ovl_err *err);

/* Another tick than that of the config. */
void stream_tick(struct stream *s, void (*tick)(void *ctx), void *ctx);

/* The blocks that were taken are hashed when it returns: the parser may change what it
 * holds then. */
void stream_settle(struct stream *s);

/* After stream_next said 0: the digest. */
int stream_digest(struct stream *s, char hex[ID_LEN + 1], struct ovl_err *err);

/* The digest of the input as it is on disk, if the config asked for it. */
int stream_input_digest(struct stream *s, char hex[ID_LEN + 1], struct ovl_err *err);

/* Bytes of the input, as it is on disk, that have been read so far; and their number in
 * all, 0 if not known. */
uint64_t stream_taken(struct stream *s);
uint64_t stream_total(const struct stream *s);

/* Stops the thread, wherever it is, and frees all. */
void stream_close(struct stream *s);

#endif
