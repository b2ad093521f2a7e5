/* SPDX-License-Identifier: ISC */
/* Code that the drivers share. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/driver.h"

void stack_release(struct stack *s)
{
	free(s->text);
	s->text = NULL;
	s->n = 0;
}

int driver_check_depth(
	const struct layer *parent, enum ovl_kind kind, struct ovl_err *err)
{
	/* An image layer is itself a lower of its mounts. */
	unsigned n = parent->meta.lowers + (kind == OVL_IMAGE ? 2 : 1);

	if (parent->drv->flat || n <= parent->drv->max_lowers)
		return 0;
	return err_say(err, E2BIG,
		"the stack would have %u layers, but a mount can have at most %u", n,
		parent->drv->max_lowers);
}

void driver_place(struct meta *m, const struct layer *parent, bool opaque)
{
	m->has_parent = parent != NULL;
	m->depth = 0;
	m->lowers = 0;
	if (!parent)
		return;
	m->parent = parent->id;
	m->depth = parent->meta.depth + 1;
	if (parent->drv->flat)
		m->lowers = m->kind == OVL_WRITABLE;
	else if (!opaque)
		m->lowers = parent->meta.lowers + 1;
}

bool driver_keeps_mount(const struct layer *l)
{
	return l->meta.kind == OVL_WRITABLE || (l->meta.has_parent && !l->drv->flat);
}

/* ---- for drivers ------------------------------------------------------------------ */

int driver_seed_mount(const struct driver *drv, int fd, struct ovl_err *err)
{
	if (mkdirat(fd, drv->work, 0700) < 0 || mkdirat(fd, drv->merged, 0700) < 0)
		return err_sys(err, errno, "cannot make the layer's directories");
	return 0;
}

int driver_file_is(const struct layer *l, const char *name, const char *want)
{
	auto_buf text = {0};

	if (fs_read_file(l->fd, name, strlen(want) + 1, &text) < 0) {
		if (fs_is_gone(errno))
			return errno == ENOENT && !*want;
		return errno == EFBIG || errno == EINVAL ? 0 : -1;
	}
	return *want && text.len == strlen(want) &&
		memcmp(text.data, want, text.len) == 0;
}

int driver_set_file(const struct layer *l, const char *name, const char *text)
{
	return *text ? fs_replace(l->fd, name, text, strlen(text)) :
		       unlinkat(l->fd, name, 0);
}

/* 1, 0, -1 if unknown. */
static int is_dir(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode);
	return errno == ENOENT ? 0 : -1;
}

int driver_fault(unsigned *faults, unsigned fault, int as_it_should)
{
	if (as_it_should == 0)
		*faults |= fault;
	return as_it_should < 0 ? -1 : 0;
}

int driver_missing(const struct layer *l, unsigned *faults)
{
	*faults = 0;
	if (driver_fault(faults, DRV_NO_TREE, is_dir(l->fd, layer_tree_name(l))) < 0)
		return -1;
	if (!driver_keeps_mount(l))
		return 0;
	if (driver_fault(faults, DRV_WORK, is_dir(l->fd, l->drv->work)) < 0)
		return -1;
	return driver_fault(faults, DRV_MERGED, is_dir(l->fd, l->drv->merged));
}

int driver_make_missing(const struct layer *l, unsigned faults)
{
	if ((faults & DRV_WORK) && fs_mkdir(l->fd, l->drv->work, 0700) < 0)
		return -1;
	return faults & DRV_MERGED ? fs_mkdir(l->fd, l->drv->merged, 0700) : 0;
}
