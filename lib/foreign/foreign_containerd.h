/*
 * The data of containerd's databases, which foreign_containerd.c reads and foreign_refs.c
 * resolves to layers and names.
 */
#ifndef OVL_FOREIGN_CONTAINERD_H
#define OVL_FOREIGN_CONTAINERD_H

#include "foreign/foreign_bolt.h"
#include "foreign/foreign_stack.h"

#define CTRD_BLOBS "io.containerd.content.v1.content/blobs/sha256"

/* A limit on snapshots and names that no real store reaches. */
#define CTRD_MAX (1u << 20)

/* A limit on the bytes of a name. */
#define REF_MAX 256

/* Bytes of one of the databases. */
struct bytes {
	const char *p;
	size_t n;
};

struct snapshot {
	struct ovl_id id, below; /* "": none; id first, to be the key */
	struct bytes name, parent; /* in metadata.db */
	struct bytes space, key; /* in meta.db; key.p NULL: it is not there */
	uint64_t number;
	uint64_t kind;
	uint64_t init; /* the number of an init layer in between; 0: none */
	int64_t size;
	struct timespec created;
	char diff_id[ID_LEN + 1]; /* these two: "": not known */
	char blob[ID_LEN + 1];
};

/* A name in a namespace: of an image, a container or a snapshot. */
struct ref {
	struct bytes space, name;
	char target[ID_LEN + 1]; /* of an image: its manifest or index */
	char config[ID_LEN + 1];
	struct ovl_id id; /* "": it has no layer here */
};

struct reading {
	struct foreign *t;
	struct bolt meta, snaps;
	struct snapshot *snap; /* sorted by name, in the end by id */
	size_t n_snaps;
	struct ref *ref;
	size_t n_refs;
	struct foreign_stack stack; /* of the last config */
	uint64_t json; /* bytes read */
	struct bytes space; /* the namespace at hand */
};

int ctrd_order(struct bytes a, struct bytes b);
const char *ctrd_text(struct reading *c, struct bytes b);
/* The hex part of a digest. */
bool ctrd_digest(struct bytes b, char hex[ID_LEN + 1]);
/* Adds a name in the namespace at hand. */
int ctrd_ref(struct reading *c, struct ref r, struct ovl_err *err);
/* Looks up the layers of the images, and adds all names to the table. The snapshots are
 * sorted by id. */
int ctrd_names(struct reading *c, struct ovl_err *err);

#endif
