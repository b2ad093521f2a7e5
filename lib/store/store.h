/*
 * The store: a root directory with our stamp. See ovlctl-store(5).
 *
 *	<root>/stamp		format version, xattr prefix, default driver
 *	<root>/.stamp.new	while it has never had a layer, see stamp.h
 *	<root>/lock		see lock.h
 *	<root>/empty/		replaces a lower that does not exist
 *	<root>/names/		<name> -> ../<driver>/<id>
 *	<root>/staging/		new layers that are not complete, see stage.h
 *	<root>/trash/		layers that are being removed, see trash.h
 *	<root>/aside/		what check could not identify, see trash.h
 *	<root>/<driver>/	layers, see driver.h
 *
 * The stamp is created first and appears complete (O_TMPFILE and link); directories are
 * created when needed, so a process killed in between leaves a working store.
 */
#ifndef OVL_STORE_H
#define OVL_STORE_H

#include "base/err.h"
#include "base/pace.h"
#include "base/xattr.h"
#include "ovl.h"
#include "store/driver.h"

#define STORE_FORMAT "1"

enum store_dir { DIR_NAMES, DIR_STAGING, DIR_TRASH, DIR_EMPTY, DIR_ASIDE, DIR_DRIVER };

#define MAX_DRIVERS    3
#define DRIVER_FOREIGN 2 /* driver number for another program's store */
#define STORE_DIRS     (DIR_DRIVER + MAX_DRIVERS)

struct foreign;

/* What an import may do otherwise than asked for. */
enum left {
	LEFT_DEVICES, /* left out: they cannot be created in this user namespace */
	LEFT_XATTRS, /* left out: they do not belong to a layer, or cannot be set */
	LEFT_FLAGS, /* left out: flags of files, see chattr(1) */
	LEFT_UNLIKE, /* copied from another store, since their metadata differ */
	LEFT_LINKS, /* copied, since link(2) failed */
	LEFT_KINDS
};

struct ovl_store {
	struct ovl_config cfg;
	char *root; /* absolute path */
	int fd; /* -1: the store does not exist yet, and is read as one without layers.
		 * O_PATH for another program's */
	bool make; /* create a missing root */
	bool fresh; /* it never had a layer: removed again if none appears in it */
	unsigned made_dirs; /* number of directories at the end of the path that are
			     * new */
	struct xattr_policy xattrs;
	/* Who made a store for user xattrs: root, usually of a user namespace, or another
	 * user. ANY: unknown. */
	enum { OWNER_ANY, OWNER_ROOT, OWNER_USER } owner;
	_Atomic bool privileged; /* privilege_check() has passed */
	const struct driver *drv; /* for new layers */
	bool drv_chosen; /* chosen by the caller, not by the stamp */
	/* For another program's store, which is only read; see foreign/foreign.h. NULL: a
	 * store of ovlctl. drv is then its driver, whose directory is the whole store. */
	struct foreign *foreign;
	struct driver drv_foreign;
	const struct driver *const
		*drivers; /* the drivers that its layers may have, NULL-terminated */
	const struct driver *only[2]; /* that list for another program's store */
	/* Opened at first use; the drivers' directories follow from DIR_DRIVER on, by
	 * number. */
	int dir[STORE_DIRS];
	int lock_fd;
	bool lock_busy; /* it was waited for in vain */
	bool look_only; /* change nothing, do not even finish a killed commit */
	bool names_held; /* this process holds the lock of the names */
	struct pace pace; /* of removals, and what was removed */
	uint64_t removed;
	uint64_t to_remove; /* removed will be about that; 0: unknown */
	_Atomic uint64_t left[LEFT_KINDS]; /* by imports, for one warning each */
};

/*
 * The directory, owned by the store. -ENOENT (without a text) if it does not exist; the
 * _make form creates it. Looking for something in a directory that does not exist finds
 * nothing (see fs.h), so few callers need to check.
 */
int store_dir(struct ovl_store *st, enum store_dir which, struct ovl_err *err);
int store_dir_make(struct ovl_store *st, enum store_dir which, struct ovl_err *err);
/* The same for the directory of a driver. */
int store_driver_dir(struct ovl_store *st, const struct driver *drv, struct ovl_err *err);
int store_driver_make(
	struct ovl_store *st, const struct driver *drv, struct ovl_err *err);

/* Opens the directories again after this process has entered another mount namespace. */
int store_reopen(struct ovl_store *st, struct ovl_err *err);

/* Uses fd, another descriptor of the root, from now on; the store owns it. */
int store_move(struct ovl_store *st, int fd, struct ovl_err *err);

/*
 * Opens the root path if it is another program's store: 1; 0 if it is not; negative
 * errno. Refuses one that is to be written, and a directory in such a store (OVL_USAGE).
 */
int store_foreign_open(struct ovl_store *st, const char *path, enum ovl_access access,
	struct ovl_err *err);
/* Refuses a path in such a store; dir: the path itself, or the nearest existing directory
 * above it. */
int store_foreign_inside(
	const struct ovl_foreign *how, int dir, const char *path, struct ovl_err *err);

/* Reads its records again; pointers into the old table become invalid. */
int store_foreign_again(struct ovl_store *st, struct ovl_err *err);

/* The driver of that name that layers of this store may have; NULL: there is none. */
const struct driver *store_driver(const struct ovl_store *st, const char *name);

/* True if layers of this driver are looked at: of all drivers, or only of the one the
 * caller chose. */
bool store_covers(const struct ovl_store *st, const struct driver *drv);

/* Holds the store's lock (LOCK_SH or LOCK_EX) until store_unlock(). */
int store_lock(struct ovl_store *st, int op, struct ovl_err *err);
/* The same with LOCK_EX, but waits a second at most, and not at all if that was in vain
 * before. Without a message for EBUSY. */
int store_lock_brief(struct ovl_store *st, struct ovl_err *err);
void store_unlock(struct ovl_store *st);

void store_note(const struct ovl_store *st, enum ovl_note kind, const char *fmt, ...)
	PRINTF(3, 4);
#define store_problem(st, err) store_note(st, OVL_PROBLEM, "%s", (err)->text)
#define store_warn(st, ...)    store_note(st, OVL_WARNING, __VA_ARGS__)
#define store_detail(st, ...)  store_note(st, OVL_DETAIL, __VA_ARGS__)
#define store_hint(st, ...)    store_note(st, OVL_HINT, __VA_ARGS__)
#define store_waiting(st, ...) store_note(st, OVL_WAITING, __VA_ARGS__)
bool store_stopped(const struct ovl_store *st);

/* True if the store was made in a user namespace and the caller sees other owners than in
 * that. */
bool store_is_mapped(const struct ovl_store *st);

/* True if the results of import, commit and tag must survive a power cut. */
bool store_durable(const struct ovl_store *st);
/* If store_durable(), syncs everything that was written to the file system of fd. */
int store_sync(const struct ovl_store *st, int fd, struct ovl_err *err);

#endif
