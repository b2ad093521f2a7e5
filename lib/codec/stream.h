/*
 * The input of an import as uncompressed bytes. A thread reads, decompresses and hashes
 * ahead of the parser, which takes the blocks in order and in place:
 *
 *	fd -> decode -> SHA-256 -> ring of blocks -> stream_next(), stream_release()
 *
 * The digest covers every uncompressed byte, so it is available only after the last
 * block.
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
	/* The bytes are produced by this function, in the thread that would read them;
	 * NULL: they come from fd. */
	source_fn make;
	void *make_ctx;
	int fd;
	bool direct; /* fd is an uncompressed regular file: take it from offset on, without
		      * threads or a digest; what is skipped is not read */
	bool part; /* read only size bytes, from offset on, instead of all of fd */
	uint64_t offset;
	uint64_t size;
	bool may_be_empty; /* false: an input of no bytes, also packed, is an error */
	bool no_digest; /* stream_digest is not used */
	bool digest_input; /* compute the digest of the input as it is on disk, too */
	uint64_t max_size; /* of the uncompressed bytes */
	const atomic_int *stop;
	bool parallel; /* other streams are read at the same time: use less memory */
	atomic_uint_fast64_t *taken; /* bytes of the input are also added here; NULL:
				      * no */
	void (*tick)(void *ctx); /* called by stream_next, also while it waits; NULL:
				  * no */
	void *tick_ctx;
	sink_fn keep; /* gets released blocks, until stream_again is called; NULL: no */
	void *keep_ctx;
};

int stream_open(
	struct stream **out, const struct stream_config *cfg, struct ovl_err *err);

/* How many blocks the parser may hold, and their size; the last one may be smaller and,
 * if direct, the first after a gap. */
#define STREAM_HOLD  6
#define STREAM_BLOCK (256 * 1024)

/*
 * The next block: its length and *p, valid until it is released; 0 at the end; -errno. A
 * parser that holds STREAM_HOLD blocks must release one before it asks for another.
 */
ssize_t stream_next(struct stream *s, const void **p, struct ovl_err *err);
/* Skips up to n bytes before the next block; returns how many, 0 if they must be read. */
uint64_t stream_skip(struct stream *s, uint64_t n);
/* Releases the oldest block. */
void stream_release(struct stream *s);
bool stream_held(const struct stream *s);

/*
 * For an input whose kind is recognised by its beginning: starts again with the first
 * block. Blocks that keep got are read from fd; those not released yet are returned once
 * more. Each byte is still counted only once in the digest.
 */
int stream_again(struct stream *s, int fd, struct ovl_err *err);

/* For make, which gets the stream as "to": where the next bytes go, and how many fit. The
 * sink does not copy bytes that are there already. NULL: the stream is being closed. */
void *stream_room(void *to, size_t *n);

/* Replaces the tick of the config. */
void stream_tick(struct stream *s, void (*tick)(void *ctx), void *ctx);

/* Waits until all blocks that the parser has taken are hashed: then it may modify
 * those it holds. */
void stream_wait_hashed(struct stream *s);

int stream_digest(struct stream *s, char hex[ID_LEN + 1], struct ovl_err *err);

/* The digest of the input as it is on disk, if the config asked for it. */
int stream_input_digest(struct stream *s, char hex[ID_LEN + 1], struct ovl_err *err);

/* Bytes of the input, as it is on disk, read so far; and its total size, 0 if unknown. */
uint64_t stream_taken(struct stream *s);
uint64_t stream_total(const struct stream *s);

/* Stops the threads, whatever they are doing, and frees everything. */
void stream_close(struct stream *s);

#endif
