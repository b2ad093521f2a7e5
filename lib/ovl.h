/*
 * The border between the commands (cmd/) and the library (lib/): internal. It is not
 * installed and may change with every commit.
 *
 * Calls return 0 or a negative errno and describe a failure in a struct ovl_err of the
 * caller's: a status (the exit status of the command line) and one line of text. The
 * library prints nothing and never exits. It keeps no state outside a struct ovl_store,
 * except a lock that lets one decoder at a time have a large window.
 *
 * What belongs to the process. One call at a time may run in it, since calls set
 *
 *	the working directory	ovl_mount, ovl_umount, ovl_remove, ovl_commit, ovl_prune,
 *				ovl_check; if the old one cannot be entered again, the
 *				process is left in the store
 *	the thread's locale	while they read or write tar headers
 *
 * and put them back. The caller provides
 *
 *	umask		0, since files get the modes of a tar or of the store
 *	descriptors	a walk holds one for each layer and each level of the tree: raise
 *			RLIMIT_NOFILE to its hard limit
 *	stack		ovl_stack_size, since walks recurse; the library's threads bring
 *			their own
 *	signals		SIGPIPE and SIGXFSZ ignored or caught, so that writing fails with
 *			an errno; the library's threads block all signals
 *
 * libcrypto and libisal are loaded by the first call that hashes or reads gzip, and stay
 * (a build with OVL_SHARED is linked with libcrypto instead).
 *
 * A LAYER argument is text as a user types it, looked up as: name, full id (64 hex
 * digits), short id (26 base32 characters), unique prefix of an id (4 digits or more).
 * ovl_export, ovl_show and ovl_tag also take LAYER@sha256:DIGEST, which says which of the
 * layer's image configs is meant.
 */
#ifndef OVL_H
#define OVL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define OVL_VERSION    "0.1"
#define OVL_MAX_LOWERS 128 /* lower layers of one mount */

/* What a failure is to a script; the numbers are exit statuses. */
enum ovl_status {
	OVL_OK = 0,
	OVL_FAILED = 1,
	OVL_USAGE = 2, /* a wrong option or operand */
	OVL_NOLAYER = 3, /* no such layer */
	OVL_BUSY = 4 /* mounted, has children, or locked */
};

struct ovl_err {
	enum ovl_status status;
	char text[1024];
};

/* 64 lower-case hex digits: the chain id of an image layer, random for a writable one. */
struct ovl_id {
	char s[65];
};

/*
 * What a command that writes has made sure of when it returns.
 * DATA: an import, a commit and a name given or taken away survive a power cut; create,
 * rm and prune sync nothing. ALL: these too.
 */
enum ovl_sync { OVL_SYNC_DATA, OVL_SYNC_NONE, OVL_SYNC_ALL };

/* How far long work is. Called about ten times a second at the most. */
struct ovl_progress {
	uint64_t bytes; /* of the input, as it is on disk */
	uint64_t total; /* of the input; 0: not known (a pipe) */
	uint64_t entries; /* files, directories and the like done */
	unsigned layers; /* of an image, that are being taken in; 0: it is but one */
	unsigned layers_done;
};

/* What the library has to say while it works. */
enum ovl_note {
	OVL_WARNING, /* something was left out, or is not as it should be */
	OVL_WAITING, /* for a lock, said once */
	OVL_DETAIL /* what was done, for who wants to know */
};

struct ovl_config {
	const char *root; /* NULL: $OVLCTL_ROOT, else the default place */
	const char *driver; /* NULL: $OVLCTL_DRIVER, else the store's own */
	enum ovl_sync sync;
	bool nowait; /* a lock that is held is an error (OVL_BUSY) */
	unsigned
		wait; /* one that is held for that many seconds; 0: waited for without end,
			* but for those of layers that rm and commit want: not at all */
	const atomic_int *stop; /* set by a signal handler; NULL: never */
	void (*note)(
		void *ctx, enum ovl_note kind, const char *line); /* NULL: not told */
	void (*progress)(void *ctx, const struct ovl_progress *p); /* NULL: not told */
	void *ctx;
};

struct ovl_store;

extern const size_t ovl_stack_size; /* bytes that a call may take of it */

/*
 * Opens the store. With make, a root that is missing or empty becomes a store;
 * without, it is read as a store without layers. A directory that holds anything else
 * is refused. Who may: the owner of the store, as root or as root of a user namespace.
 */
int ovl_open(struct ovl_store **out, const struct ovl_config *cfg, bool make,
	struct ovl_err *err);
void ovl_close(struct ovl_store *st);

/* The store's root directory: absolute, symlinks resolved. Owned by the store. */
const char *ovl_root(const struct ovl_store *st);

/* ---- import ---------------------------------------------------------------------- */

/* What an input is. AUTO: a directory or a file that can be read at any place is an image
 * if it has an oci-layout, or a manifest.json of docker-save; anything else is a layer. */
enum ovl_as { OVL_AS_AUTO, OVL_AS_LAYER, OVL_AS_IMAGE };

struct ovl_import {
	int fd; /* open for reading; a file from its current offset, a pipe, a directory */
	enum ovl_as as;
	const char *file; /* what to call it in messages */
	const char *parent; /* LAYER; NULL: a bottom layer */
	const char *name; /* to give to the layer; NULL: none */
	const char *expect; /* diff id it must have, with or without sha256:; NULL: any;
			     * of a layer only, as parent is */
	bool force; /* name is taken from the layer that has it */
	bool no_names; /* the names that an image has are not given */
	const char *image; /* which image of several: a name or digest; NULL: all */
	const char *platform; /* os/arch[/variant]; NULL: this machine's */
	uint64_t
		max_size; /* bytes of the uncompressed tar, and of file data; 0: default */
	uint64_t max_entries; /* 0: default */
	unsigned max_depth; /* components of a name; 0: default */
};

#define OVL_MAX_SIZE    (UINT64_C(1) << 40)
#define OVL_MAX_ENTRIES UINT64_C(10000000)
#define OVL_MAX_DEPTH   1024U

/* Top layers of what was imported: as many as there were images, or one layer. */
struct ovl_ids {
	struct ovl_id *id; /* the caller's to free */
	size_t n;
};

/*
 * Stores a tar (ustar, pax, GNU, v7; plain or gzip, zstd, xz, bzip2, lz4) as an image
 * layer, or the layers, configs and names of whole images: docker-save archives and OCI
 * image layouts. An id is a chain id (OCI image-spec, config.md). A layer that is there
 * already is left as it is. On failure the store is as it was, except that layers of an
 * image which have appeared stay, without names.
 */
int ovl_import(struct ovl_store *st, const struct ovl_import *req, struct ovl_ids *ids,
	struct ovl_err *err);

/* ---- create, mount, umount -------------------------------------------------------- */

/* A new writable layer on image layer parent, or on nothing (NULL). */
int ovl_create(struct ovl_store *st, const char *parent, const char *name,
	struct ovl_id *id, struct ovl_err *err);

struct ovl_mount {
	const char *layer;
	const char *target; /* NULL: the layer's own merged/ */
	const char *options; /* as mount(8) takes with -o; NULL: none */
	bool readonly;
	bool force; /* take a layer whose last volatile mount was not synced */
};

/*
 * Mounts a layer with its stack: a writable layer as the upper, an image layer
 * read-only. *where is the mount point, absolute, the caller's to free. OVL_BUSY when
 * the layer is the upper of a live mount anywhere, or work on it goes on.
 * Needs CAP_SYS_ADMIN in the mount namespace's user namespace.
 */
int ovl_mount(struct ovl_store *st, const struct ovl_mount *req, char **where,
	struct ovl_err *err);

/*
 * Unmounts what is the LAYER or mount point: of a layer, all its mounts in this mount
 * namespace. LAZY: detach now, let go when the last open file is closed. RECURSIVE: what
 * is mounted in it goes first. OVL_BUSY, and what or who keeps it busy.
 */
enum { OVL_UMOUNT_LAZY = 1, OVL_UMOUNT_RECURSIVE = 2 };
int ovl_umount(
	struct ovl_store *st, const char *what, unsigned flags, struct ovl_err *err);
/* The same for all of this store's mounts in this namespace. */
int ovl_umount_all(struct ovl_store *st, unsigned flags, struct ovl_err *err);

/* ---- changes ---------------------------------------------------------------------- */

/* One line of a diff; path is absolute within the layer and as on disk. */
struct ovl_change {
	char kind; /* 'A' added, 'C' changed, 'D' deleted */
	const char *path;
	size_t path_len;
};

/*
 * Calls fn for each change of LAYER against its parent, or against base, sorted by the
 * bytes of the path. fn returns 0 to go on; anything else ends the walk and is returned.
 */
int ovl_diff(struct ovl_store *st, const char *layer, const char *base,
	int (*fn)(void *ctx, const struct ovl_change *c), void *ctx, struct ovl_err *err);

/*
 * Writes the layer's changes as a tar to fd. compress: "none", "gzip", "zstd", "xz",
 * "bzip2" or "lz4". The same tree gives the same bytes; $SOURCE_DATE_EPOCH clamps times.
 */
int ovl_diff_tar(struct ovl_store *st, const char *layer, int fd, const char *compress,
	struct ovl_err *err);

/* The compression a file name asks for by its suffix; "none" where it asks for none. */
const char *ovl_compression_of(const char *file);
bool ovl_compression_known(const char *compress);

/* ---- export ----------------------------------------------------------------------- */

enum ovl_format {
	OVL_OCI, /* image layout, OCI image-spec 1.0 */
	OVL_DOCKER /* what docker save writes and docker load reads */
};

/*
 * Where to: fd, a file open for writing, or if that is -1 a new directory (OCI alone),
 * which appears as dir in dirfd when it is complete; an empty one is replaced.
 */
struct ovl_export {
	char *const *layers; /* the top of each image, NULL-terminated */
	enum ovl_format format;
	const char *compress; /* the layers: gzip, zstd, none; NULL: as is usual */
	int fd;
	const char *compress_all; /* the file, see ovl_diff_tar; NULL: none */
	int dirfd;
	const char *dir;
	mode_t umask; /* for the directory and what is in it */
	const char *target; /* what to call either in messages */
};

/*
 * Writes the whole stack of each layer as an image. Image layers go out as the tars they
 * came from, bit for bit and checked against their diff ids: -EUCLEAN and the name of what
 * is damaged. A writable layer may be the top and is packed as ovl_diff_tar does. The
 * config is the one the image came with, of several the latest if the operand does not
 * say; one on top of an image gets that image's, with its own layers added; else a
 * minimal one. The same layers, configs and times of creation give the same bytes;
 * $SOURCE_DATE_EPOCH clamps times. All layers are held by shared locks. On failure what
 * fd has got is no image.
 */
int ovl_export(struct ovl_store *st, const struct ovl_export *req, struct ovl_err *err);

/* ---- list, remove ----------------------------------------------------------------- */

enum ovl_kind { OVL_IMAGE, OVL_WRITABLE };

/* A layer as ls and show see it. Strings are owned by the struct. */
struct ovl_layer {
	struct ovl_id id;
	char link[27]; /* short id */
	const char *driver; /* static */
	enum ovl_kind kind;
	bool has_parent;
	struct ovl_id parent;
	char diff_id[65]; /* hex; empty for a writable layer */
	unsigned depth; /* layers below it in its history */
	unsigned lowers; /* lower layers of its mount */
	uint64_t
		size; /* image: bytes of file data; writable: what its tree takes on disk */
	bool has_size; /* false: a writable one, and nobody asked to walk its tree */
	uint64_t entries; /* of the tar it came from */
	int64_t created; /* seconds since 1970 */
	char **names; /* NULL-terminated, sorted */
	char **mounts; /* mount points in this namespace, NULL-terminated */
	struct ovl_details *details; /* NULL: not asked for, or not to be had */
};

struct ovl_list {
	struct ovl_layer *layer; /* sorted by creation, then id */
	size_t n;
};

enum {
	OVL_LIST_DETAILS = 1,
	OVL_LIST_SIZES = 2 /* of writable layers too: walks their trees */
};

/* All layers; with what, only those named there (NULL-terminated). */
int ovl_list(struct ovl_store *st, char *const *what, unsigned flags,
	struct ovl_list *out, struct ovl_err *err);
void ovl_list_free(struct ovl_list *l);

/* A layer of the stack below another one. */
struct ovl_below {
	struct ovl_id id;
	bool missing; /* it is not in the store: nothing else is known */
	char diff_id[65]; /* hex; empty for a writable layer */
	char link[27];
	uint64_t size; /* bytes of file data */
};

/* What else is known about a layer. What it points to is owned by the struct. */
struct ovl_details {
	struct ovl_below *stack; /* nearest first, up to one that is missing */
	size_t n_stack;
	/* Absolute paths. */
	char *path; /* its directory */
	char *tree; /* its own tree */
	char *work; /* NULL: it keeps no work directory and no mount point */
	char *merged; /* the mount point */
	char **lowers; /* of its mount, nearest first, NULL-terminated */
	char *mount_command; /* a line of shell */
	uint64_t tar_size; /* bytes of the tar it came from; 0 for a writable layer */
	/* As far as the size of the layer itself is known. */
	uint64_t stack_size; /* bytes of the layer and all below it */
	uint64_t unique_size; /* of those, what nothing but this layer needs */
	struct ovl_id *configs; /* SHA-256 of its image configs, sorted */
	size_t n_configs;
	char *config; /* the one of the name it was called by, JSON; NULL: not known */
	size_t config_len;
};

/*
 * One layer with its details, as a list of one. A LAYER that says which config is meant
 * gets that one.
 */
int ovl_show(struct ovl_store *st, const char *layer, struct ovl_list *out,
	struct ovl_err *err);

enum { OVL_RM_RECURSIVE = 1, OVL_RM_FORCE = 2 };

/*
 * Removes layers (NULL-terminated). OVL_BUSY, and nothing is removed, if one is mounted
 * or has children that stay. RECURSIVE: children go too. FORCE: a missing one is no
 * error.
 */
int ovl_remove(
	struct ovl_store *st, char *const *layers, unsigned flags, struct ovl_err *err);

/* ---- commit, names ----------------------------------------------------------------- */

struct ovl_commit {
	const char *layer; /* a writable one */
	const char *name; /* to give to the image layer; NULL: none */
	bool keep; /* the writable layer goes on, empty, on top of the image layer */
	/* Of the image that it is the top of; all NULL and 0: its config is not changed. */
	const char *comment;
	const char *author;
	const char *const
		*changes; /* instructions of a Dockerfile, see ovlctl-commit(8) */
	size_t n_changes;
};

/*
 * Turns a writable layer into an image layer, whose chain id is *id. Without keep the
 * names of the writable layer go along, and it is gone. Where the request says something
 * of the image, the layer gets a config, made from that of the layers below. OVL_USAGE: an
 * instruction is none, before anything was done. OVL_BUSY when it is mounted
 * anywhere or in use. On failure the writable layer is as it was, but for what the image
 * layer would not have had: sockets, and marks of overlayfs that hide nothing.
 */
int ovl_commit(struct ovl_store *st, const struct ovl_commit *req, struct ovl_id *id,
	struct ovl_err *err);

/*
 * Gives the layer one more name, with the image config that goes with the name it was
 * called by. A name that another layer has is refused, or with force taken from it.
 */
int ovl_tag(struct ovl_store *st, const char *layer, const char *name, bool force,
	struct ovl_err *err);
/* Takes a name away from whoever has it. OVL_NOLAYER: nobody has. */
int ovl_untag(struct ovl_store *st, const char *name, struct ovl_err *err);

/* ---- clean up --------------------------------------------------------------------- */

enum ovl_severity {
	OVL_NOTE, /* of no harm */
	OVL_ERROR
};

/* Something that check found. Strings are good for the call. */
struct ovl_finding {
	enum ovl_severity severity;
	bool repaired;
	const char *kind; /* a word for scripts, see ovlctl-check(8) */
	const char *id; /* of the layer; empty: of none */
	const char *path; /* in the layer's tree, or a name in the store; may be empty */
	const char *text; /* for people, one line */
};

struct ovl_check {
	bool content; /* the files of image layers too */
	bool repair; /* what the rest of the store determines */
	const char *layer; /* look at this one alone; NULL: at all of the store */
	const char *from; /* with repair and layer: heal it from the tar of that name, */
	int fd; /* which is read from here */
};

/* Bits of the result, which are fsck's. */
enum {
	OVL_CHECK_REPAIRED = 1,
	OVL_CHECK_ERRORS = 4, /* left */
	OVL_CHECK_NOT = 8 /* could not be checked */
};

/*
 * Looks whether the store is sound; writes to it only to repair. fn is told of each
 * finding; what it returns other than 0 ends the work and is returned. *result: bits, 0
 * for a sound store.
 */
int ovl_check(struct ovl_store *st, const struct ovl_check *req,
	int (*fn)(void *ctx, const struct ovl_finding *f), void *ctx, unsigned *result,
	struct ovl_err *err);

/* Something that goes, or would. Strings are good for the call. */
struct ovl_pruned {
	const char *what; /* a word for scripts, see ovlctl-prune(8) */
	const char *name;
	uint64_t bytes; /* on disk; of a layer, bytes of file data */
	const char *why;
};

struct ovl_prune {
	bool dry_run; /* tell, but remove nothing */
	bool layers; /* image layers too that nothing names, mounts or builds on */
	bool aside; /* what a repair put aside */
	int64_t older_than; /* seconds since a layer was made or used, for it to go */
};

/*
 * Removes what processes that have ended left behind, and with layers what is not needed
 * any more. Nothing that a living process holds is touched. fn is told of each; what it
 * returns other than 0 ends the work and is returned.
 */
int ovl_prune(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err);

/* ---- text ------------------------------------------------------------------------- */

/*
 * The form in which a name may reach a terminal or a line: control bytes and what is not
 * UTF-8 as \ooo, a backslash as two. Writes at most size bytes with the NUL, cut with "..."
 * where it does not fit; size is 4 or more. Returns out.
 */
char *ovl_escape(char *out, size_t size, const char *name, size_t len);

/* The bytes in base64 (RFC 4648, with padding), the caller's to free; NULL: ENOMEM. */
char *ovl_base64(const char *p, size_t n);

/* May this be a layer's name? 1 to 200 of [A-Za-z0-9._/:@+-], see ovlctl(8). */
bool ovl_name_valid(const char *name);

#endif
