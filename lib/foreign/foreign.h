/*
 * The store of another program, read: the layers, names and configs that its records tell
 * of, as one table. Nothing here knows of a store of ours, and nothing is ever written,
 * locked or mounted.
 *
 *	ovl_foreign.recognise	which engine's store a directory is (foreign_list.c)
 *	ovl_foreign.read	its records, as a table: foreign_ENGINE.c fills it
 *	foreign_layer_find...	what is in the table
 *	foreign_free
 *
 * All paths in the table are relative to the store's root. None contains a symlink or "..",
 * since all are opened with fs_open_beneath().
 *
 * The engine may be at work. Its records are read one after the other, so they may not fit
 * together: a name without its layer is dropped, a layer without its parent has one that is
 * missing. A record that is gone when it is looked for was removed, and counts as none. One
 * that cannot be read or makes no sense is foreign_unread(): the rest is read all the same.
 */
#ifndef OVL_FOREIGN_H
#define OVL_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "ovl.h"

/* Where the exact bytes of a layer's tar can be had. */
enum foreign_exact {
	FOREIGN_PACKED, /* nowhere */
	FOREIGN_TAR_SPLIT, /* a gzip compressed tar-split of it, with the tree */
	FOREIGN_BLOB /* the tar itself, maybe compressed */
};

struct foreign_layer {
	/* An image layer's chain id. Of a writable layer the engine's own id of it, if that
	 * has 64 hex digits, else what foreign_hash_id() makes of that. First, to be the key
	 * of the sorted table. */
	struct ovl_id id;
	struct ovl_id parent; /* empty: none */
	char diff_id[ID_LEN + 1]; /* hex; empty: unknown, or a writable layer */
	enum ovl_kind kind;
	const char *tree; /* its own tree, "overlay2/4f.../diff" */
	/* More trees of its mount, nearest first, between its own and those of the parent. */
	const char **more;
	unsigned n_more;
	/* What the engine calls it: a cache-id, the number of a snapshot, the name of a
	 * directory. */
	const char *own_id;
	int64_t size; /* bytes, as the engine has recorded them; -1: it has not */
	struct timespec created; /* tv_sec 0: unknown */
	struct timespec used; /* last; tv_sec 0: unknown */
	enum foreign_exact exact;
	const char *exact_path; /* NULL for FOREIGN_PACKED */
	/* Why it cannot be used ("its record 'x' is damaged", "it is incomplete"); NULL: it
	 * can be. It is listed by check alone. */
	const char *fault;

	/* Set by foreign_read(). */
	unsigned depth; /* layers below it */
	unsigned lowers; /* trees of its mount below its own */
	size_t below; /* its parent in the table; FOREIGN_NONE: none, or missing */
	size_t child; /* the first layer on top of it; FOREIGN_NONE: none */
	size_t sibling; /* the next one on top of its parent */
	size_t name; /* its first name; FOREIGN_NONE: none */
};
#define FOREIGN_NONE SIZE_MAX

/* What a layer may be called, apart from its id. */
struct foreign_name {
	const char *name;
	struct ovl_id layer;
	/* Listed: a name, as of an image or a container. Else it is only understood where a
	 * layer is asked for: ids that the engine prints, references with a digest. */
	bool listed;
	const char *config; /* the digest of its image config, hex; NULL: none */
	const char *config_path;
	/* Set by foreign_read(): of the layer in the table, and the layer's next name. */
	size_t at;
	size_t next;
};

/* A directory that is not a layer's, but is no orphan either. */
struct foreign_claim {
	const char *path;
	const char *whose; /* "BuildKit", "being removed" */
};

struct foreign {
	const struct foreign_engine *engine;
	int root; /* of the store; not owned */
	bool noatime; /* reading through root changes no access times */
	bool user_xattrs; /* opaque directories are marked user.overlay.opaque: the engine is
			   * an ordinary user's */
	struct foreign_layer *layer; /* sorted by id */
	size_t n_layers;
	struct foreign_name *name; /* sorted by name */
	size_t n_names;

	/* For check: each directory in layers_dir belongs to a layer (its own tree or one of
	 * more is in it), is claimed, or is an orphan if all records could be read. */
	const char *layers_dir; /* "overlay2"; NULL: not known */
	struct foreign_claim *claim;
	size_t n_claims;
	const char **
		record; /* those that were searched, for people: "image/overlay2/layerdb" */
	size_t n_records;
	struct ovl_err
		unread; /* about the first one that could not be read; empty: all were */

	/* Not for readers. */
	char **text;
	size_t n_texts;
	bool failed; /* out of memory */
	struct foreign_layer no_layer; /* what is added then */
	struct foreign_name no_name;
};

struct foreign_engine {
	const char *name; /* a word: "docker" */
	const char *owner; /* for messages: "Docker" */
	/* 1 if root is a store of it, by its content: names that exist; 0 if not; -1 with
	 * errno. Cheap. */
	int (*recognise)(int root);
	/*
	 * Fills a table in which engine, root and noatime are set. 0, or negative errno and a
	 * text if nothing can be said about the store at all. What was added stays the
	 * table's.
	 */
	int (*read)(struct foreign *t, struct ovl_err *err);
};

/*
 * How a store gets at all this: engines need libraries that most commands do not load, so
 * that only the program's main() refers to them, through ovl_config.
 */
struct ovl_foreign {
	/* 1 and whose store that is; 0 not known; -1 with errno. */
	int (*recognise)(int root, const struct foreign_engine **out);
	/* Reads the store whose root is open; noatime as in the struct. *out is the
	 * caller's. */
	int (*read)(const struct foreign_engine *e, int root, bool noatime,
		struct foreign **out, struct ovl_err *err);
};

int foreign_read(const struct foreign_engine *e, int root, bool noatime,
	struct foreign **out, struct ovl_err *err);
void foreign_free(struct foreign *t);

/* The layer with that id; NULL: none. */
const struct foreign_layer *foreign_layer_find(
	const struct foreign *t, const struct ovl_id *id);
/* The names that are equal to text, or with prefix begin with it, are the *n from here;
 * NULL if there are none. Of a digest only its hex part counts. */
const struct foreign_name *foreign_names_find(
	const struct foreign *t, const char *text, bool prefix, size_t *n);

/* ---- for readers (foreign_table.c, foreign_file.c) --------------------------------- */

/* What is added lives as long as the table. If memory is short, t->failed is set and they
 * return something harmless; foreign_read() then fails. */

/* A copy of printf's text. */
const char *foreign_text(struct foreign *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A new layer, all zero but size -1, for the caller to fill; valid until the next one. */
struct foreign_layer *foreign_add_layer(struct foreign *t);
/* Adds a tree to its more; path is copied. */
void foreign_add_more(struct foreign *t, struct foreign_layer *l, const char *path);
/* Adds a name, which is copied, for the caller to fill the rest of (listed is true); valid
 * until the next one. The store lists it only if it is a valid name of a layer. */
struct foreign_name *foreign_add_name(
	struct foreign *t, const char *name, const struct ovl_id *layer);
/* path, in layers_dir or not, is not an orphan; both are copied. */
void foreign_add_claim(struct foreign *t, const char *path, const char *whose);
/* A record that is searched; copied. */
void foreign_add_record(struct foreign *t, const char *what);
/* That a record could not be read, for the reason in why: from now on nothing is an orphan. */
void foreign_unread(struct foreign *t, const struct ovl_err *why);
/* what was not found: 0, or the error that kept all from being read. */
int foreign_not_found(const struct foreign *t, const char *what, struct ovl_err *err);
/* Is there a file with this path? 1, 0, or -1 with errno. */
int foreign_has(int root, const char *path);

/* The id of a layer whose own id has not 64 hex digits: the SHA-256 of that. If own is such
 * an id already, it stays. */
void foreign_hash_id(struct foreign *t, const char *own, struct ovl_id *out);

/* Opens a file or directory of the store; flags as in open(2). -1 with errno: ELOOP for a
 * symlink on the way, EXDEV for "..". */
int foreign_open(const struct foreign *t, const char *path, int flags);
/* Opens a file to be read, and never what may block; st (may be NULL): of it. -ENOENT without
 * a text if there is none, negative errno and a text. */
struct stat;
int foreign_open_file(
	const struct foreign *t, const char *path, struct stat *st, struct ovl_err *err);
/*
 * Reads a record: 1; 0 there is none; negative errno and a text (EFBIG: it has more than max
 * bytes). st (may be NULL): of the file.
 */
int foreign_file(const struct foreign *t, const char *path, size_t max, struct buf *out,
	struct stat *st, struct ovl_err *err);

/* A directory with small records. */
struct foreign_place {
	const struct foreign *t;
	int dir; /* open, or a negative errno */
	const char *path; /* for messages */
};
#define FOREIGN_WORD 256
/* Reads one of them as above, without a newline at the end, and -EUCLEAN unless it is printable
 * ASCII without blanks and '/' that does not begin with '.': it may be part of a path. */
int foreign_word(const struct foreign_place *at, const char *name, char out[FOREIGN_WORD],
	struct stat *st, struct ovl_err *err);
/* May it be part of a path, in that way? */
bool foreign_is_name(const char *s, size_t n);
/* The hex part of "sha256:<64 hex>"; otherwise as above. */
int foreign_digest(const struct foreign_place *at, const char *name, char hex[ID_LEN + 1],
	struct ovl_err *err);

/* A JSON record, see foreign_json.h for its members. */
#define FOREIGN_JSON_MAX (32u << 20)

/* ---- the engines ------------------------------------------------------------------- */

extern const struct foreign_engine foreign_docker;
extern const struct foreign_engine foreign_containerd;
extern const struct foreign_engine foreign_containers;

#endif
