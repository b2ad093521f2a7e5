/* SPDX-License-Identifier: ISC */
/* Finds the process that holds a lock or keeps a mount busy. */
#include <ctype.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/holder.h"
#include "base/path.h"
#include "ovl.h"

/* Calls fn for each line of a file in /proc until it returns true. */
static bool any_line(
	const char *path, bool (*fn)(const char *line, const void *ctx), void *ctx)
{
	auto_file f = fopen(path, "re");
	auto_free char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0)
		found = fn(line, ctx);
	return found;
}

/*
 * The kernel's own number of fd's file system. stat(2) may show another one, as on btrfs,
 * so it is taken from the mount.
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

/* "1: FLOCK ADVISORY WRITE 1234 fe:01:5678 0 EOF"; a "->" marks a process that waits. */
static bool is_lock(const char *line, const struct lock_query *q)
{
	unsigned major;
	unsigned minor;
	unsigned long long ino;
	char mode[8];

	return sscanf(line, "%*u: FLOCK %*s %7s %d %x:%x:%llu", mode, q->pid, &major,
		       &minor, &ino) == 5 &&
		(!q->exclusive || strcmp(mode, "WRITE") == 0) && ino == q->ino &&
		major == q->major && minor == q->minor;
}

/* True if the line is about that inode, on any file system. */
static bool has_inode(const char *line, const void *ctx)
{
	const struct lock_query *q = ctx;
	unsigned long long ino;

	return sscanf(line, "%*u: FLOCK %*s %*s %*d %*x:%*x:%llu", &ino) == 1 &&
		ino == q->ino;
}

static bool holds(const char *line, const void *ctx)
{
	const struct lock_query *q = ctx;

	return is_lock(line, q) && *q->pid > 0 && *q->pid != getpid();
}

/* A line "lock:" in /proc/PID/fdinfo ends in the same form. */
static bool has_lock(const char *line, const void *ctx)
{
	return strncmp(line, "lock:", 5) == 0 && is_lock(line + 5, ctx);
}

/* False if the process has ended. */
static bool name_process(int pid, const char *prefix, char out[HOLDER_SIZE])
{
	auto_buf comm = {0};
	char shown[64];

	if (fs_read_file(AT_FDCWD, P("/proc/%d/comm", pid), 256, &comm) < 0)
		return false;
	ovl_escape(shown, sizeof(shown), comm.data, strcspn(comm.data, "\n"));
	snprintf(out, HOLDER_SIZE, "%s%d (%s)", prefix, pid, shown);
	return true;
}

/* ---- who has it open --------------------------------------------------------------- */

struct wanted {
	dev_t dev;
	uint64_t mnt_id;
	uint64_t ino; /* 0: any */
	struct lock_query *lock; /* look for a descriptor that holds this lock; NULL:
				  * no */
};

static bool leads_to(int dir, const char *link, const struct wanted *w)
{
	struct statx sx;

	if (statx(dir, link, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		    STATX_TYPE | STATX_INO | STATX_MNT_ID, &sx) < 0)
		return false;
	if (w->ino && sx.stx_ino != w->ino)
		return false;
	return makedev(sx.stx_dev_major, sx.stx_dev_minor) == w->dev ||
		(w->mnt_id && sx.stx_mnt_id == w->mnt_id);
}

static bool is_wanted(int fds, const char *pid, const char *name, const struct wanted *w)
{
	return leads_to(fds, name, w) &&
		(!w->lock ||
			any_line(P("/proc/%s/fdinfo/%s", pid, name), has_lock, w->lock));
}

static bool any_in(int proc, const char *pid, const char *links, const struct wanted *w)
{
	auto_fsdir d = fs_dir_at(proc, P("%s/%s", pid, links));
	const char *name;

	while (fs_dir_next(&d, &name, NULL) > 0) {
		if (is_wanted(d.fd, pid, name, w))
			return true;
	}
	return false;
}

static bool shares(const char *tid, int last, int what)
{
	return syscall(SYS_kcmp, atoi(tid), last, what, 0, 0) == 0;
}

/* last: the thread that was looked at before; 0: none. */
static bool has_open(int proc, const char *tid, int last, const struct wanted *w)
{
	if (!shares(tid, last, KCMP_FILES) && any_in(proc, tid, "fd", w))
		return true;
	if (w->lock)
		return false;
	if (!shares(tid, last, KCMP_FS) &&
		(leads_to(proc, P("%s/cwd", tid), w) ||
			leads_to(proc, P("%s/root", tid), w)))
		return true;
	return !shares(tid, last, KCMP_VM) &&
		(leads_to(proc, P("%s/exe", tid), w) ||
			any_in(proc, tid, "map_files", w));
}

/* A thread may have its own descriptors and working directory; and the first one, which
 * /proc/PID shows, may have ended. */
static bool any_thread(int proc, const char *pid, const struct wanted *w)
{
	auto_fsdir d = fs_dir_at(proc, P("%s/task", pid));
	const char *tid;
	int last = 0;

	while (fs_dir_next(&d, &tid, NULL) > 0) {
		if (has_open(proc, tid, last, w))
			return true;
		last = atoi(tid);
	}
	return false;
}

static bool find(const struct wanted *w, const char *prefix, char out[HOLDER_SIZE])
{
	auto_fsdir proc = fs_dir_at(AT_FDCWD, "/proc");
	const char *pid;

	while (fs_dir_next(&proc, &pid, NULL) > 0) {
		if (isdigit((unsigned char)*pid) && atoi(pid) != getpid() &&
			any_thread(proc.fd, pid, w) &&
			name_process(atoi(pid), prefix, out))
			return true;
	}
	return false;
}

/* No process has the file of a loop device open. Only files below the mount point are
 * looked at: others may be on a server that does not answer. */
static bool find_loop(const struct wanted *w, const char *where, char out[HOLDER_SIZE])
{
	auto_fsdir d = fs_dir_at(AT_FDCWD, "/sys/block");
	const char *name;

	while (fs_dir_next(&d, &name, NULL) > 0) {
		auto_buf file = {0};

		if (fs_read_file(d.fd, P("%s/loop/backing_file", name), 4096, &file) <
				0 ||
			!file.len)
			continue;
		file.data[strcspn(file.data, "\n")] = '\0';
		if (path_below(file.data, where) && leads_to(AT_FDCWD, file.data, w)) {
			snprintf(out, HOLDER_SIZE, "'/dev/%s'", name);
			return true;
		}
	}
	return false;
}

bool holder_of_mount(dev_t dev, uint64_t mnt_id, const char *where, char out[HOLDER_SIZE])
{
	const struct wanted w = {.dev = dev, .mnt_id = mnt_id};

	return find(&w, "process ", out) || (where && find_loop(&w, where, out));
}

/* The kernel lists a lock under the process that took it. Inside a pid namespace it does
 * not list one that was taken by a process that has ended. */
bool holder_of(int fd, bool exclusive, bool held, char out[HOLDER_SIZE])
{
	struct lock_query q = {.exclusive = exclusive, .pid = &(int){0}};
	struct mount_dev m = {.major = &q.major, .minor = &q.minor};
	struct wanted w = {.lock = &q};
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &sx) < 0)
		return false;
	q.ino = sx.stx_ino;
	if (!held && !any_line("/proc/locks", has_inode, &q))
		return false;
	m.id = (int)sx.stx_mnt_id;
	if (!any_line("/proc/self/mountinfo", is_mount, &m))
		return false;
	if (any_line("/proc/locks", holds, &q)) {
		if (name_process(*q.pid, "", out))
			return true;
	} else if (!held) {
		return false;
	}
	w.dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	w.ino = sx.stx_ino;
	return find(&w, "", out);
}
