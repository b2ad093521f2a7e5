/* SPDX-License-Identifier: ISC */
/* Directories: reading names, removing trees. The calls of fs.h that use getdents. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define DENTS_SIZE 32768

/* As getdents64(2) lays it out. */
struct dent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

/* Takes over the directory fd, if it could be opened. */
static int dir_take(struct fs_dir *d, int fd)
{
	memset(d, 0, sizeof(*d));
	d->fd = fd;
	if (d->fd < 0)
		return -1;
	d->data = malloc(DENTS_SIZE);
	if (!d->data) {
		fs_dir_close(d);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

int fs_dir_open(struct fs_dir *d, int dirfd, const char *name)
{
	return dir_take(d, fs_open_dir(dirfd, name));
}

int fs_dir_next(struct fs_dir *d, const char **name, unsigned char *type)
{
	for (;;) {
		const struct dent *e;

		if (d->pos >= d->len) {
			long n = syscall(SYS_getdents64, d->fd, d->data, DENTS_SIZE);

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

int fs_dir_rewind(struct fs_dir *d)
{
	d->pos = 0;
	d->len = 0;
	return lseek(d->fd, 0, SEEK_SET) < 0 ? -1 : 0;
}

void fs_dir_close(struct fs_dir *d)
{
	free_p(&d->data);
	close_fdp(&d->fd);
}

/*
 * Removal keeps one descriptor and one buffer for each level. A directory deeper than
 * MAX_HELD levels is moved to the top of the tree that is being removed, where a later
 * pass finds it: so neither descriptors nor stack grow with the depth of the tree. The
 * same happens when no more descriptors are available: two are enough. What is gone
 * already was removed by another process: prune and the owner of a tree may both be at
 * it.
 */
#define MAX_HELD 64

struct rm {
	int top;
	unsigned depth;
	unsigned long moved;
	struct fs_remover *how;
};

static bool rm_stopped(const struct rm *rm)
{
	return rm->how->stop && *rm->how->stop;
}

static bool is_flagged(int dirfd, const char *name)
{
	const uint64_t flags = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
	struct statx sx;

	return statx(dirfd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &sx) ==
		0 &&
		sx.stx_attributes & flags;
}

/* Remembers what cannot be removed: name, or the directory it is in. Returns -1 and
 * errno. */
static int rm_stuck(struct rm *rm, int dirfd, const char *name)
{
	int why = errno;
	bool dir = why == EPERM && dirfd >= 0 && is_flagged(dirfd, "");

	if (!rm->how->stuck.len && fs_path_of(dirfd, &rm->how->stuck) == 0) {
		if (!dir)
			buf_addf(&rm->how->stuck, "/%s", name);
		rm->how->flagged = dir || (why == EPERM && is_flagged(dirfd, name));
	}
	errno = why;
	return -1;
}

/*
 * Opens a directory that is to be removed, even if its mode does not allow the owner to
 * read it. What is mounted on it must not be removed: a bind mount has the same device
 * number as the tree it is in, so the kernel is told not to enter any mount.
 */
static int rm_open(struct fs_dir *d, int dirfd, const char *name)
{
	auto_fd fd = -1;

	if (dir_take(d, fs_open_unmounted(dirfd, name, O_RDONLY)) == 0)
		return 0;
	if (errno != EACCES)
		return -1;
	fd = fs_open_unmounted(dirfd, name, O_PATH);
	if (fd < 0)
		return -1;
	if (fs_chmod_path(fd, 0700) < 0)
		return -1;
	return dir_take(d, fs_open_unmounted(dirfd, name, O_RDONLY));
}

static int rm_contents(struct rm *rm, struct fs_dir *d);

/* Directories that were moved up may appear before the reading position, so repeat
 * until the directory is empty. */
static int rm_opened(struct rm *rm, struct fs_dir *d, int dirfd, const char *name)
{
	for (;;) {
		if (rm_contents(rm, d) < 0)
			return -1;
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return rm_stuck(rm, dirfd, name);
		/* Another process has put a directory in its place, which will be
		 * visited later. */
		if (fs_is(dirfd, name, d->fd) == 0)
			return 0;
		if (rm_stopped(rm)) {
			errno = EINTR;
			return -1;
		}
		if (fs_dir_rewind(d) < 0)
			return -1;
	}
}

static int rm_move_up(struct rm *rm, int dirfd, const char *name)
{
	char up[48];

	do {
		snprintf(up, sizeof(up), ".deep.%lu", rm->moved++);
		if (fs_rename(dirfd, name, rm->top, up, RENAME_NOREPLACE) == 0 ||
			errno == ENOENT)
			return 0;
	} while (errno == ENOTEMPTY || errno == EEXIST);
	return -1;
}

/* A directory that cannot be read may be empty. */
static int rm_unopened(struct rm *rm, int dirfd, const char *name)
{
	int why = errno;

	if (why != ENOTDIR && why != EXDEV && unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	errno = why;
	return why == ENOTDIR ? -1 : rm_stuck(rm, dirfd, name);
}

static int rm_subdir(struct rm *rm, int dirfd, const char *name)
{
	auto_fsdir d = {.fd = -1};
	int rc;

	if (rm->depth >= MAX_HELD)
		return rm_move_up(rm, dirfd, name);
	if (rm_open(&d, dirfd, name) < 0) {
		if (rm->depth && (errno == EMFILE || errno == ENFILE))
			return rm_move_up(rm, dirfd, name);
		return errno == ENOENT ? 0 : rm_unopened(rm, dirfd, name);
	}
	rm->depth++;
	rc = rm_opened(rm, &d, dirfd, name);
	rm->depth--;
	return rc;
}

static int rm_entry(struct rm *rm, int dirfd, const char *name, unsigned char type)
{
	int why;

	if (type == DT_DIR)
		return rm_subdir(rm, dirfd, name);
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	why = errno;
	if (why != EISDIR && why != EPERM)
		return rm_stuck(rm, dirfd, name);
	if (rm_subdir(rm, dirfd, name) == 0)
		return 0;
	if (errno != ENOTDIR)
		return -1;
	errno = why;
	return rm_stuck(rm, dirfd, name);
}

static int rm_contents(struct rm *rm, struct fs_dir *d)
{
	const char *name;
	unsigned char type;
	int r;

	while ((r = fs_dir_next(d, &name, &type)) > 0) {
		if (rm_stopped(rm)) {
			errno = EINTR;
			return -1;
		}
		if (rm_entry(rm, d->fd, name, type) < 0)
			return -1;
		if (rm->how->gone)
			rm->how->gone(rm->how->ctx);
	}
	return r;
}

int fs_rmtree_by(struct fs_remover *how, int dirfd, const char *name)
{
	auto_fsdir d = {.fd = -1};
	struct rm rm = {.how = how};

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return rm_stuck(&rm, dirfd, name);
	if (rm_open(&d, dirfd, name) < 0)
		return errno == ENOENT ? 0 : rm_unopened(&rm, dirfd, name);
	rm.top = d.fd;
	return rm_opened(&rm, &d, dirfd, name);
}

int fs_rmtree(int dirfd, const char *name, const atomic_int *stop)
{
	struct fs_remover how = {.stop = stop};
	int rc = fs_rmtree_by(&how, dirfd, name);
	int why = errno;

	buf_release(&how.stuck);
	errno = why;
	return rc;
}

/* Holds a descriptor for each level, so it stops at a depth. */
static void add_bytes(int dirfd, const char *name, unsigned depth, uint64_t *out)
{
	auto_fsdir d = {.fd = -1};
	unsigned char type;
	const char *entry;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	*out += (uint64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode) || depth == MAX_HELD || fs_dir_open(&d, dirfd, name) < 0)
		return;
	while (fs_dir_next(&d, &entry, &type) > 0)
		add_bytes(d.fd, entry, depth + 1, out);
}

uint64_t fs_tree_bytes(int dirfd, const char *name)
{
	uint64_t n = 0;

	add_bytes(dirfd, name, 0, &n);
	return n;
}
