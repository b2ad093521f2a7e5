/*
 * A source, for the two files that know what is in one: source_tar.c makes the index of a
 * tar, source.c finds parts by it.
 */
#ifndef OVL_SOURCE_OWN_H
#define OVL_SOURCE_OWN_H

#include "image/source.h"

struct member {
	uint64_t head; /* its header, in the tar */
	uint64_t offset; /* its data, in the tar; of one that is spread, in temp */
	uint64_t size;
	uint32_t name; /* in names */
	uint32_t link; /* to this member, in names; 0: it is a file */
	bool out; /* a link that leads out of the archive */
	bool sparse; /* its data are not in one run */
	bool spread; /* they are in temp */
	bool checked; /* others of this name have the same bytes, or target */
};

struct source {
	struct ovl_store *st;
	int fd; /* the caller's; -1: see source_at */
	bool dir;
	struct member *member; /* sorted by name; of one name, as they come in the tar */
	size_t n;
	struct buf names;
	int temp; /* for members that are sparse; -1: none was needed */
	uint64_t temp_size;
	unsigned reads; /* by source_read */
	uint64_t read;
};

static inline const char *member_name(const struct source *s, const struct member *m)
{
	return s->names.data + m->name;
}

/* The members of a tar; see source_open. */
int source_index(struct source *s, struct stream **from, bool any, struct ovl_err *err);
/* Puts a sparse member into temp. */
int source_spread(struct source *s, struct member *m, struct ovl_err *err);

#endif
