/*
 * The end of a commit: the image layer is there, and the writable layer makes way for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cleanup.h"
#include "commit.h"
#include "create.h"
#include "driver.h"
#include "fs.h"
#include "names.h"
#include "stage.h"
#include "store.h"
#include "trash.h"

static bool durable(const struct layer *l)
{
	return store_durable(l->st);
}

static int sync_dir(int fd, struct ovl_err *err)
{
	return fsync(fd) < 0 ? err_sys(err, errno, "cannot sync the store") : 0;
}

/* Nobody finds the writable layer any more; what it still has goes. */
static int drop(struct layer *l, struct ovl_err *err)
{
	auto_trashed t = TRASHED_INIT;
	struct layer gone = *l;
	int rc = trash_take(l, &t, err);

	if (rc < 0)
		return rc;
	layer_drop_child(&gone);
	rc = gone.drv->retract(gone.drv_fd, gone.meta.link, &gone.id, err);
	if (rc == 0 && durable(&gone))
		rc = sync_dir(gone.drv_fd, err);
	return rc < 0 ? rc : trash_empty(&t, err);
}

/* One that is empty, on top of the image layer, changes places with it. */
static int renew(struct layer *l, const struct layer *image, struct ovl_err *err)
{
	auto_stage sg = STAGE_INIT;
	int rc = stage_begin(l->st, l->drv, &sg, err);

	if (rc < 0)
		return rc;
	memcpy(sg.link, l->meta.link, sizeof(sg.link));
	rc = create_fill(&sg, image, l->meta.created, err);
	if (rc == 0)
		rc = names_copy_notes(l, sg.fd, false, err);
	if (rc == 0)
		rc = layer_add_child(image, &l->id, err);
	if (rc >= 0)
		rc = store_sync(l->st, sg.fd, err);
	if (rc == 0 &&
		fs_rename(sg.home, sg.name, l->drv_fd, l->id.s, RENAME_EXCHANGE) < 0)
		rc = err_sys(err, errno, "cannot put layer %.12s in place anew", l->id.s);
	if (rc == 0 && durable(l))
		rc = sync_dir(l->drv_fd, err);
	if (rc < 0)
		return rc;
	/* Its place in staging is locked by the lock of l. */
	flock(sg.fd, LOCK_UN);
	layer_drop_child(l);
	return 0;
}

int commit_hand_over(struct layer *l, const struct layer *image, const char *name,
	bool keep, struct ovl_err *err)
{
	int rc = 0;

	if (!keep)
		rc = names_move(l, image, durable(l), err);
	if (rc == 0 && name)
		rc = names_give(image, name, NULL, false, durable(l), err);
	if (rc < 0)
		return rc;
	rc = keep ? renew(l, image, err) : drop(l, err);
	if (rc == 0)
		unlinkat(image->fd, COMMIT_FROM, 0);
	return rc;
}
