/*
 * Entries of a tar, read from a stream by libarchive's tar reader and by nothing else.
 *
 *	while ((r = tarin_next(t, &entry)) > 0)
 *		while ((r = tarin_data(t, &p, &n, &offset)) > 0)
 *			...
 *	r = tarin_finish(t, ...);
 *
 * Stricter than the reader: any warning is an error, but for names that the locale cannot
 * express. The reader runs in the C locale on purpose: names come out as the bytes that
 * went in. In a UTF-8 locale it would compose characters (NFC), and two names that
 * differ only in that would become one.
 *
 * What libarchive (3.6) does by itself, and is kept from here:
 *
 *  - It runs other programs for some filters (grzip, lrzip, lzop), knows formats that are
 *    no layers, and does not check the trailer of a gzip: it gets plain bytes from
 *    decode.h, and only its tar format is enabled.
 *  - After a bad checksum of a header it says ARCHIVE_RETRY, and going on loses entries.
 *  - No input at all reads as an empty archive.
 *  - What follows the last entry is not read, so neither hashed nor checked: tarin_finish
 *    reads it.
 */
#ifndef OVL_TARIN_H
#define OVL_TARIN_H

#include <archive_entry.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "codec/stream.h"
#include "tar/rawhead.h"

/* All headers of one entry; ovlctl(8) says so too. */
#define TARIN_MAX_HEADER (1024 * 1024)

struct tarin;

struct recipe_out;

/* Takes over the stream, also when it fails. recipe is the caller's; NULL: none wanted. */
int tarin_open(struct tarin **out, struct stream *s, struct recipe_out *recipe,
	struct ovl_err *err);

/* 1 and the next entry (the reader's own), 0 after the last, negative errno. What was
 * not read of the entry before is skipped. */
int tarin_next(struct tarin *t, struct archive_entry **entry, struct ovl_err *err);

/* A run of the entry's data and its offset in the file: 1, 0 at the end, -errno. Between
 * runs are holes. The caller puts it into the file path, which the recipe says then; data
 * that nobody asks for are in the recipe themselves. */
int tarin_data(struct tarin *t, const char *path, const void **p, size_t *n,
	uint64_t *offset, struct ovl_err *err);

/* After tarin_next said 0: reads on to the end of the input, checks how the archive
 * ended, gives the digest of all of it. The recipe has all of it then. */
int tarin_finish(struct tarin *t, char hex[ID_LEN + 1], struct ovl_err *err);

/* What the current entry's extension headers say besides. */
const struct rawhead *tarin_head(const struct tarin *t);

void tarin_close(struct tarin *t);
/* The same, but the stream, and the blocks of it that are held, are the caller's again. */
struct stream *tarin_detach(struct tarin *t);

/* The stream, for its counters. */
struct stream *tarin_stream(struct tarin *t);

#endif
