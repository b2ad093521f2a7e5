/* Who holds a lock? */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "holder.h"
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
	int *pid;
};

/* "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF"; "->" before it is one who waits. */
static bool holds(const char *line, const void *ctx)
{
	const struct lock_query *q = ctx;
	unsigned major;
	unsigned minor;
	unsigned long long ino;

	return sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%llu", q->pid, &major, &minor,
		       &ino) == 4 &&
		ino == q->ino && major == q->major && minor == q->minor && *q->pid > 0 &&
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

bool holder_of(int fd, char out[HOLDER_SIZE])
{
	struct lock_query q = {.pid = &(int){0}};
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
