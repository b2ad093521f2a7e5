/* The entries of an OCI index (image-spec, image-index.md), and which of them to
 * import. */
#ifndef OVL_IMAGE_ENTRY_H
#define OVL_IMAGE_ENTRY_H

#include "image/image.h"

struct entry {
	const json_t *o;
	const char *name; /* NULL: none */
	bool tag; /* the name is only a tag, valid within the layout */
	const char *group; /* the same for all platforms of an image; NULL: no name */
	size_t at; /* position in the index */
	unsigned rank; /* see platform_rank */
	bool stated; /* it states a platform */
	bool alone; /* no other entry has its group */
	bool take;
};

/* outer: the entry of the index that contains it; NULL: index.json. */
struct entry entry_of(const json_t *o, const struct entry *outer);
/* Its name in messages. */
const char *entry_label(const struct entry *e);
/* The name of the image; "" if it has none, or only a tag and im->base is NULL. */
void entry_name(const struct images *im, const struct entry *e, struct buf *out);

/*
 * Lists the entries of an index (the caller frees the list) and marks those to import. In
 * index.json all are different images, except that entries with the same name are one
 * image for different platforms. In other indexes all entries are one image: the best
 * comes first, and the first one that can be read is imported.
 */
int entries_choose(const json_t *index, const struct entry *outer,
	const struct wanted *want, struct images *out, struct entry **list, size_t *n,
	struct ovl_err *err);

#endif
