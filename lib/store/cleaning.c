/* SPDX-License-Identifier: ISC */
/* Removes from the tree of the image layer what its commit has listed. See cleaning.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/becoming.h"
#include "store/cleaning.h"
#include "store/driver.h"
#include "union/whiteout.h"

struct cleaning {
	FILE *list;
	int image; /* .image */
	int tree;
	int dir; /* the directory being cleaned */
	bool changed;
	struct timespec times[2]; /* its own */
	char *text[2]; /* an entry of the list, and the second string of it */
	size_t size[2];
};

/* 1, 0 at the end. */
static int read_text(struct cleaning *c, int i)
{
	if (getdelim(&c->text[i], &c->size[i], '\0', c->list) > 0)
		return 1;
	return ferror(c->list) ? -1 : 0;
}

static int leave_dir(struct cleaning *c)
{
	int rc = c->dir >= 0 && c->changed ? futimens(c->dir, c->times) : 0;

	close_fdp(&c->dir);
	c->changed = false;
	return rc;
}

static int enter_dir(struct cleaning *c, const char *path, const char *when)
{
	long long sec;
	long nsec;

	if (leave_dir(c) < 0)
		return -1;
	if (sscanf(when, "%lld.%ld", &sec, &nsec) != 2)
		return fs_fail(EINVAL);
	c->times[0].tv_nsec = UTIME_OMIT;
	c->times[1] = (struct timespec){.tv_sec = (time_t)sec, .tv_nsec = nsec};
	c->dir = *path ? fs_open_beneath(c->tree, path, O_RDONLY | O_DIRECTORY) :
			 fs_open_dir(c->tree, ".");
	return c->dir < 0 ? -1 : 0;
}

/* The whiteout is made in .image and moved, as the name must never be missing: what is
 * below would become visible. */
static int make_whiteout(struct cleaning *c, const char *name)
{
	static const char passing[] = ".whiteout";

	if (unlinkat(c->image, passing, 0) < 0 && errno != ENOENT)
		return -1;
	return wh_make(c->image, passing) < 0 ? -1 :
						renameat(c->image, passing, c->dir, name);
}

static int clean_one(struct cleaning *c, char kind, const char *name)
{
	int rc = -1;

	errno = EINVAL;
	if (c->dir < 0 || strchr(name, '/'))
		return -1;
	if (kind == 'x')
		rc = read_text(c, 1) > 0 ?
			fs_removexattr(c->dir, *name ? name : NULL, c->text[1]) :
			-1;
	else if (kind == 'u')
		rc = unlinkat(c->dir, name, 0);
	else if (kind == 'w')
		rc = make_whiteout(c, name);
	c->changed |= kind != 'x';
	/* Not an error: done before the last interruption. */
	return rc < 0 && (errno == ENODATA || errno == ENOENT) ? 0 : rc;
}

static int clean_all(struct cleaning *c)
{
	int r;

	while ((r = read_text(c, 0)) > 0) {
		char kind = c->text[0][0];
		const char *name = c->text[0] + 1;

		if (kind == 'd')
			r = read_text(c, 1) > 0 ? enter_dir(c, name, c->text[1]) : -1;
		else
			r = clean_one(c, kind, name);
		if (r < 0)
			return -1;
	}
	return r < 0 ? -1 : leave_dir(c);
}

static void release(struct cleaning *c)
{
	int saved = errno;

	if (c->list)
		fclose(c->list);
	free(c->text[0]);
	free(c->text[1]);
	close_fdp(&c->dir);
	close_fdp(&c->tree);
	close_fdp(&c->image);
	errno = saved;
}

int cleaning_do(const struct layer *l, struct ovl_err *err)
{
	struct cleaning c = {.dir = -1, .tree = -1};
	int fd = -1;
	int rc = -1;

	c.image = fs_open_dir(l->fd, BECOMING_IMAGE);
	if (c.image >= 0)
		fd = openat(c.image, CLEANING_LIST, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		c.tree = fs_open_dir(l->fd, l->drv->tree[OVL_IMAGE]);
		c.list = fdopen(fd, "r");
		if (!c.list)
			close(fd);
		rc = c.list && c.tree >= 0 ? clean_all(&c) : -1;
	}
	release(&c);
	if (fd < 0 && errno == ENOENT)
		return 0;
	return rc < 0 ?
		err_sys(err, errno, "cannot clean the tree of layer %.12s", l->id.s) :
		1;
}
