/* SPDX-License-Identifier: ISC */
/*
 * Removes a name from the layer that owns it. Its note is pending before the symlink is
 * removed, so that a kill leaves either the name or a note without effect. Other
 * processes often need the lock of the names, so it is not held during a sync; then the
 * note is removed, or the name given back, unless others have given it meanwhile.
 */
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/quote.h"
#include "store/names.h"
#include "store/store.h"

struct taking {
	struct ovl_store *st;
	const char *name;
	const struct layer_ref *from; /* NULL: from any owner */
	char file[256];
	struct layer_ref leads; /* see names_find */
	int layer; /* the directory that has its note */
	int note;
};

static int cannot_take(const struct taking *t, struct ovl_err *err)
{
	return err_sys(err, errno, "cannot remove the name %s", Q(t->name));
}

/* Removes the symlink: 1 removed, 0 nobody owns the name, negative errno. */
static int unlink_it(void *ctx, struct ovl_err *err)
{
	struct taking *t = ctx;
	struct layer_ref owner;
	int r = names_find(t->st, t->name, &owner, &t->leads, err);

	if (r <= 0 || (t->from && !layer_ref_same(t->from, &owner)))
		return r < 0 ? r : 0;
	t->layer = names_noted_in(t->st, &owner, &t->leads, t->file);
	if (t->layer >= 0)
		t->note = names_note_open(t->layer, P(NAMES_NOTES "/%s", t->file));
	if (t->note < 0 || names_note_set(t->note, true) < 0)
		return cannot_take(t, err);
	if (unlinkat(store_dir(t->st, DIR_NAMES, NULL), t->file, 0) == 0)
		return 1;
	r = cannot_take(t, err);
	names_note_set(t->note, false);
	return r;
}

static int unnote(void *ctx, struct ovl_err *err)
{
	struct taking *t = ctx;

	(void)err;
	if (names_note_is_still_pending(t->note))
		names_unnote(t->layer, t->file);
	return 1;
}

static int link_again(void *ctx, struct ovl_err *err)
{
	struct taking *t = ctx;

	return names_note_is_still_pending(t->note) &&
			names_link(t->st, t->name, &t->leads, false, err) == 0 ?
		names_note_set(t->note, false) :
		0;
}

int names_take(struct ovl_store *st, const char *name, const struct layer_ref *from,
	bool durable, struct ovl_err *err)
{
	struct taking t = {.st = st, .name = name, .from = from, .layer = -1, .note = -1};
	int r = names_lookup(st, name, &t.leads, err);

	if (r <= 0)
		return r;
	name_encode(name, t.file);
	r = names_locked(st, unlink_it, &t, err);
	if (r > 0 && durable &&
		(fsync(t.note) < 0 || fsync(store_dir(st, DIR_NAMES, NULL)) < 0)) {
		r = cannot_take(&t, err);
		names_locked(st, link_again, &t, NULL);
	} else if (r > 0) {
		names_locked(st, unnote, &t, NULL);
	}
	close_fdp(&t.note);
	close_fdp(&t.layer);
	return r;
}
