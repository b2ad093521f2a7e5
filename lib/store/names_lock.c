/* SPDX-License-Identifier: ISC */
/* The lock of the list of names. */
#include <errno.h>
#include <sys/file.h>

#include "store/lock.h"
#include "store/names.h"
#include "store/store.h"

int names_lock(struct ovl_store *st, struct ovl_err *err)
{
	int names = store_dir_make(st, DIR_NAMES, err);
	int rc;

	if (names < 0)
		return names;
	rc = lock_moment(st, names, LOCK_EX, "the list of names", err);
	st->names_held = rc == 0;
	return rc;
}

int names_lock_shared(struct ovl_store *st, struct ovl_err *err)
{
	int names = store_dir(st, DIR_NAMES, err);

	int rc;

	if (names < 0)
		return names == -ENOENT ? 0 : names;
	rc = lock_moment(st, names, LOCK_SH, "the list of names", err);
	st->names_held = rc == 0;
	return rc;
}

int names_lock_to_list(struct ovl_store *st, struct ovl_err *err)
{
	int names = store_dir(st, DIR_NAMES, err);
	int rc;

	if (names < 0)
		return names == -ENOENT ? 1 : names;
	rc = lock_brief(st, names, LOCK_SH, "the list of names", err);
	st->names_held = rc == 0;
	return rc == 0 ? 1 : rc == -EBUSY ? 0 : rc;
}

int names_trylock(struct ovl_store *st, struct ovl_err *err)
{
	int names = store_dir_make(st, DIR_NAMES, err);
	int rc;

	if (names < 0)
		return names;
	rc = lock_now(names, LOCK_EX, "the list of names", err);
	st->names_held = rc == 0;
	return rc;
}

void names_unlock(struct ovl_store *st)
{
	st->names_held = false;
	flock(store_dir(st, DIR_NAMES, NULL), LOCK_UN);
}
