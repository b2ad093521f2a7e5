/*
 * Internal to tarin*.c. A block of the stream is held until libarchive is done with it
 * and its bytes are in the recipe.
 */
#ifndef OVL_TARIN_OWN_H
#define OVL_TARIN_OWN_H

#include <locale.h>

#include "codec/magic.h"
#include "tar/rawhead.h"
#include "tar/recipe.h"
#include "tar/tarin.h"

/* A block of the stream that is held: its offset in the stream, and its bytes. */
struct held {
	uint64_t offset;
	const unsigned char *data;
	size_t len;
};

struct tarin {
	struct stream *stream;
	struct archive *a;
	locale_t c;
	struct held held[STREAM_HOLD];
	unsigned n_held;
	unsigned n_given; /* how many of them the reader has; the others were read
			   * ahead */
	uint64_t offset; /* of the next block in the stream */
	unsigned char first[MAGIC_LEN]; /* bytes of the stream */
	size_t n_first;
	bool started; /* an entry was read */
	bool in_header; /* blocks are held until the header is read */
	bool eof;
	struct rawhead head; /* of the current entry */
	uint64_t head_at; /* where the headers of the current entry begin */
	struct buf raw; /* these headers */
	struct buf
		patched; /* what the reader gets instead of them; while it reads, swapped
			     * with the originals; empty: nothing is changed */
	uint64_t
		lone_end; /* of volume labels and global headers before its own headers */
	struct recipe_out *recipe;
	uint64_t told; /* bytes of the stream that are in the recipe */
	bool in_file; /* the recipe has data of the current entry */
	uint64_t data_end; /* of the data read of it */
	int rc; /* the stream's error; libarchive is only told that it failed */
	struct ovl_err err;
};

/* Adds the bytes up to an offset in the stream, which belong to no file, to the
 * recipe. */
void tarin_recipe_rest(struct tarin *t, uint64_t upto);
void tarin_drop_oldest(struct tarin *t);

/* 1 and a block at the end of t->held, 0 at the end of the stream, negative errno. */
int tarin_take_block(struct tarin *t, struct ovl_err *err);

/* Copies bytes from..to of the stream, all of them held. */
void tarin_gather(const struct tarin *t, uint64_t from, uint64_t to, struct buf *out);
int tarin_too_big(struct ovl_err *err);

/* Parses the headers of the next entry, and fills t->head and t->patched. */
int tarin_read_ahead(struct tarin *t, struct ovl_err *err);

/* Swaps t->patched with the headers, before and after the reader gets them. No other
 * thread may be reading the blocks. */
void tarin_swap_head(struct tarin *t);

#endif
