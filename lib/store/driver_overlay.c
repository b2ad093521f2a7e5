/* SPDX-License-Identifier: ISC */
/* The driver "overlay": one lower layer, files shared by hard links. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/becoming.h"
#include "store/driver_overlay.h"
#include "store/store.h"

static const char root[] = "root";
static const char lower_file[] = "lower-id";

static int as_lower(const struct layer *l, struct buf *out, struct ovl_err *err)
{
	buf_addf(out, "%s/%s", l->id.s, root);
	return out->failed ? err_nomem(err) : 0;
}

static bool has_lower(const struct layer *l)
{
	return l->meta.kind == OVL_WRITABLE && l->meta.has_parent;
}

static int lowers(const struct layer *l, struct stack *out, struct ovl_err *err)
{
	auto_buf text = {0};
	auto_buf path = {0};

	memset(out, 0, sizeof(*out));
	if (!has_lower(l))
		return 0;
	if (fs_read_file(l->fd, lower_file, ID_LEN, &text) < 0 && errno != EFBIG)
		return err_see_check(err,
			err_sys(err, errno, "cannot read '%s' of layer %.12s", lower_file,
				l->id.s));
	if (!text.data || strcmp(text.data, l->meta.parent.s) != 0)
		return err_see_check(err,
			err_say(err, EUCLEAN, "'%s' of layer %.12s is damaged",
				lower_file, l->id.s));
	buf_addf(&path, "%s/%s", text.data, root);
	out->text = buf_steal(&path);
	if (!out->text)
		return err_nomem(err);
	out->name[out->n++] = out->text;
	return 0;
}

static int seed(int fd, const struct seed *how, struct ovl_err *err)
{
	if (!how->writable)
		return 0;
	if (how->parent && fs_write_new(fd, lower_file, how->parent->id.s, ID_LEN) < 0)
		return err_sys(err, errno, "cannot write '%s'", lower_file);
	return driver_seed_mount(&driver_overlay, fd, err);
}

/* ---- short ids: known to the layers alone ------------------------------------------ */

static int publish(
	int drv_fd, const char *link, const struct ovl_id *id, struct ovl_err *err)
{
	(void)drv_fd;
	(void)link;
	(void)id;
	(void)err;
	return 0;
}

static int retract(
	int drv_fd, const char *link, const struct ovl_id *id, struct ovl_err *err)
{
	(void)drv_fd;
	(void)link;
	(void)id;
	(void)err;
	return 0;
}

static int link_of(int layer_fd, char link[SHORT_LEN + 1])
{
	(void)layer_fd;
	link[0] = '\0';
	return 0;
}

static int by_link(int drv_fd, const char *link, struct ovl_id *id)
{
	auto_fsdir d = fs_dir_at(drv_fd, ".");
	const char *name;
	int r;

	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		auto_fd fd = id_is_full(name) ? fs_open_dir(drv_fd, name) : -1;
		struct meta m;

		if (fd < 0 || becoming_meta(fd, name, &m, NULL) < 0 ||
			strcmp(m.link, link) != 0)
			continue;
		memcpy(id->s, name, ID_LEN + 1);
		return 1;
	}
	return r < 0 ? -errno : 0;
}

static int parent_of(const struct layer *l, struct ovl_id *id)
{
	auto_buf text = {0};

	if (fs_read_file(l->fd, lower_file, ID_LEN, &text) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!id_is_full(text.data))
		return -EUCLEAN;
	memcpy(id->s, text.data, ID_LEN + 1);
	return 1;
}

/* ---- check ------------------------------------------------------------------------ */

/* The expected content of the lower file; empty: there should be none. */
static const char *wanted(const struct layer *l)
{
	return has_lower(l) ? l->meta.parent.s : "";
}

static int verify(const struct layer *l, const char *const *links, unsigned n,
	unsigned *faults, struct ovl_err *err)
{
	(void)links;
	(void)n;
	if (driver_missing(l, faults) < 0 ||
		driver_fault(
			faults, DRV_LOWER, driver_file_is(l, lower_file, wanted(l))) < 0)
		return err_sys(err, errno, "cannot examine layer %.12s", l->id.s);
	return 0;
}

static int mend(const struct layer *l, const char *const *links, unsigned n,
	unsigned faults, unsigned *left, struct ovl_err *err)
{
	if (((faults & DRV_LOWER) && driver_set_file(l, lower_file, wanted(l)) < 0) ||
		driver_make_missing(l, faults) < 0)
		return err_sys(err, errno, "cannot repair layer %.12s", l->id.s);
	return verify(l, links, n, left, err);
}

const struct driver driver_overlay = {
	.number = 1,
	.name = "overlay",
	.tree = {[OVL_IMAGE] = root, [OVL_WRITABLE] = "upper"},
	.flat = true,
	.work = "work",
	.merged = "merged",
	.lower_file = lower_file,
	.max_lowers = 1,
	.seed = seed,
	.publish = publish,
	.retract = retract,
	.lowers = lowers,
	.as_lower = as_lower,
	.link_of = link_of,
	.by_link = by_link,
	.parent_of = parent_of,
	.verify = verify,
	.mend = mend,
};
