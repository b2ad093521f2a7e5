/*
 * Layers that are being removed: trash/<id>/ is a layer that cannot be found any more. If
 * another one of that id is there already, the name is random.
 *
 *	trash_take	renames the layer into the trash: from here on it is gone
 *	trash_empty	removes its tree; may take long, holds no lock of the store or of
 *			any layer
 *
 * The directory is locked before it comes here and while its remover lives. prune removes
 * what a killed process leaves.
 */
#ifndef OVL_TRASH_H
#define OVL_TRASH_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "store/layer.h"

struct trashed {
	struct ovl_store *st;
	int fd;
	int dir; /* trash/, or the driver's directory; owned by the store */
	char name[ID_LEN + 1];
};

#define TRASHED_INIT ((struct trashed){.fd = -1})
void trash_close(struct trashed *t);
#define auto_trashed __attribute__((cleanup(trash_close))) struct trashed

/* Moves the directory name of a layer to the trash, if it exists. */
int trash_move(struct ovl_store *st, int dirfd, const char *name, struct trashed *out,
	struct ovl_err *err);

/* True if that layer is in the trash and its remover lives, which is about to remove its
 * short link and the hint in its parent. */
bool trash_is_going(struct ovl_store *st, const char *id);

/* Moves the exclusively locked layer to the trash and closes it. */
int trash_take(
	struct layer *l, const char *what, struct trashed *out, struct ovl_err *err);

/*
 * If the file system has no space for that rename, as btrfs and XFS when they are full: the
 * layer only loses its .layer, and what a repair would need to write that again, because
 * then half a layer would pass for a whole one. It stays locked, and trash_empty removes it
 * where it is. What a killed process leaves is a damaged layer.
 */
int trash_in_place(struct layer *l, struct trashed *out, struct ovl_err *err);

int trash_empty(struct trashed *t, struct ovl_err *err);

/* Removes a tree in trash/ or staging/, with progress. The error names what cannot be
 * removed. */
int trash_remove(struct ovl_store *st, int dir, const char *name, struct ovl_err *err);

/*
 * aside/: layers that check --repair has moved away because nothing in the store says
 * what they are. Nothing is lost: each is kept unchanged as "<where>.<name>" until
 * someone removes it.
 */
#define ASIDE_NAME_MAX (NAME_MAX + 1)

/* Moves name in the open directory to aside/; out: its new name. */
int aside_move(struct ovl_store *st, int dirfd, const char *name, const char *where,
	char out[ASIDE_NAME_MAX], struct ovl_err *err);

/* True if that layer is in aside/. */
bool aside_has(struct ovl_store *st, const char *driver, const char *id);

#endif
