/* SPDX-License-Identifier: ISC */
/* Keeps layers that check --repair could not repair. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/id.h"
#include "base/quote.h"
#include "store/aside.h"
#include "store/store.h"

int aside_move(struct ovl_store *st, int dirfd, const char *name, const char *where,
	char out[ASIDE_NAME_MAX], struct ovl_err *err)
{
	int aside = store_dir_make(st, DIR_ASIDE, err);
	char unique[SHORT_LEN + 1];

	if (aside < 0)
		return aside;
	/* The name may be taken by an earlier one, or be too long. */
	snprintf(out, ASIDE_NAME_MAX, "%s.%s", where, name);
	if (strlen(where) + 1 + strlen(name) <= NAME_MAX &&
		fs_rename(dirfd, name, aside, out, RENAME_NOREPLACE) == 0)
		return 0;
	id_short_new(unique);
	snprintf(out, ASIDE_NAME_MAX, "%s.%.100s.%s", where, name, unique);
	if (fs_rename(dirfd, name, aside, out, RENAME_NOREPLACE) == 0)
		return 0;
	return err_sys(err, errno, "cannot set %s aside", Q(name));
}

bool aside_has(struct ovl_store *st, const char *driver, const char *id)
{
	int aside = store_dir(st, DIR_ASIDE, NULL);
	char name[ASIDE_NAME_MAX];

	snprintf(name, sizeof(name), "%s.%s", driver, id);
	return aside >= 0 && fs_exists(aside, name) != 0;
}
