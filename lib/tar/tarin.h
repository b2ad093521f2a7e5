/*
 * Reads the entries of a tar from a stream, with libarchive's tar reader.
 *
 *	while ((r = tarin_next(t, &entry)) > 0)
 *		while ((r = tarin_data(t, &p, &n, &offset)) > 0)
 *			...
 *	r = tarin_finish(t, ...);
 *
 * Stricter than libarchive: every warning is an error, except for names that the locale
 * cannot express. The reader deliberately runs in the C locale, so that names come out as
 * the bytes that went in. In a UTF-8 locale it would compose characters (NFC), and two
 * names that differ only in that would become one.
 *
 * Things that libarchive (3.6) does by default and that are avoided here:
 *
 *  - It runs other programs for some filters (grzip, lrzip, lzop), knows formats that are
 *    not layers, and does not check the trailer of a gzip: it gets uncompressed bytes
 *    from decode.h, and only its tar format is enabled.
 *  - After a bad header checksum it returns ARCHIVE_RETRY, and going on loses entries.
 *  - Empty input reads as an empty archive.
 *  - It does not read what follows the last entry, which would be neither hashed nor
 *    checked: tarin_finish reads it.
 */
#ifndef OVL_TARIN_H
#define OVL_TARIN_H

#include <archive_entry.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "codec/stream.h"
#include "tar/rawhead.h"

/* Bytes of all headers of one entry; documented in ovlctl-import(8). */
#define TARIN_MAX_HEADER (1024 * 1024)

struct tarin;

struct recipe_out;

/* Takes over the stream, even on failure. recipe is the caller's; NULL: none wanted. */
int tarin_open(struct tarin **out, struct stream *s, struct recipe_out *recipe,
	struct ovl_err *err);

/* 1 and the next entry (owned by the reader), 0 after the last, negative errno. Skips
 * data of the previous entry that was not read. */
int tarin_next(struct tarin *t, struct archive_entry **entry, struct ovl_err *err);

/* The next run of the entry's data and its offset in the file: 1, 0 at the end,
 * -errno. Between runs are holes. The caller writes it to the file path, which goes
 * into the recipe; data that are not read here go into the recipe themselves. */
int tarin_data(struct tarin *t, const char *path, const void **p, size_t *n,
	uint64_t *offset, struct ovl_err *err);

/* After tarin_next has returned 0: reads to the end of the input, checks how the
 * archive ends and gives the digest of all of it. The recipe is complete then. */
int tarin_finish(struct tarin *t, char hex[ID_LEN + 1], struct ovl_err *err);

/* Where in the stream the current entry's headers begin; and, before they are read, its
 * data, unless it is sparse. */
uint64_t tarin_head_at(const struct tarin *t);
uint64_t tarin_data_at(const struct tarin *t);

/* What the extension headers of the current entry say. */
const struct rawhead *tarin_head(const struct tarin *t);

void tarin_close(struct tarin *t);
/* The same, but returns the stream with the blocks that are held to the caller. */
struct stream *tarin_detach(struct tarin *t);

/* The stream, for its counters. */
struct stream *tarin_stream(struct tarin *t);

#endif
