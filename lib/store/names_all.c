/* SPDX-License-Identifier: ISC */
/* Operations on all names of a layer or of the store. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/layer_foreign.h"
#include "store/names.h"
#include "store/store.h"

static int cannot_read(const struct layer_ref *of, int errnum, struct ovl_err *err)
{
	return err_sys(err, errnum, "cannot read the names of layer %.12s", of->id.s);
}

/* Calls fn for each name that is noted in the layer and belongs to it. */
static int each_noted(struct ovl_store *st, int layer_fd, const struct layer_ref *self,
	int (*fn)(void *ctx, int names, const char *file), void *ctx, struct ovl_err *err)
{
	auto_fsdir d = fs_dir_at(layer_fd, NAMES_NOTES);
	int names = store_dir(st, DIR_NAMES, err);
	const char *file;
	int r;

	while ((r = fs_dir_next(&d, &file, NULL)) > 0) {
		struct layer_ref owner;

		r = names_owner(st, names, file, &owner, NULL);
		if (r < 0 && r != -EUCLEAN)
			return cannot_read(self, -r, err);
		if (r <= 0 || !layer_ref_same(&owner, self))
			continue;
		r = fn(ctx, names, file);
		if (r)
			return r;
	}
	return r < 0 ? cannot_read(self, errno, err) : 0;
}

int names_files(const struct layer *l, int (*fn)(void *ctx, int names, const char *file),
	void *ctx, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);

	return each_noted(l->st, l->fd, &self, fn, ctx, err);
}

/* ---- to another layer ------------------------------------------------------------- */

struct move {
	const struct layer *from;
	int to_fd;
	const struct layer_ref *to; /* NULL: only the notes */
	struct ovl_err *err;
};

static int copy_note(void *ctx, int names, const char *file)
{
	struct move *mv = ctx;
	char name[NAME_LEN_MAX + 1];
	char config[ID_LEN + 1];
	int r;

	(void)names;
	if (!name_decode(file, name))
		return 0;
	r = names_config(mv->from->fd, name, config, mv->err);
	return r < 0 ? r :
		       names_prepare(mv->to_fd, name, r ? config : NULL, mv->to, mv->err);
}

int names_copy_notes(const struct layer *from, int to_fd, const struct layer_ref *to,
	struct ovl_err *err)
{
	struct move mv = {.from = from, .to_fd = to_fd, .to = to, .err = err};
	struct layer_ref self = layer_ref_of(from);

	return each_noted(from->st, from->fd, &self, copy_note, &mv, err);
}

/* Gives a name of the writable layer to the image layer: 1 given, 0 if it leads elsewhere
 * or the writable layer keeps it, negative errno. */
static int hand_on(const struct layer *image, const struct layer_ref *was, int names,
	const char *file, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(image);
	char name[NAME_LEN_MAX + 1];
	struct layer_ref link;
	int r = names_read_link(names, file, &link);

	if (r == 0 || r == -EUCLEAN || (r > 0 && !layer_ref_same(&link, was)))
		return 0;
	if (r > 0)
		r = names_noted(image->st, was, file);
	if (r < 0)
		return cannot_read(&self, -r, err);
	if (r > 0)
		names_unnote(image->fd, file);
	if (r > 0 || !name_decode(file, name))
		return 0;
	if (renameat(store_dir(image->st, DIR_STAGING, NULL),
		    P("%s/" BECOMING_IMAGE_NAMES "/%s", was->id.s, file), names,
		    file) == 0)
		return 1;
	/* The name was given after the links were prepared. */
	r = names_link(image->st, name, &self, true, err);
	return r < 0 ? r : 1;
}

/* Moves a note to the image layer: 1 moved, 0 if it has one already or another layer has
 * the name by now, negative errno. */
static int take_note(const struct layer *image, const struct layer_ref *was, int gives,
	int names, const char *file)
{
	struct layer_ref self = layer_ref_of(image);
	struct layer_ref link;
	const char *note = P(NAMES_NOTES "/%s", file);
	struct stat st;
	int r = names_read_link(names, file, &link);

	if (r < 0 && r != -EUCLEAN)
		return r;
	if (r > 0 && (layer_ref_same(&link, was) || layer_ref_same(&link, &self))) {
		auto_fd notes = -1;

		if (fs_mkdir(image->fd, NAMES_NOTES, 0700) < 0)
			return -errno;
		notes = fs_open_dir(image->fd, NAMES_NOTES);
		if (notes < 0)
			return -errno;
		if (fs_rename(gives, note, notes, file, RENAME_NOREPLACE) == 0)
			return 1;
		/* If the name stays and its config changes, the new note replaces the old
		 * one. */
		if (errno == EEXIST && fstatat(gives, note, &st, 0) == 0 && st.st_size &&
			fs_rename(gives, note, notes, file, 0) == 0)
			return 1;
		if (errno != EEXIST)
			return errno == ENOENT ? 0 : -errno;
	}
	return unlinkat(gives, note, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int names_take_notes(
	const struct layer *image, const struct layer_ref *was, struct ovl_err *err)
{
	int names = store_dir(image->st, DIR_NAMES, NULL);
	struct layer_ref self = layer_ref_of(image);
	auto_fd gives = fs_open_dir(store_dir(image->st, DIR_STAGING, NULL),
		P("%s/" BECOMING_IMAGE_NAMES, was->id.s));
	auto_fsdir d = {.fd = -1};
	const char *file;
	bool moved = false;
	int r;

	if (gives < 0)
		return fs_is_gone(errno) ? 0 : cannot_read(&self, errno, err);
	d = fs_dir_at(gives, NAMES_NOTES);
	while ((r = fs_dir_next(&d, &file, NULL)) > 0) {
		r = take_note(image, was, gives, names, file);
		if (r < 0)
			return cannot_read(&self, -r, err);
		moved |= r > 0;
	}
	return r < 0 ? cannot_read(&self, errno, err) : moved;
}

int names_hand_on(
	const struct layer *image, const struct layer_ref *was, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(image);
	auto_fsdir d = fs_dir_at(image->fd, NAMES_NOTES);
	int names = store_dir(image->st, DIR_NAMES, err);
	const char *file;
	bool done = false;
	int r;

	while ((r = fs_dir_next(&d, &file, NULL)) > 0) {
		r = hand_on(image, was, names, file, err);
		if (r < 0)
			return r;
		done |= r > 0;
	}
	return r < 0 ? cannot_read(&self, errno, err) : done;
}

static int add_file(void *ctx, int names, const char *file)
{
	struct buf *files = ctx;

	(void)names;
	buf_add(files, file, strlen(file) + 1);
	return files->failed ? -ENOMEM : 0;
}

int names_lock_of(const struct layer *l, struct buf *files, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	int rc;

	if (fs_exists(l->fd, NAMES_NOTES) == 0)
		return 0;
	rc = names_lock(l->st, err);
	if (rc < 0)
		return rc;
	rc = each_noted(l->st, l->fd, &self, add_file, files, err);
	if (rc == 0)
		return 1;
	names_unlock(l->st);
	return files->failed ? err_nomem(err) : rc;
}

int names_unlink_files(struct ovl_store *st, const struct buf *files, struct ovl_err *err)
{
	int names = store_dir(st, DIR_NAMES, NULL);
	int rc = 0;

	for (size_t at = 0; at < files->len; at += strlen(files->data + at) + 1) {
		const char *file = files->data + at;

		if (unlinkat(names, file, 0) < 0 && errno != ENOENT)
			rc = err_sys(err, errno, "cannot remove the name '%.60s'", file);
	}
	return rc;
}

static int least(void *ctx, int names, const char *file)
{
	char name[NAME_LEN_MAX + 1];
	char *best = ctx;

	(void)names;
	if (name_decode(file, name) && (!*best || strcmp(name, best) < 0))
		strcpy(best, name);
	return 0;
}

int names_first(
	struct ovl_store *st, const struct layer_ref *ref, char out[NAME_LEN_MAX + 1])
{
	auto_fd fd = -1;
	int rc = 0;

	if (st->foreign)
		return layer_foreign_name(st, ref, out);
	fd = fs_open_dir(store_driver_dir(st, ref->drv, NULL), ref->id.s);
	out[0] = '\0';
	if (fd >= 0)
		rc = each_noted(st, fd, ref, least, out, NULL);
	else if (!fs_is_gone(errno))
		rc = -errno;
	return rc < 0 ? rc : out[0] != '\0';
}

static bool is_lost(int names, int notes, const char *file)
{
	return fs_exists(names, file) == 0 && !names_note_is_pending(notes, file);
}

int names_each_lost(const struct layer *l, int (*fn)(void *ctx, const char *name),
	void *ctx, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	auto_fsdir d = fs_dir_at(l->fd, NAMES_NOTES);
	int names = store_dir(l->st, DIR_NAMES, err);
	const char *file;
	int r;

	if (names < 0 && names != -ENOENT)
		return names;
	if (d.fd < 0 && fs_is_gone(d.why))
		return 0;
	while ((r = fs_dir_next(&d, &file, NULL)) > 0) {
		char name[NAME_LEN_MAX + 1];

		r = name_decode(file, name) && is_lost(names, d.fd, file) ?
			fn(ctx, name) :
			0;
		if (r)
			return r;
	}
	return r < 0 ? cannot_read(&self, errno, err) : 0;
}

static int any_name(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return 1;
}

bool names_any_lost(const struct layer *l)
{
	return names_each_lost(l, any_name, NULL, NULL) != 0;
}

int names_is_lost(
	const struct layer *l, const char *name, bool again, struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	auto_fd notes = -1;
	char file[256];
	int names;
	int rc = again ? names_lock(l->st, err) : names_lock_shared(l->st, err);

	if (rc < 0)
		return rc;
	names = store_dir(l->st, DIR_NAMES, NULL);
	notes = fs_open_dir(l->fd, NAMES_NOTES);
	rc = name_encode(name, file) && fs_exists(notes, file) > 0 &&
		is_lost(names, notes, file);
	if (rc && again && (rc = names_link(l->st, name, &self, false, err)) == 0)
		rc = 1;
	names_unlock(l->st);
	return rc;
}

enum name_state names_state(struct ovl_store *st, const char *file,
	char out[NAME_LEN_MAX + 1], struct ovl_err *err)
{
	int names = store_dir(st, DIR_NAMES, NULL);
	struct layer_ref ref;
	struct layer_ref leads;
	int there = fs_exists(names, file);
	int r;

	if (there == 0)
		return NAME_GONE;
	if (there > 0 && *file == '.')
		return NAME_PASSING;
	r = name_decode(file, out) ? names_owner(st, names, file, &ref, NULL) : -EUCLEAN;
	if (r == 0)
		r = names_promised(st, file, &leads);
	if (r < 0 && r != -EUCLEAN) {
		err_sys(err, -r, "cannot read the name '%.60s'", file);
		return NAME_UNREAD;
	}
	return r < 0 ? NAME_BAD : r ? NAME_GOOD : NAME_DANGLING;
}

/* True if the caller may not read that layer, and so cannot tell whether it has a
 * name. */
static bool is_closed(struct ovl_store *st, const struct layer_ref *ref)
{
	auto_fd fd = fs_open_dir(store_driver_dir(st, ref->drv, NULL), ref->id.s);

	return fd < 0 && errno == EACCES;
}

int names_each(struct ovl_store *st,
	int (*fn)(void *ctx, const char *name, const struct layer_ref *ref), void *ctx,
	struct ovl_err *err)
{
	int names = store_dir(st, DIR_NAMES, err);
	auto_fsdir d = fs_dir_at(names, ".");
	const char *file;
	int r;

	if (st->foreign)
		return layer_foreign_names(st, fn, ctx);
	while ((r = fs_dir_next(&d, &file, NULL)) > 0) {
		char name[NAME_LEN_MAX + 1];
		struct layer_ref ref = {0};

		if (!name_decode(file, name))
			continue;
		r = names_owner(st, names, file, &ref, NULL);
		if (r == -EACCES && ref.drv && is_closed(st, &ref))
			continue;
		if (r < 0 && r != -EUCLEAN)
			return err_sys(err, -r, "cannot read the name '%.60s'", file);
		if (r <= 0)
			continue;
		r = fn(ctx, name, &ref);
		if (r < 0)
			return r;
	}
	return r < 0 ? err_sys(err, errno, "cannot read the store's names") : 0;
}
