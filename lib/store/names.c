/* SPDX-License-Identifier: ISC */
/* Finds the owner of a name: the symlinks in names/; see names.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/quote.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/layer_foreign.h"
#include "store/lock.h"
#include "store/names.h"
#include "store/store.h"

/* The note of a name given by the commit, in staging/W. */
#define GIVEN_NOTE BECOMING_IMAGE_NAMES "/" NAMES_NOTES "/%s"

/* Reads the link, whether or not its layer exists. -EUCLEAN: ovlctl did not make it. */
int names_read_link(int names, const char *file, struct layer_ref *ref)
{
	auto_buf target = {0};

	if (fs_readlink(names, file, 256, &target) < 0) {
		if (errno == ENOENT)
			return 0;
		return errno == EINVAL || errno == EFBIG ? -EUCLEAN : -errno;
	}
	return becoming_parse(target.data, "../", ref) ? 1 : -EUCLEAN;
}

int names_noted_here(struct ovl_store *st, const struct layer_ref *ref, const char *file)
{
	int r = fs_exists(store_driver_dir(st, ref->drv, NULL),
		P("%s/" NAMES_NOTES "/%s", ref->id.s, file));

	return r < 0 ? -errno : r;
}

int names_noted(struct ovl_store *st, const struct layer_ref *ref, const char *file)
{
	struct layer_ref image;
	int r = names_noted_here(st, ref, file);

	if (r)
		return r;
	r = becoming_find(st, ref, &image);
	return r > 0 ? becoming_has(st, &ref->id, P(NAMES_NOTES "/%s", file)) : r;
}

int names_noted_in(struct ovl_store *st, const struct layer_ref *ref,
	const struct layer_ref *leads, const char *file)
{
	int fd = -1;

	if (!layer_ref_same(ref, leads) && names_noted_here(st, ref, file) == 0)
		fd = fs_open_dir(store_dir(st, DIR_STAGING, NULL),
			P("%s/" BECOMING_IMAGE_NAMES, leads->id.s));
	return fd >= 0 ? fd :
			 fs_open_dir(store_driver_dir(st, ref->drv, NULL), ref->id.s);
}

/* 1 if the layer has a note of the name, or if the image layer that it became has one:
 * *ref is then that layer. */
static int follow_commit(struct ovl_store *st, struct layer_ref *ref, const char *file)
{
	struct layer_ref image;
	int r = names_noted(st, ref, file);

	if (r)
		return r;
	r = becoming_find(st, ref, &image);
	if (r <= 0)
		return r;
	/* First where notes are moved from, as one may be moved right now. */
	r = becoming_has(st, &ref->id, P(GIVEN_NOTE, file));
	if (r == 0)
		r = names_noted_here(st, &image, file);
	if (r > 0)
		*ref = image;
	return r;
}

/* While a name moves, its link may be read before the move and the old owner's note after
 * it: reads again then. */
int names_owner(struct ovl_store *st, int names, const char *file, struct layer_ref *ref,
	struct layer_ref *leads)
{
	struct layer_ref was = {0};
	struct layer_ref link;
	int r;

	while ((r = names_read_link(names, file, &link)) > 0) {
		*ref = link;
		r = follow_commit(st, ref, file);
		if (leads)
			*leads = link;
		if (r)
			return r;
		if (layer_ref_same(&link, &was))
			return 0;
		was = link;
	}
	return r;
}

int names_promised(struct ovl_store *st, const char *file, struct layer_ref *leads)
{
	int r = names_read_link(store_dir(st, DIR_NAMES, NULL), file, leads);

	if (r <= 0)
		return r == -EUCLEAN ? 0 : r;
	r = becoming_has(st, &leads->id, P(GIVEN_NOTE, file));
	return r > 0 ? becoming_is_alive(st, &leads->id) : r;
}

int names_find(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct layer_ref *leads, struct ovl_err *err)
{
	char file[256];
	int r;

	if (st->foreign) {
		r = layer_foreign_named(st, name, ref, err);
		if (r > 0 && leads)
			*leads = *ref;
		return r;
	}
	if (!ovl_name_valid(name) || !name_encode(name, file))
		return 0;
	r = names_owner(st, store_dir(st, DIR_NAMES, err), file, ref, leads);
	return r < 0 ? err_sys(err, -r, "cannot read name %s", Q(name)) : r;
}

int names_lookup(struct ovl_store *st, const char *name, struct layer_ref *ref,
	struct ovl_err *err)
{
	return names_find(st, name, ref, NULL, err);
}

/* 1 and the first layer of the driver whose id begins with the text, 0 none, negative
 * errno. */
static int find_id(struct ovl_store *st, const struct driver *drv, const char *prefix,
	const struct layer_ref *self, struct layer_ref *out)
{
	auto_fsdir d = fs_dir_at(store_driver_dir(st, drv, NULL), ".");
	const char *id;
	int r;

	while ((r = fs_dir_next(&d, &id, NULL)) > 0) {
		if (strncmp(id, prefix, strlen(prefix)) != 0 || !id_take(id, out->id.s))
			continue;
		out->drv = drv;
		if (!self || !layer_ref_same(self, out))
			return 1;
	}
	return r < 0 ? -errno : 0;
}

int names_hides_id(struct ovl_store *st, const char *name, const struct layer_ref *self,
	struct layer_ref *hidden, struct ovl_err *err)
{
	int r = 0;

	if (!id_is_prefix(name))
		return 0;
	for (int i = 0; driver_list[i] && r == 0; i++)
		r = find_id(st, driver_list[i], name, self, hidden);
	return r < 0 ? err_sys(err, -r, "cannot look up layer %s", Q(name)) : r;
}

static int refuse_id(struct ovl_store *st, const char *name, const struct layer_ref *self,
	struct ovl_err *err)
{
	struct layer_ref other;
	int r = names_hides_id(st, name, self, &other, err);

	return r > 0 ? err_say(err, EEXIST,
			       "the name %s is a prefix of the id of layer %.12s; choose "
			       "another",
			       Q(name), other.id.s) :
		       r;
}

int names_check(struct ovl_store *st, const char *name, const struct layer_ref *self,
	bool force, struct ovl_err *err)
{
	struct layer_ref owner = {0};
	int r = name_check(name, NULL, err);

	if (r < 0)
		return r;
	r = names_lookup(st, name, &owner, err);
	if (r < 0 || (r > 0 && self && layer_ref_same(self, &owner)))
		return r < 0 ? r : 0;
	if (r == 0 || force)
		return refuse_id(st, name, self, err);
	return err_status(err, OVL_TAKEN, "the name %s is already used by layer %.12s",
		Q(name), owner.id.s);
}

static int make_link(int dir, const char *file, const struct layer_ref *ref)
{
	return symlinkat(P("../%s/%s", ref->drv->name, ref->id.s), dir, file);
}

int names_prepare(int dir, const char *name, const char *config,
	const struct layer_ref *to, struct ovl_err *err)
{
	char file[256];
	int rc = names_note(dir, name, config, err);

	if (rc == 0 && to && name_encode(name, file) && make_link(dir, file, to) < 0 &&
		errno != EEXIST)
		rc = err_sys(err, errno, "cannot record the name %s", Q(name));
	return rc;
}

/* Atomically gives a name to another layer, by renaming a temporary link over it. */
static int replace_link(int names, const struct layer_ref *ref, const char *file)
{
	struct ovl_id id;
	const char *temp;

	if (id_random(&id) < 0)
		return -1;
	temp = P(".%.20s", id.s);
	if (make_link(names, temp, ref) < 0)
		return -1;
	if (renameat(names, temp, names, file) == 0)
		return 0;
	unlinkat(names, temp, 0);
	return -1;
}

int names_link(struct ovl_store *st, const char *name, const struct layer_ref *ref,
	bool force, struct ovl_err *err)
{
	int names = store_dir(st, DIR_NAMES, err);
	struct layer_ref owner;
	char file[256];
	int r;

	name_encode(name, file);
	if (make_link(names, file, ref) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, errno, "cannot give the name %s", Q(name));
	r = names_read_link(names, file, &owner);
	if (r > 0 && layer_ref_same(&owner, ref))
		return 0;
	if (r > 0 && !force) {
		r = names_check(st, name, ref, false, err);
		if (r < 0)
			return r;
	}
	if (replace_link(names, ref, file) < 0)
		return err_sys(err, errno, "cannot give the name %s", Q(name));
	return 0;
}

void names_unlink(struct ovl_store *st, const char *name)
{
	char file[256];

	name_encode(name, file);
	unlinkat(store_dir(st, DIR_NAMES, NULL), file, 0);
}

int names_sync(struct ovl_store *st, struct ovl_err *err)
{
	if (fsync(store_dir(st, DIR_NAMES, NULL)) < 0)
		return err_sys(err, errno, "cannot sync the store's names");
	return 0;
}

/* ---- the lock ---------------------------------------------------------------------- */

typedef int (*take_fn)(const struct ovl_store *st, int fd, int op, const char *what,
	struct ovl_err *err);

static int take_lock(
	struct ovl_store *st, int names, take_fn take, int op, struct ovl_err *err)
{
	int rc = names < 0 ? names : take(st, names, op, "the list of names", err);

	st->names_held = rc == 0;
	return rc;
}

int names_lock(struct ovl_store *st, struct ovl_err *err)
{
	return take_lock(
		st, store_dir_make(st, DIR_NAMES, err), lock_moment, LOCK_EX, err);
}

int names_trylock(struct ovl_store *st, struct ovl_err *err)
{
	return take_lock(st, store_dir_make(st, DIR_NAMES, err), lock_moment,
		LOCK_EX | LOCK_NB, err);
}

int names_lock_shared(struct ovl_store *st, struct ovl_err *err)
{
	int rc = take_lock(st, store_dir(st, DIR_NAMES, err), lock_moment, LOCK_SH, err);

	return rc == -ENOENT ? 0 : rc;
}

int names_lock_to_list(struct ovl_store *st, struct ovl_err *err)
{
	int rc = take_lock(st, store_dir(st, DIR_NAMES, err), lock_brief, LOCK_SH, err);

	return rc == 0 || rc == -ENOENT ? 1 : rc == -EBUSY ? 0 : rc;
}

void names_unlock(struct ovl_store *st)
{
	int names = store_dir(st, DIR_NAMES, NULL);

	st->names_held = false;
	if (names >= 0)
		flock(names, LOCK_UN);
}

int names_locked(struct ovl_store *st, int (*fn)(void *ctx, struct ovl_err *err),
	void *ctx, struct ovl_err *err)
{
	int rc = names_lock(st, err);

	if (rc < 0)
		return rc;
	rc = fn(ctx, err);
	names_unlock(st);
	return rc;
}
