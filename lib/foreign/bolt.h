/*
 * Bolt databases of other programs, read: a file of pages that hold a B+tree of buckets,
 * in which keys lead to values or to more buckets. See bbolt's page.go and bucket.go.
 *
 *	bolt_load	takes in the file as it was at one moment
 *	bolt_walk, bolt_next	what is in a bucket
 *	bolt_find	one key of a bucket
 *
 * No lock is taken: the program that has the file open, and holds an exclusive lock on it,
 * is not waited for. It never writes to a page that the meta page in effect leads to, so
 * what was read is one state if that meta page is the same before and after.
 *
 * Nothing in the file is trusted: pages out of bounds, elements that overlap and pages that
 * lead to each other end as -EUCLEAN.
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
	/* Elements that may still be looked at: a file can say that all its pages have the
	 * same content, over and over. */
	size_t left;
};

/* A key, and its value or bucket; both belong to the database. Bytes, without a NUL. */
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
 * Reads fd, which is at name. -EBUSY (OVL_BUSY): it was written to each time; -EFBIG; -EUCLEAN:
 * it is damaged, or no bolt database.
 */
int bolt_load(int fd, const char *name, struct bolt *out, struct ovl_err *err);
void bolt_release(struct bolt *b);
#define auto_bolt __attribute__((cleanup(bolt_release))) struct bolt
/* Looks at len bytes in b->data as if they were read. */
int bolt_open(struct bolt *b, struct ovl_err *err);

/* Begins with the first key of a bucket; NULL: the outermost. */
int bolt_walk(struct bolt_walk *w, struct bolt *b, const struct bolt_item *bucket,
	struct ovl_err *err);
/* 1 and the next key, 0 at the end, negative errno. */
int bolt_next(struct bolt_walk *w, struct bolt_item *out, struct ovl_err *err);
/* Has it that key? */
bool bolt_is(const struct bolt_item *item, const char *key);
/* 1 found, 0 there is no such key, negative errno. */
int bolt_find(struct bolt *b, const struct bolt_item *bucket, const char *key,
	struct bolt_item *out, struct ovl_err *err);

#endif
