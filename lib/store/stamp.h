/* SPDX-License-Identifier: ISC */
/*
 * The stamp: a file that makes a directory a store. It says in which format, for which
 * xattrs, and which driver new layers have; see ovlctl-store(5).
 *
 * Who may make a store holds a shared lock on the stamp until the store is closed. So a
 * command that leaves a store in which there never was a layer takes it away again, unless
 * another is at work in it by now.
 */
#ifndef OVL_STAMP_H
#define OVL_STAMP_H

#include <stdbool.h>

#include "base/err.h"

struct ovl_store;

#define STORE_STAMP "stamp"
#define STORE_LOCK  "lock"

/* Reads the stamp of st->fd; or makes one if st->make; or sees that there is no store yet,
 * and closes st->fd. -ENOENT: the directory was removed meanwhile. */
int stamp_take(struct ovl_store *st, struct ovl_err *err);

/* Does no other process hold it? None will until it is closed. */
bool stamp_is_ours(struct ovl_store *st);

#endif
