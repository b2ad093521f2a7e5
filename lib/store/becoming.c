/* SPDX-License-Identifier: ISC */
/* The state on disk of a writable layer that becomes an image layer; see becoming.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/becoming.h"
#include "store/driver.h"
#include "store/lock.h"
#include "store/store.h"

/* ---- .layer ------------------------------------------------------------------------ */

int becoming_meta(int fd, const char *id, struct meta *out, struct ovl_err *err)
{
	for (;;) {
		auto_fd image = -1;
		struct meta m;
		struct ovl_id was;
		int rc = meta_read(fd, &m, err);

		if (rc < 0)
			return rc;
		if (strcmp(m.becomes.s, id) == 0) {
			was = m.was;
			image = fs_open_dir(fd, BECOMING_IMAGE);
			rc = image < 0 ?
				err_sys(err, errno, "cannot open '%s'", BECOMING_IMAGE) :
				meta_read(image, &m, err);
			m.was = was;
		}
		if (rc == 0)
			*out = m;
		/* -ENOENT: another process has just moved it into place. */
		if (rc != -ENOENT)
			return rc;
	}
}

bool becoming_unfinished(const struct meta *m)
{
	return m->kind == OVL_IMAGE && m->was.s[0];
}

/* ---- in staging ------------------------------------------------------------------- */

bool becoming_parse(char *target, const char *up, struct layer_ref *ref)
{
	char *slash = strrchr(target, '/');
	size_t n = strlen(up);

	if (!slash || slash < target + n || strncmp(target, up, n) != 0 ||
		!id_take(slash + 1, ref->id.s))
		return false;
	*slash = '\0';
	ref->drv = driver_find(target + n);
	return ref->drv != NULL;
}

int becoming_read(struct ovl_store *st, const char *name, struct layer_ref *image)
{
	int staging = store_dir(st, DIR_STAGING, NULL);
	auto_buf target = {0};

	if (fs_readlink(staging, P("%s/" BECOMING_IMAGE_LAYER, name), 256, &target) < 0)
		return fs_is_gone(errno) || errno == EINVAL || errno == EFBIG ? 0 :
										-errno;
	return becoming_parse(target.data, "../../", image);
}

static int layer_in_place(struct ovl_store *st, const struct layer_ref *ref)
{
	int r = fs_exists(store_driver_dir(st, ref->drv, NULL), ref->id.s);

	return r < 0 ? -errno : r;
}

int becoming_find(
	struct ovl_store *st, const struct layer_ref *from, struct layer_ref *image)
{
	struct layer_ref to;
	int r = becoming_read(st, from->id.s, &to);

	if (r <= 0)
		return r;
	/* A layer in its usual place has not been committed. */
	r = layer_in_place(st, from);
	if (r)
		return r < 0 ? r : 0;
	r = layer_in_place(st, &to);
	if (r > 0)
		*image = to;
	return r;
}

int becoming_has(struct ovl_store *st, const struct ovl_id *id, const char *file)
{
	int r = fs_exists(store_dir(st, DIR_STAGING, NULL), P("%s/%s", id->s, file));

	return r < 0 ? -errno : r;
}

int becoming_is_alive(struct ovl_store *st, const struct ovl_id *id)
{
	auto_fd fd = fs_open_dir(store_dir(st, DIR_STAGING, NULL), id->s);
	int r;

	if (fd < 0)
		return fs_is_gone(errno) ? 0 : -errno;
	r = lock_try(fd, LOCK_SH);
	return r < 0 ? r : !r;
}

int becoming_forget(struct ovl_store *st, const struct ovl_id *id, struct ovl_err *err)
{
	int staging = store_dir(st, DIR_STAGING, err);
	char what[32];
	int rc;

	for (;;) {
		auto_fd fd = fs_open_dir(staging, id->s);
		int same;

		if (fd < 0 && fs_is_gone(errno))
			return 0;
		snprintf(what, sizeof(what), "'staging/%.12s'", id->s);
		/* prune may be removing it, which does not take long. */
		rc = fd < 0 ? -errno : lock_moment(st, fd, LOCK_EX, what, err);
		if (rc < 0)
			return fd < 0 ? err_sys(err, -rc, "cannot open %s", what) : rc;
		same = fs_is(staging, id->s, fd);
		if (same < 0 || (same > 0 && fs_rmtree(staging, id->s, NULL) < 0))
			return err_sys(err, errno, "cannot remove %s", what);
		if (same)
			return 0;
	}
}
