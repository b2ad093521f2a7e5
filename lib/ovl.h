/*
 * The internal interface between the commands (cmd/) and the library (lib/). It is not
 * installed and may change with every commit.
 *
 * Calls return 0 or a negative errno and describe a failure in the caller's struct
 * ovl_err: a status (the exit status of the command line) and one line of text. The
 * library prints nothing and never exits. It keeps no state outside a struct ovl_store,
 * except a lock that allows one decoder at a time to have a large window.
 *
 * Every call that takes a LAYER can fail with OVL_NOLAYER (there is none), OVL_USAGE
 * (several match) and OVL_BUSY (it is locked, and nowait or wait is set). The comments
 * below name the other statuses that a caller may want to tell apart.
 *
 * Ownership. Output parameters are set only on success. What a call returns is freed with
 * the function that its comment names, or else with free(3). Arguments stay the caller's,
 * and descriptors open, at the same offset or a later one. Only struct ovl_config must
 * outlive the call: its pointers are used until ovl_close().
 *
 * Locks. Layers that a call reads are locked shared while it reads them, and layers that
 * it removes, commits, applies or repairs are locked exclusively. ovl_list, ovl_du and
 * ovl_check without repair take no exclusive locks. See "Locks" in lib/README.
 *
 * Process state. Only one call at a time may run in a process, since calls change and
 * restore
 *
 *	the working directory	ovl_mount, ovl_umount, ovl_remove,
 *				ovl_commit, ovl_check; if the old one cannot be entered
 *				again, the process stays in the store or near the mount
 *				point
 *	the thread's locale	while they read or write tar headers
 *
 * The caller provides
 *
 *	umask		0, since files get the modes of a tar or of the store
 *	descriptors	RLIMIT_NOFILE raised to its hard limit: a walk holds several for
 *			each layer, and for each of the nearest levels of the tree
 *	signals		SIGPIPE and SIGXFSZ ignored or caught, so that writing fails with
 *			an errno; the library's threads block all signals
 *	children	SIGCHLD not ignored, and no wait(2) for any child, since calls may
 *			fork a child and wait for it
 *
 * libisal is loaded by the first call that reads gzip, and stays loaded.
 *
 * A LAYER argument is text as a user types it, looked up as: name, full id (64 hex
 * digits), short id (26 base32 characters), unique prefix of an id (4 digits or more),
 * diff id (sha256: and 64 digits) that only one layer has. ovl_export, ovl_show and
 * ovl_tag also take LAYER@sha256:DIGEST, which selects one of the layer's image configs.
 */
#ifndef OVL_H
#define OVL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define OVL_VERSION    "0.1"
#define OVL_MAX_LOWERS 500 /* lower layers of one mount: the kernel's limit */

/* The status of a failure for scripts; the numbers are exit statuses. */
enum ovl_status {
	OVL_OK = 0,
	OVL_FAILED = 1,
	OVL_USAGE = 2, /* a wrong option or operand */
	OVL_NOLAYER = 3, /* no such layer */
	OVL_BUSY = 4, /* mounted, has children, or locked */
	OVL_TAKEN = 5 /* another layer has the name */
};

struct ovl_err {
	enum ovl_status status;
	char text[1024];
};

/* 64 lower-case hex digits: the chain id of an image layer, random for a writable one. */
struct ovl_id {
	char s[65];
};

/* What is on disk when a call that writes returns. DATA: what an import, a commit or a
 * change of names has made; a create, a removal and a prune sync nothing. ALL: what these
 * have done, too. NONE: nothing is synced. */
enum ovl_sync { OVL_SYNC_DATA, OVL_SYNC_NONE, OVL_SYNC_ALL };

/* The progress of long work, reported at most about ten times a second. */
struct ovl_progress {
	uint64_t bytes; /* of the input, as it is on disk */
	uint64_t total; /* of the input; 0: unknown (a pipe) */
	uint64_t entries; /* files, directories and so on that are done */
	uint64_t all_entries; /* the number of all of them; 0: unknown */
	unsigned layers; /* layers of the image that is imported; 0: a single layer */
	unsigned layers_done;
};

/* Messages of the library while it works. */
enum ovl_note {
	OVL_PROBLEM, /* one of several reasons for a failure; the error is the last one */
	OVL_WARNING, /* something was left out or is wrong */
	OVL_WAITING, /* waiting for a lock; once for each */
	OVL_HINT, /* advice for somebody at a terminal */
	OVL_DETAIL /* what was done */
};

struct ovl_config {
	const char *root; /* NULL: $OVLCTL_ROOT or the default directory */
	const char *driver; /* NULL: $OVLCTL_DRIVER or the store's own */
	enum ovl_sync sync;
	bool nowait; /* do not wait for a lock: OVL_BUSY */
	unsigned wait; /* seconds to wait for a lock. 0: no limit, except that
		       * ovl_remove and ovl_commit do not wait for layers */
	const atomic_int *stop; /* if it is not 0, calls fail as soon as they can; for a
				 * signal handler; NULL: never */
	/* NULL: messages are dropped */
	void (*note)(void *ctx, enum ovl_note kind, const char *line);
	void (*progress)(void *ctx, const struct ovl_progress *p);
	void *ctx; /* for note and progress */
	/* &ovl_foreign to also read stores of other programs; NULL: they are refused */
	const struct ovl_foreign *foreign;
	/* Loads the libraries that foreign needs; NULL: they are loaded already. */
	int (*load)(struct ovl_err *err);
};

/* Reads the stores of Docker and others; needs libjansson. */
extern const struct ovl_foreign ovl_foreign;

/* What a store is opened for. */
enum ovl_access {
	OVL_READ, /* a missing store is read as empty */
	OVL_LIST, /* the same; only ovl_list() is called */
	OVL_WRITE, /* the same, but the store must not be another program's */
	OVL_MAKE /* a missing store is created */
};

struct ovl_store;

/* Opens the store, to be closed with ovl_close(). With OVL_MAKE, a missing or empty root
 * becomes a store; otherwise it is read as a store without layers. A directory with any
 * other contents is refused, except another program's store, which can only be read:
 * OVL_WRITE and OVL_MAKE fail with OVL_USAGE. A store of ovlctl can only be opened by its
 * owner, as root or as root of a user namespace. */
int ovl_open(struct ovl_store **out, const struct ovl_config *cfg, enum ovl_access access,
	struct ovl_err *err);
void ovl_close(struct ovl_store *st);

/* The store's root directory: absolute, symlinks resolved. Owned by the store. */
const char *ovl_root(const struct ovl_store *st);
/* The program whose store it is, such as "Docker"; NULL: ovlctl. */
const char *ovl_owner(const struct ovl_store *st);

/* ---- import ---------------------------------------------------------------------- */

/* The kind of an input. AUTO: an image if its members show that it is one
 * (image/signs.h), otherwise a layer. */
enum ovl_as { OVL_AS_AUTO, OVL_AS_LAYER, OVL_AS_IMAGE };

struct ovl_import {
	int fd; /* open for reading: a file at any offset, a pipe, a directory */
	enum ovl_as as;
	const char *file; /* its name in messages */
	const char *parent; /* LAYER; NULL: a bottom layer */
	const char *name; /* to give to the layer; NULL: none */
	const char *expect; /* expected diff id, with or without sha256:; NULL: any;
			     * only for a layer, like parent */
	bool force; /* name is taken from the layer that has it */
	bool no_names; /* ignore the names in an image */
	const char *image; /* which image of several: a name or digest; NULL: all */
	const char *platform; /* os/arch[/variant]; NULL: this machine's */
	uint64_t max_size; /* bytes of the unpacked tar, and of file data; 0: default */
	uint64_t max_entries; /* 0: default */
	unsigned max_depth; /* components of a name; 0: default */
};

#define OVL_MAX_SIZE    (UINT64_C(1) << 40)
#define OVL_MAX_ENTRIES UINT64_C(10000000)
#define OVL_MAX_DEPTH   1024U

/* The top layers of the imported images, or the imported layer. */
struct ovl_ids {
	struct ovl_id *id; /* the caller frees it */
	size_t n;
};

/* Stores a tar (ustar, pax, GNU, v7; plain or gzip, zstd, xz, bzip2, lz4) as an image
 * layer, or the layers, configs and names of whole images: docker-save archives and OCI
 * image layouts. An id is a chain id (OCI image-spec, config.md). A layer that exists is
 * left unchanged, and an image need not contain its tar. OVL_NOLAYER: the parent does not
 * exist, or the tars of other layers are missing; all of these but the last are reported
 * as OVL_PROBLEM. OVL_TAKEN: another layer has the name. On failure the store is
 * unchanged, except that layers of an image that have already appeared stay, without
 * names. */
int ovl_import(struct ovl_store *st, const struct ovl_import *req, struct ovl_ids *ids,
	struct ovl_err *err);

/* Takes images over from another program's store without copying: their files become hard
 * links in the layers of this store; files that cannot be linked share their blocks or
 * are copied. The layers appear as with ovl_import, after the tar that the engine has
 * kept, or that its tar-split gives, has been compared with their diff ids and with the
 * files. Only the link counts and change times of the other store's files change.
 * OVL_NOLAYER: there is no such image there; other statuses are as with ovl_import. */
struct ovl_adopt {
	const char *from; /* the other store's root directory */
	char *const *images; /* NULL-terminated: names, ids; NULL: all images */
	const char *name; /* to give to the only image; NULL: none */
	bool force;
	bool no_names;
	/* Also take layers for which the engine has kept neither tar nor tar-split. They
	 * are packed from their files, and get the resulting id. */
	bool unverified;
};

int ovl_adopt(struct ovl_store *st, const struct ovl_adopt *req, struct ovl_ids *ids,
	struct ovl_err *err);

/* ---- create, mount, umount -------------------------------------------------------- */

/* Creates a writable layer on an image layer, on a directory of the host, or on nothing.
 * OVL_TAKEN: another layer has the name. */
struct ovl_create {
	const char *parent; /* an image layer; or NULL */
	const char *on; /* a directory, to which ovl_apply() applies changes; or NULL */
	const char *name; /* NULL: none */
};

int ovl_create(struct ovl_store *st, const struct ovl_create *req, struct ovl_id *id,
	struct ovl_err *err);

enum ovl_mount_how {
	OVL_MOUNT,
	OVL_MOUNT_ONCE, /* not an error if it is mounted on target already */
	OVL_MOUNT_FAKE, /* only checks layer, options and target */
	OVL_REMOUNT /* changes the flags of its mount on target */
};

struct ovl_mount {
	const char *layer;
	const char *target; /* an existing directory; NULL: the layer's own merged/ */
	const char *options; /* as for mount(8) -o; NULL: none */
	bool readonly;
	bool force; /* accept a layer whose last volatile mount was not synced */
	enum ovl_mount_how how; /* anything but OVL_MOUNT needs a target */
	/* A directory of the store to be the lowest lower, relative to the driver's
	 * directory; NULL: none. */
	const char *floor;
};

/* Mounts a layer with its stack: a writable layer as the upper, an image layer read-only.
 * *where is the absolute mount point, which the caller frees. OVL_BUSY if the layer is
 * the upper of a mount that exists anywhere, or another process works on it. Needs
 * CAP_SYS_ADMIN in the user namespace that owns the mount namespace. */
int ovl_mount(struct ovl_store *st, const struct ovl_mount *req, char **where,
	struct ovl_err *err);

/* Unmounts a LAYER, from all its mount points in this mount namespace, or a mount point, or
 * (NULL) all of this store's mounts in this namespace.
 * LAZY: detach now, unmount when the last open file is closed. RECURSIVE: first unmount
 * what is mounted in it. OVL_BUSY: it is in use, and the text names by what. OVL_FAILED
 * if it is not mounted. Needs CAP_SYS_ADMIN, as ovl_mount(). */
enum { OVL_UMOUNT_LAZY = 1, OVL_UMOUNT_RECURSIVE = 2 };
int ovl_umount(
	struct ovl_store *st, const char *what, unsigned flags, struct ovl_err *err);

/* ---- run --------------------------------------------------------------------------- */

struct ovl_bind {
	const char *src;
	const char *dst; /* inside; made if it does not exist */
	bool writable;
};

struct ovl_run {
	const char *layer;
	/* Instead of a layer: a directory of the host, see ovl_create. The command sees
	 * the root directory of the host, with a mount of the new layer on that
	 * directory. */
	const char *on;
	const char *name; /* to give to the new layer; NULL: none */
	bool keep; /* keep the layer even without a name */
	bool in_memory; /* keep the new layer in memory while the command runs */
	uint64_t memory; /* at most so many bytes; 0: the kernel's default */
	const char *dir; /* the command's working directory; NULL: / */
	const struct ovl_bind *binds;
	size_t n_binds;
	char *const *argv; /* NULL-terminated */
	mode_t umask; /* of the command */
	uint64_t nofile; /* soft limit of open files for the command */
};

struct ovl_ran {
	/* The command's exit status, or 128 plus the number of the signal that ended it.
	 * After a failure 125; 126 if the command cannot be run, 127 if it does not
	 * exist. */
	int status;
	/* The changes are kept as layer id: an image layer, or with on a writable one.
	 * This may be so even after a failure; the layer is then without its name, if
	 * another layer has got it meanwhile, or not synced. */
	bool kept;
	struct ovl_id id;
};

/* Runs a command with the layer as its root directory, in mount, pid and ipc namespaces
 * of its own. For an ordinary user it also makes a user namespace, in which this process
 * is root from then on. Changes go into a writable layer. On an image layer they are
 * dropped or, with name or keep and if the command exits with 0, become an image layer.
 * All processes of the namespace have ended when it returns. The caller must have only
 * one thread; signals that it receives are sent on to the command. OVL_BUSY and OVL_TAKEN
 * occur before the command is started. *ran is set in any case. */
int ovl_run(struct ovl_store *st, const struct ovl_run *req, struct ovl_ran *ran,
	struct ovl_err *err);

/* ---- changes ---------------------------------------------------------------------- */

/* One line of a diff; path is absolute within the layer and as on disk. */
struct ovl_change {
	char kind; /* 'A' added, 'C' changed, 'D' deleted */
	const char *path;
};

/* Calls fn for each change of LAYER compared with its parent or with base, sorted by the
 * bytes of the path. If fn returns anything but 0, the walk ends and returns that. */
int ovl_diff(struct ovl_store *st, const char *layer, const char *base,
	int (*fn)(void *ctx, const struct ovl_change *c), void *ctx, struct ovl_err *err);

/* What a layer does to a path of the layers below it. */
enum ovl_effect {
	OVL_ADDED = 1, /* nothing was there */
	OVL_DATA = 2,
	OVL_MODE = 4,
	OVL_OWNER = 8,
	OVL_XATTR = 16,
	OVL_TIME = 32,
	OVL_TYPE = 64, /* the type of the file changed */
	OVL_DELETED = 128,
	OVL_OPAQUE = 256 /* hides it, or what is in it, by an opaque directory */
};

/* A layer that has, changes or hides a path. */
struct ovl_origin {
	struct ovl_id id; /* empty: not a layer, but the directory that a layer is on */
	char link[27]; /* short id */
	char label[201]; /* its first name, or the first 12 digits of its id */
	const char *dir; /* the path of that directory; NULL: a layer */
	unsigned what; /* enum ovl_effect; 0: the path is as in the layer below */
};

struct ovl_traced {
	const char *path; /* as it was given */
	bool exists;
	const struct ovl_origin *layer; /* nearest first; the first one provides the path,
					 * if it exists */
	size_t n;
};

struct ovl_which {
	const char *layer;
	char *const *paths; /* NULL-terminated */
	bool all; /* find all layers and what they do; false: only the first, without
		   * what */
	/* Called for each path. If it returns anything but 0, the work ends and returns
	 * that. */
	int (*fn)(void *ctx, const struct ovl_traced *t);
	void *ctx;
};

/* Finds the layers that paths come from, without a mount. A path is looked up as by a
 * process that is chrooted to a mount of the layer; its last component is not followed.
 * If a path does not exist, the others are still looked up; all errors but the last are
 * reported as OVL_PROBLEM. */
int ovl_which(struct ovl_store *st, const struct ovl_which *req, struct ovl_err *err);

/* Applies the changes of a layer on a directory of the host to that directory, and then
 * removes the layer, unless only some paths were asked for. It is a conflict if something
 * that would be replaced or removed has changed in the directory since the layer was
 * made: then nothing is changed, and all conflicts but the last are reported as
 * OVL_PROBLEM. An apply that was interrupted is finished by the next one. OVL_BUSY if the
 * layer is in use. */
struct ovl_apply {
	const char *layer;
	char *const *paths; /* in the form of a diff, NULL-terminated; NULL or empty:
			     * all */
	bool force; /* ignore conflicts */
	/* If set, nothing is applied: conflicts are reported, and this is called for each
	 * change, as by ovl_diff(). */
	int (*list)(void *ctx, const struct ovl_change *c);
	void *ctx;
};

int ovl_apply(struct ovl_store *st, const struct ovl_apply *req, struct ovl_err *err);

/* Writes the layer's changes as a tar to fd. compress: "none", "gzip", "zstd", "xz",
 * "bzip2" or "lz4". For an image layer it is the tar that was imported. For a writable
 * layer, the same tree gives the same bytes, and $SOURCE_DATE_EPOCH clamps times. */
int ovl_diff_tar(struct ovl_store *st, const char *layer, int fd, const char *compress,
	struct ovl_err *err);

/* The compression for the suffix of a file name, "none" for any other; static. */
const char *ovl_compression_of(const char *file);
/* OVL_USAGE, with the names of all, if compress is not a compression. */
int ovl_compression_check(const char *compress, struct ovl_err *err);

/* ---- export ----------------------------------------------------------------------- */

enum ovl_format {
	OVL_OCI, /* image layout, OCI image-spec 1.0 */
	OVL_DOCKER /* what docker save writes and docker load reads */
};

/* The target is fd, a file that is open for writing. If fd is -1, it is a new
 * directory (OVL_OCI only), which appears as dir in dirfd when it is complete, and
 * replaces an empty one. */
struct ovl_export {
	char *const *layers; /* the top of each image, NULL-terminated */
	enum ovl_format format;
	const char *compress; /* of the layers: gzip, zstd, none; NULL: the default of the
			       * format */
	int fd;
	const char *compress_all; /* of the file, see ovl_diff_tar; NULL: none */
	int dirfd;
	const char *dir;
	mode_t umask; /* for the directory and its contents */
	const char *target; /* the name of the file or directory in messages */
	char **without; /* LAYERs that the receiver has; ends with NULL; or NULL */
	struct ovl_ids has; /* ids of layers that the receiver has; some may be unknown
			     * here */
};

/* Writes the whole stack of each layer as an image. Image layers are written as the tars
 * they came from, bit for bit and checked against their diff ids; for a damaged layer the
 * result is -EUCLEAN and the text names the file. A writable layer may be the top; it is
 * packed as by ovl_diff_tar. The config is the one that the image was imported with, the
 * latest if there are several and the operand selects none. A layer on top of an image
 * gets a copy of that image's config, completed for the layers that it adds; if there is
 * none, a minimal config. The same layers, configs and times of creation give the same
 * bytes; $SOURCE_DATE_EPOCH clamps times. After a failure, the output is not an image.
 *
 * The tars of the layers in has, and of those in without and all below them, are left
 * out. They are neither read nor packed; the image describes them as uncompressed.
 * ovl_import takes such an image if the store has these layers. */
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
	long parent_at; /* index of the parent in the list; -1: none, or not listed */
	char *on; /* the directory of the host that it is on; NULL: none, or it cannot be
		   * read */
	char diff_id[65]; /* hex; empty for a writable layer */
	unsigned depth; /* layers below it in its history */
	unsigned lowers; /* lower layers of its mount */
	uint64_t size; /* image: bytes of file data; writable: of its tree on disk */
	bool has_size; /* false: writable, and its tree was not walked */
	uint64_t entries; /* of the tar it came from */
	struct timespec created; /* since 1970 */
	struct timespec used; /* last use, or creation; only if asked for */
	/* In another program's store: its id there, and its tree relative to the root;
	 * owned by the store. Both may be "" if OVL_LIST_PATHS was not asked for. NULL: a
	 * layer of ovlctl. In another program's store, created, used and entries are 0 if
	 * unknown. */
	const char *engine_id;
	const char *engine_tree;
	char **names; /* NULL-terminated, sorted */
	char **mounts; /* mount points in this namespace, NULL-terminated */
	int uses; /* mounts made by ovlctl, in any namespace; -1: unknown or not asked */
	struct ovl_details *details; /* NULL: not asked for, or unavailable */
};

struct ovl_list {
	struct ovl_layer *layer; /* sorted by creation, then id */
	size_t n;
};

enum {
	OVL_LIST_DETAILS = 1,
	OVL_LIST_SIZES = 2, /* also of writable layers: walks their trees */
	OVL_LIST_USES = 4,
	OVL_LIST_LAST_USE = 8,
	OVL_LIST_PATHS = 16 /* engine_id and engine_tree */
};

/* Lists all layers, or only those in what (NULL-terminated; NULL or empty: all). With
 * all, a layer that cannot be read is left out, with a warning. */
int ovl_list(struct ovl_store *st, char *const *what, unsigned flags,
	struct ovl_list *out, struct ovl_err *err);
void ovl_list_free(struct ovl_list *l);

/* A layer of the stack below another one. */
struct ovl_below {
	struct ovl_id id;
	bool missing; /* not in the store: only its id is known */
	char diff_id[65]; /* hex; empty for a writable layer */
	char link[27];
	uint64_t size; /* bytes of file data */
};

/* Further details of a layer. The struct owns what it points to. */
struct ovl_details {
	struct ovl_below *stack; /* nearest first; a missing one is the last */
	size_t n_stack;
	/* Absolute paths. */
	char *path; /* its directory */
	char *tree; /* its own tree */
	char *work; /* NULL: it has no work directory and no mount point of its own */
	char *merged; /* the mount point */
	char **lowers; /* of its mount, nearest first, NULL-terminated */
	char *mount_command; /* a shell command; NULL: impossible, see mount_note */
	char *mount_note;
	uint64_t tar_size; /* bytes of the tar it came from; 0 for a writable layer */
	/* Only if the size of the layer itself is known. */
	uint64_t stack_size; /* bytes of the layer and all below it */
	uint64_t unique_size; /* the part of them that only this layer needs */
	struct ovl_id *configs; /* SHA-256 of its image configs, sorted */
	size_t n_configs;
	char *config; /* the config that belongs to the name it was called by, JSON; NULL:
		       * unknown */
	size_t config_len;
	char *adopted; /* the other program's store that it was taken from; NULL: none */
	bool verified; /* with adopted: its tar was compared with the diff id recorded
		        * there */
};

/* One layer with its details, as a list of one, to be freed with ovl_list_free(). With
 * LAYER@sha256:DIGEST it has that config. */
int ovl_show(struct ovl_store *st, const char *layer, struct ovl_list *out,
	struct ovl_err *err);

/* ---- space ------------------------------------------------------------------------- */

/* How a layer hides a file of a layer below. */
enum ovl_hidden {
	OVL_HIDDEN_OVERWRITTEN,
	OVL_HIDDEN_DELETED,
	OVL_HIDDEN_METADATA, /* by a copy whose data is the same */
	OVL_HIDDEN_WAYS
};

/* The disk space of a layer in bytes of allocated blocks; each inode counts once. */
struct ovl_usage {
	const struct ovl_layer *layer;
	uint64_t own; /* its directory, its names and short link; a file with links in
		       * several layers counts in the lowest */
	uint64_t stack; /* own of it and of all layers below */
	uint64_t shared; /* own of the layers below that are also below a layer outside
			  * its stack */
	uint64_t hidden[OVL_HIDDEN_WAYS]; /* in its whole stack */
	uint64_t freed; /* what removing it with all layers on top of it would free */
};

struct ovl_hidden_file {
	char *path; /* in the layer */
	uint64_t bytes;
	enum ovl_hidden why;
	const struct ovl_layer *in;
	const struct ovl_layer *by;
};

struct ovl_du {
	struct ovl_usage *usage; /* of the layers asked for, in the order of ovl_list */
	size_t n;
	struct ovl_hidden_file *file; /* the largest ones in their stacks, sorted */
	size_t n_files;
	uint64_t freed; /* what removing all of them would free */
	uint64_t total; /* the size of the whole store */
	struct ovl_list list; /* all layers */
};

/* Measures the whole store without entering mounts. Reports the layers in what
 * (NULL-terminated; empty: all) and at most so many of the largest hidden files. Layers
 * that change meanwhile count as they are found; those that are removed are left out. */
int ovl_du(struct ovl_store *st, char *const *what, size_t files, struct ovl_du *out,
	struct ovl_err *err);
void ovl_du_free(struct ovl_du *d);

enum { OVL_RM_RECURSIVE = 1, OVL_RM_FORCE = 2 };

/* Removes layers (NULL-terminated). OVL_BUSY, and nothing is removed, if one is mounted
 * or has children that are not removed. RECURSIVE: removes children too. FORCE: a layer
 * that does not exist is not an error. */
int ovl_remove(
	struct ovl_store *st, char *const *layers, unsigned flags, struct ovl_err *err);

/* ---- commit, names ----------------------------------------------------------------- */

struct ovl_commit {
	const char *layer; /* a writable one */
	const char *name; /* to give to the image layer; NULL: none */
	bool keep; /* keep the writable layer, empty, on top of the image layer */
	/* Changes of the config of the image whose top layer it becomes; all NULL and
	 * 0: it stays as it is. */
	const char *comment;
	const char *author;
	const char *const *changes; /* as in a Dockerfile, see ovlctl-commit(8) */
	size_t n_changes;
};

/* Turns a writable layer into an image layer with chain id *id. Without keep, the
 * writable layer no longer exists, and the image layer gets its names. OVL_BUSY if it is
 * mounted anywhere or in use, OVL_TAKEN if another layer has the name. On failure the
 * writable layer is unchanged, unless the text says that it is committed. */
int ovl_commit(struct ovl_store *st, const struct ovl_commit *req, struct ovl_id *id,
	struct ovl_err *err);

/* Gives the layer another name, with the image config of the name it was called by. A
 * name of another layer is refused (OVL_TAKEN) or, with force, moved. */
int ovl_tag(struct ovl_store *st, const char *layer, const char *name, bool force,
	struct ovl_err *err);
/* Removes a name. OVL_NOLAYER: no layer has it. */
int ovl_untag(struct ovl_store *st, const char *name, struct ovl_err *err);
/* True and a name that a layer has, the one of all names that choose takes for word (NULL:
 * none). Takes no lock. False if there are more than 1,000 names, so that it never takes
 * long. */
bool ovl_name_near(struct ovl_store *st, const char *word,
	const char *(*choose)(const char *word, const char *const *names),
	char near[256]);

/* ---- clean up --------------------------------------------------------------------- */

enum ovl_severity {
	OVL_NOTE, /* harmless */
	OVL_ERROR
};

/* What was done about a finding of check. */
enum ovl_outcome {
	OVL_LEFT,
	OVL_REPAIRED,
	OVL_SET_ASIDE /* moved to the store's aside/, unchanged; may be the only copy */
};

/* A finding of check. Strings are valid during the call. */
struct ovl_finding {
	enum ovl_severity severity;
	enum ovl_outcome outcome;
	const char *kind; /* a word for scripts, see ovlctl-check(8) */
	const char *id; /* the layer's; empty: it does not concern a layer */
	const char *path; /* in the layer's tree, or a file in the store; may be empty */
	const char *text; /* a line for people */
};

struct ovl_check {
	bool content; /* also check the files of image layers */
	bool repair; /* repair what can be reconstructed from the rest of the store */
	const char *layer; /* check only this one; NULL: the whole store */
	const char *from; /* with repair and layer: restore the layer from a tar; its name
			   * in messages; NULL: do not */
	int fd; /* that tar, open for reading */
};

/* Bits of the result, like those of fsck(8). */
enum {
	OVL_CHECK_REPAIRED = 1,
	OVL_CHECK_ERRORS = 4, /* errors are left, or something was set aside */
	OVL_CHECK_NOT = 8 /* could not be checked */
};

/* Checks the store; writes to it only for a repair. Calls fn for each finding; if it
 * returns anything but 0, the work ends and returns that. *result: bits, 0 for an intact
 * store. */
int ovl_check(struct ovl_store *st, const struct ovl_check *req,
	int (*fn)(void *ctx, const struct ovl_finding *f), void *ctx, unsigned *result,
	struct ovl_err *err);

/* Something that is or would be removed. Strings are valid during the call. */
struct ovl_pruned {
	const char *what; /* a word for scripts, see ovlctl-prune(8) */
	const char *name;
	uint64_t bytes; /* of disk space that this frees */
	const char *why;
	const struct timespec *used; /* last use of a layer; otherwise NULL */
};

struct ovl_prune {
	bool dry_run; /* report, but remove nothing */
	bool aside; /* also remove what a repair moved to aside/ */
	bool layers; /* also remove image layers that no name, mount or other layer needs;
		      * the fields below are for these */
	bool writable; /* also writable layers of which that is true */
	int64_t unused_for; /* only those not made or used for that many seconds */
	uint64_t keep_last; /* keep so many of the most recently used, and those below */
	uint64_t keep_bytes; /* stop when the rest takes at most so much; 0: do not */
};

/* Removes what killed processes have left and, with layers, layers that are no longer
 * needed. What a running process uses stays. Calls fn for each thing removed; if it
 * returns anything but 0, the work ends and returns that. */
int ovl_prune(struct ovl_store *st, const struct ovl_prune *req,
	int (*fn)(void *ctx, const struct ovl_pruned *p), void *ctx, struct ovl_err *err);

/* ---- files of the user ------------------------------------------------------------ */

/* Gives the open file or directory fd, which is to replace name in dirfd, the owner, group,
 * mode and ACLs of that, as far as is permitted; warns if something is not kept, and then
 * nobody gets more permissions than before. old: lstat(2) of name; shown: its path. 0, or
 * -1 with errno. */
struct stat;
int ovl_be_like(struct ovl_store *st, int fd, int dirfd, const char *name,
	const struct stat *old, const char *shown);

/* ---- text ------------------------------------------------------------------------- */

/* Escapes a name for a terminal or a line: control bytes and invalid UTF-8 as \ooo, a
 * backslash as two. Writes at most size bytes with the NUL, truncated with "..." if it
 * does not fit; size is 4 or more. Returns out. */
char *ovl_escape(char *out, size_t size, const char *name, size_t len);

/* The bytes in base64 (RFC 4648, with padding), for the caller to free; NULL: ENOMEM. */
char *ovl_base64(const char *p, size_t n);

/* True for a valid name of a layer: 1 to 200 of [A-Za-z0-9._/:@+-], see ovlctl(8). */
bool ovl_name_valid(const char *name);

#endif
