/*
 * Layers on their way out: trash/<random>/ is a layer that nothing can find any more.
 *
 *	trash_take	the layer is renamed into the trash: from here on it is gone
 *	trash_empty	its tree is removed; may take long, holds no lock of the store or
 *			of any layer
 *
 * The directory is locked while its remover lives, from before it comes here. What a dead
 * one leaves, prune takes.
 */
#ifndef OVL_TRASH_H
#define OVL_TRASH_H

#include "base/err.h"
#include "base/id.h"
#include "store/layer.h"

struct trashed {
	struct ovl_store *st;
	int fd;
	char name[ID_LEN + 1];
};

#define TRASHED_INIT     \
	{                \
		.fd = -1 \
	}
void trash_close(struct trashed *t);
#define auto_trashed __attribute__((cleanup(trash_close))) struct trashed

/* Takes the directory name of a layer away, if it is there. */
int trash_move(struct ovl_store *st, int dirfd, const char *name, struct trashed *out,
	struct ovl_err *err);

/* Takes the exclusively locked layer away and closes it. */
int trash_take(struct layer *l, struct trashed *out, struct ovl_err *err);

int trash_empty(struct trashed *t, struct ovl_err *err);

/* Removes a tree in trash/ or staging/, with progress. The error names what is in the way. */
int trash_remove(struct ovl_store *st, int dir, const char *name, struct ovl_err *err);

#endif
