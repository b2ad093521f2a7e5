/* SPDX-License-Identifier: ISC */
/* Opens two directories through the same mount; see together.h. */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/path.h"
#include "mount/mountinfo.h"
#include "mount/together.h"

/* A directory, and the mount that it is on. */
struct spot {
	int fd;
	struct statx at;
	char *path; /* its path in the file system */
	const char *dev; /* the file system, in the form of mountinfo */
};

static void spot_release(struct spot *s)
{
	free(s->path);
}

#define auto_spot __attribute__((cleanup(spot_release))) struct spot

static bool look(struct spot *s)
{
	return statx(s->fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &s->at) == 0 &&
		s->at.stx_mask & STATX_MNT_ID;
}

static bool same_dev(const struct spot *a, const struct spot *b)
{
	return a->at.stx_dev_major == b->at.stx_dev_major &&
		a->at.stx_dev_minor == b->at.stx_dev_minor;
}

/* Finds its path in the file system. */
static bool place(struct spot *s, const struct mi_table *t)
{
	const struct mi_line *m = mi_by_id(t, (int)s->at.stx_mnt_id);
	auto_buf path = {0};

	if (m && fs_path_of(s->fd, &path) == 0)
		s->path = mi_place(m, path.data);
	s->dev = m ? m->dev : "";
	return s->path;
}

/* Opens it through a mount; -1 if that does not contain it, or has another directory at
 * its path. */
static int reach(const struct spot *s, int mount, const char *root)
{
	const char *rest = path_below(s->path, root);
	struct spot now = {.fd = -1};

	if (!rest)
		return -1;
	rest += *rest == '/';
	now.fd = *rest ? fs_open_beneath(mount, rest, O_RDONLY | O_DIRECTORY) :
			 fs_open_dir(mount, ".");
	if (now.fd >= 0 && look(&now) && same_dev(&now, s) &&
		now.at.stx_ino == s->at.stx_ino)
		return now.fd;
	close_fdp(&now.fd);
	return -1;
}

/* True if below leads to the same directory. Other mounts on the path are not in the
 * copy. */
static bool has_below(int fd, const char *below, const struct spot *want)
{
	auto_fd dir = fs_open_beneath(fd, below, O_PATH | O_DIRECTORY);
	struct spot now = {.fd = dir};

	return dir >= 0 && look(&now) && same_dev(&now, want) &&
		now.at.stx_ino == want->at.stx_ino;
}

static bool try_mount(
	const struct mi_line *m, const struct spot *a, const struct spot *b, int out[2])
{
	auto_fd mount = open_tree(
		AT_FDCWD, m->where, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	auto_fd x = mount < 0 ? -1 : reach(a, mount, m->root);
	auto_fd y = x < 0 ? -1 : reach(b, mount, m->root);

	if (y < 0)
		return false;
	out[0] = steal_fd(&x);
	out[1] = steal_fd(&y);
	return true;
}

static int reach_both(const struct spot *a, const struct spot *b, const char *below,
	const struct spot *z, const struct mi_table *t, int out[2])
{
	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->line[i].dev, a->dev) != 0 ||
			!try_mount(&t->line[i], a, b, out))
			continue;
		if (has_below(out[1], below, z))
			return 1;
		close(out[0]);
		close(out[1]);
	}
	return -1;
}

int mount_together(int a, int b, const char *below, int out[2])
{
	auto_fd dir = fs_open_beneath(b, below, O_PATH | O_DIRECTORY);
	auto_spot x = {.fd = a};
	auto_spot y = {.fd = b};
	auto_spot z = {.fd = dir};
	auto_mi all = {0};

	if (dir < 0 || !look(&x) || !look(&y) || !look(&z) || !same_dev(&x, &z))
		return -1;
	if (x.at.stx_mnt_id == z.at.stx_mnt_id)
		return 0;
	if (mi_self(&all) < 0 || !place(&x, all.table) || !place(&y, all.table))
		return -1;
	return reach_both(&x, &y, below, &z, all.table, out);
}
