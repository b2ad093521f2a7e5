/*
 * Reads Bolt databases: files of pages that hold a B+tree of buckets, in which keys lead
 * to values or to more buckets. See bbolt's page.go and bucket.go.
 *
 *	bolt_load	reads a consistent state of the file into memory
 *	bolt_walk, bolt_next	iterate over a bucket
 *	bolt_find	finds a key in a bucket
 *
 * No lock is taken, because the program that has the file open holds an exclusive lock
 * all the time. It never writes to a page that can be reached from the current meta page,
 * so the pages read are consistent if that meta page is the same before and after.
 *
 * Nothing in the file is trusted: pages out of bounds, overlapping elements and loops of
 * pages are -EUCLEAN.
 */
#ifndef OVL_BOLT_H
#define OVL_BOLT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BOLT_MAX   (256u << 20) /* of a file that is read */
#define BOLT_DEPTH 16 /* pages above each other in one bucket */

struct bolt {
	const char *name; /* for messages; the caller's */
	unsigned char *data;
	size_t len;
	uint32_t page; /* bytes */
	uint64_t root; /* the page of the outermost bucket */
	/* Elements that may still be read: in a malicious file, pages can be reached over
	 * and over again. */
	size_t left;
};

/* A key, and its value or bucket: bytes without a NUL, owned by the database. */
struct bolt_item {
	const char *key;
	size_t key_len;
	const unsigned char *value;
	size_t len;
	bool bucket;
};

struct bolt_walk {
	struct bolt *b;
	unsigned depth;
	struct bolt_level {
		const unsigned char *page;
		size_t len;
		unsigned next, count;
	} level[BOLT_DEPTH];
};

/*
 * Reads the file fd; name is for messages. -EBUSY (OVL_BUSY): it was changed during each
 * attempt; -EFBIG; -EUCLEAN: it is damaged, or not a bolt database.
 */
int bolt_load(int fd, const char *name, struct bolt *out, struct ovl_err *err);
void bolt_release(struct bolt *b);
#define auto_bolt __attribute__((cleanup(bolt_release))) struct bolt
/* The same for len bytes in b->data that have been read already. */
int bolt_open(struct bolt *b, struct ovl_err *err);

/* Begins with the first key of a bucket; NULL: the outermost. */
int bolt_walk(struct bolt_walk *w, struct bolt *b, const struct bolt_item *bucket,
	struct ovl_err *err);
/* 1 and the next key, 0 at the end, negative errno. */
int bolt_next(struct bolt_walk *w, struct bolt_item *out, struct ovl_err *err);
/* True if that is its key. */
bool bolt_is(const struct bolt_item *item, const char *key);
/* 1 if found, 0 if there is no such key, negative errno. */
int bolt_find(struct bolt *b, const struct bolt_item *bucket, const char *key,
	struct bolt_item *out, struct ovl_err *err);

#endif
