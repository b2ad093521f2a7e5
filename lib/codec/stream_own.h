/*
 * The fields of a stream, for the two files that implement it: stream.c has the threads
 * that fill its blocks, stream_take.c has what the parser calls to take them.
 */
#ifndef OVL_STREAM_OWN_H
#define OVL_STREAM_OWN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/digest.h"
#include "codec/decode.h"
#include "codec/stream.h"

#define BLOCK_SIZE STREAM_BLOCK
#define FIRST_SIZE (16 * 1024) /* of a block after a gap */
#define BLOCKS     (STREAM_HOLD + 6)
#define FEW_BLOCKS (STREAM_HOLD + 2)

/*
 * Blocks are filled by the thread, taken by the parser, released, and filled again. A
 * second thread hashes them meanwhile; if there are several streams, the first thread
 * does. With two processors, a large tar takes 1.2 to 1.4 times as long without the
 * second thread.
 */
struct stream {
	struct stream_config cfg;
	pthread_t thread;
	pthread_t hasher;
	bool started;
	bool hashing; /* there is a hasher */
	bool regular; /* the input: reads from it do not wait for anybody */
	uint64_t total;
	int wake; /* eventfd: tells a thread that waits for input to stop */
	struct digest digest;
	char hex[ID_LEN + 1]; /* the digest, once it is known */
	struct digest input; /* not begun: not wanted, or the same */
	atomic_uint_fast64_t taken;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_cond_t to_hash; /* for the hasher alone */
	unsigned blocks; /* BLOCKS or FEW_BLOCKS */
	unsigned filled; /* blocks filled so far; block i lies in slot i % blocks */
	unsigned taken_blocks; /* blocks the parser took so far */
	unsigned released; /* blocks it gave back */
	unsigned hashed; /* by the hasher */
	bool unhashed; /* it could not */
	bool settling; /* stream_wait_hashed waits for the hasher */
	bool done; /* no more blocks will come */
	bool quit; /* the parser wants no more */
	int rc; /* why it ended, if not at the end of the input */
	struct ovl_err err;

	size_t len[BLOCKS];
	unsigned char *data; /* blocks * BLOCK_SIZE */

	/* the parser's own: blocks that were kept, and are read again */
	uint64_t kept;
	int keep_rc;
	struct ovl_err keep_err;
	int again; /* the file that has them */
	uint64_t again_at;
	unsigned again_next, again_held;
	unsigned char *again_data; /* STREAM_HOLD blocks */
	size_t again_len; /* of the next block */

	/* the thread's own */
	unsigned char *in;
	const struct codec *codec;
	void *state;
	uint64_t out_bytes;
	unsigned char *block; /* that is being filled with what is made; or NULL */
	size_t n_block;
};

/* Whether the thread should fill blocks now. It is not woken for each released block,
 * only when there is room without waiting for those the parser may hold. Needs the
 * mutex. */
bool stream_has_room(const struct stream *s);

#endif
