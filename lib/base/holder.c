/* SPDX-License-Identifier: ISC */
/* Who holds a lock, or keeps a mount busy? */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/holder.h"
#include "ovl.h"

/* Calls fn for each line of a file in /proc until it returns true. */
static bool any_line(
	const char *path, bool (*fn)(const char *line, const void *ctx), void *ctx)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0)
		found = fn(line, ctx);
	free(line);
	if (f)
		fclose(f);
	return found;
}

/*
 * The number by which the kernel knows the file system of fd. stat(2) may show another
 * one, as on btrfs, so it is that of its mount.
 */
struct mount_dev {
	int id;
	unsigned *major;
	unsigned *minor;
};

static bool is_mount(const char *line, const void *ctx)
{
	const struct mount_dev *m = ctx;
	int id;

	return sscanf(line, "%d %*d %u:%u", &id, m->major, m->minor) == 3 && id == m->id;
}

struct lock_query {
	unsigned major;
	unsigned minor;
	unsigned long long ino;
	bool exclusive;
	int *pid;
};

/* "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF"; "->" before it is one who waits. */
static bool holds(const char *line, const void *ctx)
{
	const struct lock_query *q = ctx;
	unsigned major;
	unsigned minor;
	unsigned long long ino;
	char mode[8];

	return sscanf(line, "%*u: FLOCK %*s %7s %d %x:%x:%llu", mode, q->pid, &major,
		       &minor, &ino) == 5 &&
		(!q->exclusive || strcmp(mode, "WRITE") == 0) && ino == q->ino &&
		major == q->major && minor == q->minor && *q->pid > 0 &&
		*q->pid != getpid();
}

/* false: nobody is there any more who could be looked for. */
static bool name_process(int pid, char out[HOLDER_SIZE])
{
	auto_buf comm = {0};
	char path[48];
	char shown[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (fs_read_file(AT_FDCWD, path, 256, &comm) < 0)
		return false;
	ovl_escape(shown, sizeof(shown), comm.data, strcspn(comm.data, "\n"));
	snprintf(out, HOLDER_SIZE, "%d (%s)", pid, shown);
	return true;
}

bool holder_of(int fd, bool exclusive, char out[HOLDER_SIZE])
{
	struct lock_query q = {.exclusive = exclusive, .pid = &(int){0}};
	struct mount_dev m = {.major = &q.major, .minor = &q.minor};
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &sx) < 0 ||
		!(sx.stx_mask & STATX_MNT_ID))
		return false;
	q.ino = sx.stx_ino;
	m.id = (int)sx.stx_mnt_id;
	return any_line("/proc/self/mountinfo", is_mount, &m) &&
		any_line("/proc/locks", holds, &q) && name_process(*q.pid, out);
}

/* ---- of a mount ------------------------------------------------------------------- */

struct wanted {
	dev_t dev;
	uint64_t mnt_id;
};

static bool leads_to(int dir, const char *link, const struct wanted *w)
{
	struct statx sx;

	if (statx(dir, link, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		    STATX_TYPE | STATX_MNT_ID, &sx) < 0)
		return false;
	return makedev(sx.stx_dev_major, sx.stx_dev_minor) == w->dev ||
		(w->mnt_id && sx.stx_mnt_id == w->mnt_id);
}

static bool has_open(int proc, const char *pid, const struct wanted *w)
{
	static const char *const links[] = {"cwd", "root", "exe"};
	auto_fsdir fds = {.fd = -1};
	const char *name;
	char path[64];

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(path, sizeof(path), "%.20s/%s", pid, links[i]);
		if (leads_to(proc, path, w))
			return true;
	}
	snprintf(path, sizeof(path), "%.20s/fd", pid);
	if (fs_dir_open(&fds, proc, path) < 0)
		return false;
	while (fs_dir_next(&fds, &name, NULL) > 0) {
		if (leads_to(fds.fd, name, w))
			return true;
	}
	return false;
}

bool holder_of_mount(dev_t dev, uint64_t mnt_id, char out[HOLDER_SIZE])
{
	const struct wanted w = {.dev = dev, .mnt_id = mnt_id};
	auto_fsdir proc = {.fd = -1};
	const char *pid;

	if (fs_dir_open(&proc, AT_FDCWD, "/proc") < 0)
		return false;
	while (fs_dir_next(&proc, &pid, NULL) > 0) {
		if (isdigit((unsigned char)*pid) && atoi(pid) != getpid() &&
			has_open(proc.fd, pid, &w) && name_process(atoi(pid), out))
			return true;
	}
	return false;
}
