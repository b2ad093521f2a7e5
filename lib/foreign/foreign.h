/*
 * Reads the store of another program: the layers, names and configs in its records become
 * one table. Nothing here uses a store of ovlctl, and nothing is ever written, locked or
 * mounted.
 *
 *	ovl_foreign.recognise	finds the engine whose store a directory is (foreign_list.c)
 *	ovl_foreign.read	makes the table, which foreign_ENGINE.c fills from the records
 *	foreign_layer_find...	look things up in the table
 *	foreign_free
 *
 * All paths in the table are relative to the store's root, without ".."; they are opened
 * with fs_open_beneath(), which follows no symlinks.
 *
 * The engine may be running. Its records are read one after the other, so they may be
 * inconsistent: a name without its layer is dropped, and a layer without its parent has a
 * missing parent. A record that no longer exists when it is opened was removed, and is
 * ignored. A record that cannot be read or is invalid is reported with foreign_unread(),
 * and the others are still read.
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

/* Where the exact bytes of a layer's tar come from. */
enum foreign_exact {
	FOREIGN_PACKED, /* they are not known */
	FOREIGN_TAR_SPLIT, /* a gzip compressed tar-split of it, with the tree */
	FOREIGN_BLOB /* the tar itself, maybe compressed */
};

struct foreign_layer {
	/* The chain id of an image layer. For a writable layer, the engine's id if that
	 * has 64 hex digits, otherwise the result of foreign_hash_id(). First, because it
	 * is the key of the sorted table. */
	struct ovl_id id;
	struct ovl_id parent; /* empty: none */
	char diff_id[ID_LEN + 1]; /* hex; empty: unknown, or a writable layer */
	enum ovl_kind kind;
	const char *tree; /* its own tree, "overlay2/4f.../diff" */
	/* More trees in its mount between its own and those of the parent, nearest
	 * first. */
	const char **more;
	unsigned n_more;
	/* The engine's id for it: a cache-id, the number of a snapshot, the name of a
	 * directory. */
	const char *own_id;
	int64_t size; /* bytes, as recorded by the engine; -1: not recorded */
	struct timespec created; /* tv_sec 0: unknown */
	struct timespec used; /* last; tv_sec 0: unknown */
	enum foreign_exact exact;
	const char *exact_path; /* NULL for FOREIGN_PACKED */
	/* Why it cannot be used ("its record 'x' is damaged", "it is incomplete"); NULL:
	 * it can be used. Only check lists layers with a fault. */
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

/* A name or another id by which a layer can be given. */
struct foreign_name {
	const char *name;
	struct ovl_id layer;
	/* True for names, such as those of images and containers. False for what is only
	 * accepted as an operand: ids that the engine prints, references with a
	 * digest. */
	bool listed;
	const char *config; /* the digest of its image config, hex; NULL: none */
	const char *config_path;
	/* Set by foreign_read(): the index of the layer, and of the layer's next name. */
	size_t at;
	size_t next;
};

/* A directory that does not belong to a layer, but is not an orphan either. */
struct foreign_claim {
	const char *path;
	const char *whose; /* "BuildKit", "being removed" */
};

struct foreign {
	const struct foreign_engine *engine;
	int root; /* the store's root directory; not owned */
	bool noatime; /* reading through root changes no access times */
	/* Made for ovl_list(): own_id and tree of image layers are "", and names that are not
	 * listed, configs and claims may be missing. */
	bool brief;
	bool user_xattrs; /* opaque directories have user.overlay.opaque: the engine is run by
			   * an ordinary user */
	struct foreign_layer *layer; /* sorted by id */
	size_t n_layers;
	struct foreign_name *name; /* sorted by name */
	size_t n_names;

	/* For check: a directory in layers_dir that neither contains a tree of a layer
	 * nor is claimed is an orphan, if all records could be read. */
	const char *layers_dir; /* "overlay2"; NULL: not known */
	struct foreign_claim *claim;
	size_t n_claims;
	/* The records that were read, for messages: "image/overlay2/layerdb". */
	const char **record;
	size_t n_records;
	/* About the first record that could not be read; empty: all were read. */
	struct ovl_err unread;
	/* Why an unnamed directory may not be an orphan even so; NULL: it is one. */
	const char *doubt;

	/* Not for readers. */
	char **text;
	size_t n_texts;
	bool failed; /* out of memory */
	struct foreign_layer no_layer; /* returned instead of new ones after that */
	struct foreign_name no_name;
};

struct foreign_engine {
	const char *name; /* a word: "docker" */
	const char *owner; /* for messages: "Docker" */
	const char *own; /* a directory that belongs to the user who runs it */
	bool can_brief; /* a table for ovl_list() takes less reading */
	/* 1 if root is a store of this engine, which is recognised by the names in it; 0
	 * if not; -1 with errno. Cheap. */
	int (*recognise)(int root);
	/*
	 * Fills a table in which engine, root, noatime and brief are set. Fails (negative
	 * errno and a text) only if nothing can be read at all. The table owns everything
	 * added to it.
	 */
	int (*read)(struct foreign *t, struct ovl_err *err);
};

/*
 * The functions through which the store calls this room. Engines need libraries that most
 * commands do not load, so only the program's main() refers to them, through ovl_config.
 */
struct ovl_foreign {
	/* 1 and the engine whose store that is; 0 if there is none; -1 with errno. */
	int (*recognise)(int root, const struct foreign_engine **out);
	/* What kind of store it is that cannot be read ("is ..."); NULL: none that is known. */
	const char *(*other)(int root);
	/* Reads the store whose root is open; noatime and brief as in the struct. The
	 * caller frees *out. */
	int (*read)(const struct foreign_engine *e, int root, bool noatime, bool brief,
		struct foreign **out, struct ovl_err *err);
};

int foreign_read(const struct foreign_engine *e, int root, bool noatime, bool brief,
	struct foreign **out, struct ovl_err *err);
void foreign_free(struct foreign *t);

/* The layer with that id; NULL: none. */
const struct foreign_layer *foreign_layer_find(
	const struct foreign *t, const struct ovl_id *id);
/* Finds the names that are equal to text or, with prefix, begin with it: returns the
 * first of *n, or NULL if there are none. The "sha256:" of a digest is ignored. */
const struct foreign_name *foreign_names_find(
	const struct foreign *t, const char *text, bool prefix, size_t *n);

/* ---- for readers (foreign_table.c, foreign_file.c) --------------------------------- */

/* What these functions add lives as long as the table. If memory is short, they set
 * t->failed and return something harmless, and foreign_read() fails in the end. */

/* Formats a text as printf(3) does. */
const char *foreign_text(struct foreign *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A new layer, all zero but size -1, for the caller to fill; valid until the next one. */
struct foreign_layer *foreign_add_layer(struct foreign *t);
/* Adds a tree to l->more; path is copied. */
void foreign_add_more(struct foreign *t, struct foreign_layer *l, const char *path);
/* Adds a name, which is copied, for the caller to fill the rest of (listed is true);
 * valid until the next one. The store lists it only if it is a valid name of a layer. */
struct foreign_name *foreign_add_name(
	struct foreign *t, const char *name, const struct ovl_id *layer);
/* Records that path is not an orphan, and why; both are copied. */
void foreign_add_claim(struct foreign *t, const char *path, const char *whose);
/* Records the name of a record that is read; it is copied. */
void foreign_add_record(struct foreign *t, const char *what);
/* Records that a record could not be read, for the reason in why. Nothing is reported as
 * an orphan after that. */
void foreign_unread(struct foreign *t, const struct ovl_err *why);
/* For a lookup of what that found nothing: 0, or the error because of which not all
 * records could be read. */
int foreign_not_found(const struct foreign *t, const char *what, struct ovl_err *err);
/* Is there a file with this path? 1, 0, or -1 with errno. */
int foreign_has(int root, const char *path);

/* Makes an id of 64 hex digits: the SHA-256 of own, or own itself if it is such an id. */
void foreign_hash_id(struct foreign *t, const char *own, struct ovl_id *out);

/* Opens a file or directory of the store; flags as in open(2). -1 with errno: ELOOP for a
 * symlink on the way, EXDEV for "..". */
int foreign_open(const struct foreign *t, const char *path, int flags);
/* Opens a regular file for reading. -ENOENT without a text if it does not exist, otherwise
 * negative errno and a text. */
int foreign_open_file(const struct foreign *t, const char *path, struct ovl_err *err);
struct stat;
/*
 * Reads a record: 1; 0 if it does not exist; negative errno and a text (EFBIG: it has
 * more than max bytes). st (may be NULL) gets the stat of the file.
 */
int foreign_file(const struct foreign *t, const char *path, size_t max, struct buf *out,
	struct stat *st, struct ovl_err *err);

/* A directory with small records. */
struct foreign_place {
	const struct foreign *t;
	int dir; /* open, or a negative errno */
	const char *path; /* for messages; NULL: names are paths */
};
int foreign_file_at(const struct foreign_place *at, const char *name, size_t max,
	struct buf *out, struct stat *st, struct ovl_err *err);
#define FOREIGN_WORD 256
/* Reads one of them in the same way, without a newline at the end. -EUCLEAN unless
 * foreign_is_name(), so that it can be used in a path. */
int foreign_word(const struct foreign_place *at, const char *name, char out[FOREIGN_WORD],
	struct stat *st, struct ovl_err *err);
/* True for printable ASCII without blanks and '/' that does not begin with '.'. */
bool foreign_is_name(const char *s, size_t n);
/* The same for a digest: the hex part of "sha256:<64 hex>". */
int foreign_digest(const struct foreign_place *at, const char *name, char hex[ID_LEN + 1],
	struct ovl_err *err);

/* The size limit of a JSON record; see foreign_json.h. */
#define FOREIGN_JSON_MAX (32u << 20)

/* ---- the engines ------------------------------------------------------------------- */

extern const struct foreign_engine foreign_docker;
extern const struct foreign_engine foreign_containerd;
extern const struct foreign_engine foreign_containers;

#endif
