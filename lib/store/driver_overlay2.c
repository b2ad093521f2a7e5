/* SPDX-License-Identifier: ISC */
/* The driver "overlay2": up to 500 lower layers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/driver_overlay2.h"
#include "store/store.h"

static const char links[] = "l";
static const char tree[] = "diff";
static const char link_file[] = "link";
static const char lower_file[] = "lower";

#define ITEM      (2 + SHORT_LEN) /* "l/" and a short id */
#define LOWER_MAX (OVL_MAX_LOWERS * (ITEM + 1))

int overlay2_parse_lower(const char *text, size_t len, struct stack *out)
{
	struct stack s = {0};

	if (!len || (len + 1) % (ITEM + 1) != 0 || len > LOWER_MAX)
		return -EUCLEAN;
	s.text = malloc(len + 1);
	if (!s.text)
		return -ENOMEM;
	memcpy(s.text, text, len);
	s.text[len] = '\0';
	for (size_t at = 0; at < len; at += ITEM + 1) {
		char *item = s.text + at;

		if (memcmp(item, "l/", 2) != 0 || !id_short_at(item + 2, SHORT_LEN) ||
			(at + ITEM < len && item[ITEM] != ':')) {
			stack_release(&s);
			return -EUCLEAN;
		}
		item[ITEM] = '\0';
		s.name[s.n++] = item;
	}
	*out = s;
	return 0;
}

static int lowers(const struct layer *l, struct stack *out, struct ovl_err *err)
{
	auto_buf text = {0};
	int rc;

	memset(out, 0, sizeof(*out));
	/* A commit to an opaque layer may not have removed the file yet. */
	if (l->meta.kind == OVL_IMAGE && l->meta.lowers == 0)
		return 0;
	if (fs_read_file(l->fd, lower_file, LOWER_MAX, &text) < 0) {
		if (errno == ENOENT && l->meta.lowers == 0)
			return 0;
		return err_see_check(err,
			err_sys(err, errno, "cannot read '%s' of layer %.12s", lower_file,
				l->id.s));
	}
	rc = overlay2_parse_lower(text.data, text.len, out);
	if (rc == -ENOMEM)
		return err_nomem(err);
	if (rc < 0 || out->n != l->meta.lowers) {
		stack_release(out);
		return err_see_check(err,
			err_say(err, EUCLEAN, "'%s' of layer %.12s is damaged",
				lower_file, l->id.s));
	}
	return 0;
}

static int as_lower(const struct layer *l, struct buf *out, struct ovl_err *err)
{
	buf_addf(out, "%s/%s", links, l->meta.link);
	return out->failed ? err_nomem(err) : 0;
}

/* The parent, followed by the parent's own lowers. */
static int lower_text(const struct layer *parent, struct buf *out, struct ovl_err *err)
{
	auto_stack below = {0};
	int rc = parent->drv->lowers(parent, &below, err);

	if (rc < 0)
		return rc;
	rc = as_lower(parent, out, err);
	for (unsigned i = 0; i < below.n; i++)
		buf_addf(out, ":%s", below.name[i]);
	return out->failed ? err_nomem(err) : rc;
}

static int put(
	int fd, const char *name, const char *data, size_t len, struct ovl_err *err)
{
	if (fs_write_new(fd, name, data, len) < 0)
		return err_sys(err, errno, "cannot write '%s'", name);
	return 0;
}

static int seed(int fd, const struct seed *how, struct ovl_err *err)
{
	auto_buf lower = {0};
	int rc = put(fd, link_file, how->link, SHORT_LEN, err);

	if (rc == 0 && how->parent && !how->opaque) {
		rc = lower_text(how->parent, &lower, err);
		if (rc == 0)
			rc = put(fd, lower_file, lower.data, lower.len, err);
	}
	if (rc < 0 || (!how->parent && !how->writable))
		return rc;
	return driver_seed_mount(&driver_overlay2, fd, err);
}

static void link_path(const char *link, char out[ITEM + 1])
{
	snprintf(out, ITEM + 1, "%s/%.26s", links, link);
}

static int publish(
	int drv_fd, const char *link, const struct ovl_id *id, struct ovl_err *err)
{
	char target[ID_LEN + 16];
	char path[ITEM + 1];

	snprintf(target, sizeof(target), "../%s/%s", id->s, tree);
	link_path(link, path);
	if (symlinkat(target, drv_fd, path) < 0)
		return err_sys(err, errno, "cannot make the link '%s'", path);
	return 0;
}

static int link_of(int layer_fd, char link[SHORT_LEN + 1])
{
	auto_buf text = {0};

	link[0] = '\0';
	if (fs_read_file(layer_fd, link_file, SHORT_LEN, &text) < 0)
		return errno == ENOENT || errno == EFBIG || errno == EINVAL ? 0 : -errno;
	if (id_is_short(text.data))
		memcpy(link, text.data, SHORT_LEN + 1);
	return 0;
}

static int by_link(int drv_fd, const char *link, struct ovl_id *id)
{
	auto_buf target = {0};
	char path[ITEM + 1];

	link_path(link, path);
	if (fs_readlink(drv_fd, path, 256, &target) < 0) {
		if (fs_is_gone(errno))
			return 0;
		return errno == EINVAL || errno == EFBIG ? -EUCLEAN : -errno;
	}
	if (target.len != 3 + ID_LEN + 1 + sizeof(tree) - 1 ||
		memcmp(target.data, "../", 3) != 0 || target.data[3 + ID_LEN] != '/' ||
		strcmp(target.data + 3 + ID_LEN + 1, tree) != 0)
		return -EUCLEAN;
	target.data[3 + ID_LEN] = '\0';
	if (!id_is_full(target.data + 3))
		return -EUCLEAN;
	memcpy(id->s, target.data + 3, ID_LEN + 1);
	return 1;
}

static int parent_of(const struct layer *l, struct ovl_id *id)
{
	auto_buf text = {0};
	auto_stack s = {0};
	int rc;

	if (fs_read_file(l->fd, lower_file, LOWER_MAX, &text) < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = overlay2_parse_lower(text.data, text.len, &s);
	return rc < 0 ? rc : by_link(l->drv_fd, s.name[0] + 2, id);
}

static int retract(
	int drv_fd, const char *link, const struct ovl_id *id, struct ovl_err *err)
{
	struct ovl_id owner;
	char path[ITEM + 1];

	int r = by_link(drv_fd, link, &owner);

	link_path(link, path);
	if (r < 0 && r != -EUCLEAN)
		return err_sys(err, -r, "cannot read the link '%s'", path);
	if (r <= 0 || strcmp(owner.s, id->s) != 0)
		return 0;
	if (unlinkat(drv_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot remove the link '%s'", path);
	return 0;
}

/* ---- check ------------------------------------------------------------------------ */

static void lower_of(const char *const *lowers, unsigned n, struct buf *out)
{
	buf_add(out, "", 0);
	for (unsigned i = 0; i < n; i++)
		buf_addf(out, "%s%s/%s", i ? ":" : "", links, lowers[i]);
}

/* 1, 0, -1 if unknown. */
static int link_is(const struct layer *l)
{
	struct ovl_id owner;
	int r = by_link(l->drv_fd, l->meta.link, &owner);

	if (r < 0 && r != -EUCLEAN) {
		errno = -r;
		return -1;
	}
	return r > 0 && strcmp(owner.s, l->id.s) == 0;
}

static int verify(const struct layer *l, const char *const *lowers, unsigned n,
	unsigned *faults, struct ovl_err *err)
{
	auto_buf want = {0};

	lower_of(lowers, lowers ? n : 0, &want);
	if (want.failed)
		return err_nomem(err);
	if (driver_missing(l, faults) < 0 ||
		driver_fault(faults, DRV_LINK_FILE,
			driver_file_is(l, link_file, l->meta.link)) < 0 ||
		driver_fault(faults, DRV_LINK, link_is(l)) < 0 ||
		(lowers &&
			driver_fault(faults, DRV_LOWER,
				driver_file_is(l, lower_file, want.data)) < 0))
		return err_sys(err, errno, "cannot examine layer %.12s", l->id.s);
	return 0;
}

static int set_link(const struct layer *l)
{
	char target[ID_LEN + 16];
	char path[ITEM + 1];
	char temp[ITEM + 8];

	snprintf(target, sizeof(target), "../%s/%s", l->id.s, tree);
	link_path(l->meta.link, path);
	snprintf(temp, sizeof(temp), "%s.new", path);
	if (fs_mkdir(l->drv_fd, links, 0700) < 0 ||
		(unlinkat(l->drv_fd, temp, 0) < 0 && errno != ENOENT) ||
		symlinkat(target, l->drv_fd, temp) < 0)
		return -1;
	return renameat(l->drv_fd, temp, l->drv_fd, path);
}

static int mend(const struct layer *l, const char *const *lowers, unsigned n,
	unsigned faults, unsigned *left, struct ovl_err *err)
{
	auto_buf want = {0};
	int rc = 0;

	lower_of(lowers, n, &want);
	if (want.failed)
		return err_nomem(err);
	if (faults & DRV_LINK_FILE)
		rc = driver_set_file(l, link_file, l->meta.link);
	if (rc == 0 && faults & DRV_LINK)
		rc = set_link(l);
	if (rc == 0 && faults & DRV_LOWER)
		rc = driver_set_file(l, lower_file, want.data);
	if (rc == 0)
		rc = driver_make_missing(l, faults);
	if (rc < 0)
		return err_sys(err, errno, "cannot repair layer %.12s", l->id.s);
	return verify(l, faults & DRV_LOWER ? lowers : NULL, n, left, err);
}

const struct driver driver_overlay2 = {
	.number = 0,
	.name = "overlay2",
	.tree = {[OVL_IMAGE] = tree, [OVL_WRITABLE] = tree},
	.links = links,
	.work = "work",
	.merged = "merged",
	.link_file = link_file,
	.lower_file = lower_file,
	.max_lowers = OVL_MAX_LOWERS,
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
