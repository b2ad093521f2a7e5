/*
 * Internal to source.c and source_tar.c: source_tar.c makes the index of a tar, source.c
 * finds parts in it.
 */
#ifndef OVL_SOURCE_OWN_H
#define OVL_SOURCE_OWN_H

#include "image/source.h"

struct member {
	uint64_t head; /* offset of its header in the tar */
	uint64_t offset; /* offset of its data in the tar, or if spread is set in temp */
	uint64_t size;
	uint32_t name; /* offset in names */
	uint32_t link; /* offset in names of the member it links to; 0: not a link */
	bool out; /* a link that leads out of the archive */
	bool sparse; /* its data is not contiguous */
	bool spread; /* its data was copied to temp */
	bool checked; /* other members of this name were found to have the same bytes, or
		       * target */
};

struct source {
	struct ovl_store *st;
	int fd; /* the caller's; -1: see source_at */
	bool dir;
	struct member *member; /* sorted by name; members with the same name in the order
			        * of the tar */
	size_t n;
	struct buf names;
	int temp; /* data of sparse members; -1: none */
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
/* Copies the data of a sparse member to temp. */
int source_spread(struct source *s, struct member *m, struct ovl_err *err);

#endif
