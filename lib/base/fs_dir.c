/* SPDX-License-Identifier: ISC */
/* Reads the names in a directory, with the only use of getdents(2); opens the directory
 * of a path. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"

/* The layout of getdents64(2). */
struct dent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

struct fs_dir fs_dir_at(int dirfd, const char *name)
{
	struct fs_dir d = {.fd = fs_open_dir(dirfd, name)};

	d.why = d.fd < 0 ? errno : 0;
	return d;
}

int fs_dir_next(struct fs_dir *d, const char **name, unsigned char *type)
{
	if (d->fd < 0)
		return d->why == ENOENT ? 0 : fs_fail(d->why);
	if (!d->data && !(d->data = malloc(FS_DIR_BLOCK)))
		return -1;
	for (;;) {
		const struct dent *e;

		if (d->pos >= d->len) {
			long n = syscall(SYS_getdents64, d->fd, d->data, FS_DIR_BLOCK);

			/* A directory that was removed meanwhile has no names. */
			if (n < 0 && errno == ENOENT)
				return 0;
			if (n <= 0)
				return (int)n;
			d->pos = 0;
			d->len = (size_t)n;
		}
		e = (const struct dent *)(const void *)(d->data + d->pos);
		d->pos += e->reclen;
		if (e->name[0] == '.' &&
			(!e->name[1] || (e->name[1] == '.' && !e->name[2])))
			continue;
		*name = e->name;
		if (type)
			*type = e->type;
		return 1;
	}
}

void fs_dir_close(struct fs_dir *d)
{
	free_p(&d->data);
	close_fdp(&d->fd);
}

int fs_open_parent(int root, const char *path, int flags, const char **base)
{
	auto_free char *up = NULL;

	*base = path_base(path);
	up = strndup(path, (size_t)(*base - path));
	return up ? fs_open_beneath(root, up, flags | O_DIRECTORY) : -1;
}
