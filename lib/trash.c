#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "cleanup.h"
#include "fs.h"
#include "store.h"
#include "trash.h"

void trash_close(struct trashed *t)
{
	close_fdp(&t->fd);
}

/*
 * The layer's lock goes along, so that nobody takes it for one whose remover has died. It
 * is shared from here on: those who wait to read the layer find it gone and go, instead of
 * waiting for its last file.
 */
static void keep_lock(struct layer *l, struct trashed *out)
{
	out->fd = steal_fd(&l->fd);
	while (flock(out->fd, LOCK_SH) < 0 && errno == EINTR)
		;
}

int trash_take(struct layer *l, struct trashed *out, struct ovl_err *err)
{
	int trash = store_dir_make(l->st, DIR_TRASH, err);
	struct ovl_id name;

	if (trash < 0)
		return trash;
	if (id_random(&name) < 0 ||
		renameat2(l->drv_fd, l->id.s, trash, name.s, RENAME_NOREPLACE) < 0)
		return err_sys(
			err, errno, "cannot move layer %.12s to the trash", l->id.s);
	out->st = l->st;
	memcpy(out->name, name.s, sizeof(out->name));
	keep_lock(l, out);
	return 0;
}

void trash_gone(void *ctx)
{
	struct ovl_store *st = ctx;
	struct ovl_progress p = {.entries = ++st->removed};

	if (pace_due(&st->pace, &st->cfg))
		st->cfg.progress(st->cfg.ctx, &p);
}

int trash_empty(struct trashed *t, struct ovl_err *err)
{
	int trash = store_dir(t->st, DIR_TRASH, err);

	if (trash < 0)
		return trash;
	if (fs_rmtree_told(trash, t->name, t->st->cfg.stop, trash_gone, t->st) == 0)
		return 0;
	if (errno == EINTR && store_stopped(t->st))
		return err_stopped(err);
	if (errno == EXDEV || errno == EBUSY)
		return err_say(err, EBUSY,
			"cannot remove '%s/trash/%.12s': something is mounted in it",
			t->st->root, t->name);
	return err_sys(
		err, errno, "cannot remove '%s/trash/%.12s'", t->st->root, t->name);
}
