/*
 * The store: a root directory that bears our stamp. See ovlctl-store(5).
 *
 *	<root>/stamp		format version, xattr prefix, default driver
 *	<root>/.stamp.new	while it never had a layer, see stamp.h
 *	<root>/lock		what lock.h says
 *	<root>/empty/		stands in for a lower that is not there
 *	<root>/names/		<name> -> ../<driver>/<id>
 *	<root>/staging/		layers in the making, see stage.h
 *	<root>/trash/		layers on their way out, see trash.h
 *	<root>/aside/		what check could not make out, see aside.h
 *	<root>/<driver>/	layers, see driver.h
 *
 * The stamp appears whole (O_TMPFILE and link) and first; the directories are made when
 * they are first needed, so a process killed in between leaves a store that works.
 */
#ifndef OVL_STORE_H
#define OVL_STORE_H

#include "base/err.h"
#include "base/pace.h"
#include "base/xattr.h"
#include "ovl.h"

#define STORE_FORMAT 1

enum store_dir { DIR_NAMES, DIR_STAGING, DIR_TRASH, DIR_EMPTY, DIR_ASIDE, STORE_DIRS };

#define MAX_DRIVERS 2

struct driver;

struct ovl_store {
	struct ovl_config cfg;
	char *root; /* absolute path */
	int fd; /* -1: not there yet, which reads as a store without layers */
	bool make; /* a root that is missing is made */
	bool fresh; /* it never had a layer: removed again if none appears in it */
	unsigned made_dirs; /* so many at the end of the path are new */
	struct xattr_policy xattrs;
	const struct driver *drv; /* for new layers */
	bool drv_chosen; /* by the caller, not by the stamp */
	int dir[STORE_DIRS]; /* opened when first asked for */
	int drv_fd[MAX_DRIVERS]; /* by the number of the driver */
	int lock_fd;
	bool look_only; /* nothing is changed, not even a killed commit finished */
	bool names_held; /* the lock of the names */
	struct pace pace; /* of removals, and what was removed */
	uint64_t removed;
	_Atomic uint64_t left_devices; /* by imports: they are told of once */
	_Atomic uint64_t left_xattrs;
};

/*
 * The directory, opened now or before; owned by the store. -ENOENT (and no text) when
 * it is not there. The _make form makes it then, for who is about to write into it.
 */
int store_dir(struct ovl_store *st, enum store_dir which, struct ovl_err *err);
int store_dir_make(struct ovl_store *st, enum store_dir which, struct ovl_err *err);
/* The same for the directory of a driver. */
int store_driver_dir(struct ovl_store *st, const struct driver *drv, struct ovl_err *err);
int store_driver_make(
	struct ovl_store *st, const struct driver *drv, struct ovl_err *err);

/* Are layers of this driver looked at? Of all, or of the one the caller chose. */
bool store_covers(const struct ovl_store *st, const struct driver *drv);

/* Holds the store's lock (LOCK_SH or LOCK_EX) until store_unlock(). */
int store_lock(struct ovl_store *st, int op, struct ovl_err *err);
/* Exclusively, now or not at all: 1 taken, 0 held by another, negative errno. */
int store_trylock(struct ovl_store *st);
void store_unlock(struct ovl_store *st);

void store_warn(const struct ovl_store *st, const char *fmt, ...) PRINTF(2, 3);
void store_detail(const struct ovl_store *st, const char *fmt, ...) PRINTF(2, 3);
void store_waiting(const struct ovl_store *st, const char *fmt, ...) PRINTF(2, 3);
bool store_stopped(const struct ovl_store *st);

/* Is what import, commit and tag report as done to survive a power cut? */
bool store_durable(const struct ovl_store *st);
/* If so: all that was written to the file system of fd, by whomever, is on disk then. */
int store_sync(const struct ovl_store *st, int fd, struct ovl_err *err);

#endif
