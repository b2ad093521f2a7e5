/* SPDX-License-Identifier: ISC */
/* Reads the mounts of other mount namespaces. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/thread.h"
#include "base/vec.h"
#include "mount/namespaces.h"

/* <linux/nsfs.h> of Linux 6.12. */
struct ns_info {
	uint32_t size;
	uint32_t mounts;
	uint64_t id;
};
#define NS_NEXT _IOR(0xb7, 11, struct ns_info)
#define NS_PREV _IOR(0xb7, 12, struct ns_info)

static bool is_known(const struct mi_all *all, uint64_t ns)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->table[i].ns == ns)
			return true;
	}
	return false;
}

/* What is not read for that reason might matter. */
static bool is_shortage(int rc)
{
	return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE;
}

/* Opens the root, which is needed only to compare paths in overlays. */
static int open_root(struct mi_table *t, int dir, const char *path)
{
	for (size_t i = 0; i < t->n && t->root < 0; i++) {
		if (strcmp(t->line[i].type, "overlay") != 0)
			continue;
		t->root = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (t->root < 0)
			return is_shortage(-errno) ? -errno : 0;
	}
	return 0;
}

/* ---- as the kernel lists them ----------------------------------------------------- */

struct walk {
	struct mi_all *all;
	int proc;
	int ns; /* the namespace to read */
	int rc;
};

/* Entering a namespace changes the root directory. */
static int visit(const struct walk *w)
{
	struct mi_table *t;
	struct stat st;
	int rc;

	if (unshare(CLONE_FS) < 0 || fstat(w->ns, &st) < 0 ||
		setns(w->ns, CLONE_NEWNS) < 0)
		return -errno;
	rc = mi_load(w->all, w->proc, "thread-self/mountinfo");
	if (rc < 0)
		return rc;
	t = &w->all->table[w->all->n - 1];
	t->ns = st.st_ino;
	return open_root(t, AT_FDCWD, "/");
}

static void *visit_it(void *ctx)
{
	struct walk *w = ctx;

	w->rc = visit(w);
	return NULL;
}

/*
 * In a thread with a root directory of its own, which changes with the namespace and does
 * not affect the process. At once, and not after the walk: until then the descriptor
 * would keep the namespace and all its mounts.
 */
static int visit_in_thread(struct walk *w)
{
	pthread_t thread;
	int rc = thread_start(&thread, visit_it, w);

	if (rc)
		return -rc;
	pthread_join(thread, NULL);
	return w->rc;
}

/* Reads the namespaces on one side of self. */
static int read_from(struct walk *w, int self, unsigned long direction, const char *dev)
{
	struct ns_info info = {.size = sizeof(info)};
	auto_fd at = -1;
	int rc = 0;

	while (rc == 0) {
		int next = ioctl(at < 0 ? self : at, direction, &info);

		if (next < 0)
			return errno == ENOENT ? 0 : -errno;
		close_fdp(&at);
		w->ns = at = next;
		if (!dev || namespaces_may_matter(info.id, dev, &w->all->table[0]))
			rc = visit_in_thread(w);
	}
	return rc;
}

static int by_kernel(struct mi_all *all, const char *dev)
{
	auto_fd self = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	auto_fd proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct walk w = {.all = all, .proc = proc};
	int rc;

	if (self < 0 || proc < 0)
		return -errno;
	rc = read_from(&w, self, NS_NEXT, dev);
	return rc == 0 ? read_from(&w, self, NS_PREV, dev) : rc;
}

/* ---- as their processes show them ------------------------------------------------- */

static int stat_ns(int proc, const char *pid, struct stat *ns)
{
	return fstatat(proc, P("%s/ns/mnt", pid), ns, 0);
}

/* A process that ends meanwhile is ignored; its namespace may have others. */
static int visit_process(struct mi_all *all, int proc, const char *pid)
{
	struct mi_table *t;
	struct stat ns;
	int rc;

	if (stat_ns(proc, pid, &ns) < 0 || is_known(all, ns.st_ino))
		return 0;
	rc = mi_load(all, proc, P("%s/mountinfo", pid));
	if (rc < 0)
		return is_shortage(rc) ? rc : 0;
	t = &all->table[all->n - 1];
	t->ns = ns.st_ino;
	return open_root(t, proc, P("%s/root", pid));
}

static int by_processes(struct mi_all *all)
{
	auto_fsdir proc = fs_dir_at(AT_FDCWD, "/proc");
	const char *pid;
	struct stat ns;
	int rc = 0;

	if (stat_ns(proc.fd, "self", &ns) == 0)
		all->table[0].ns = ns.st_ino;
	while (rc == 0 && fs_dir_next(&proc, &pid, NULL) > 0) {
		if (isdigit((unsigned char)*pid))
			rc = visit_process(all, proc.fd, pid);
	}
	all->table[0].ns = 0;
	return rc;
}

int namespaces_read(struct mi_all *all, const char *dev)
{
	int rc = by_kernel(all, dev);

	return rc == 0 || is_shortage(rc) ? rc : by_processes(all);
}

/* ---- whose ------------------------------------------------------------------------ */

/* The name of a process in /proc; NULL: none is visible. */
static const char *process_in(const struct mi_table *t, struct fs_dir *proc)
{
	const char *pid;
	struct stat ns;

	while (fs_dir_next(proc, &pid, NULL) > 0) {
		if (isdigit((unsigned char)*pid) && stat_ns(proc->fd, pid, &ns) == 0 &&
			ns.st_ino == t->ns)
			return pid;
	}
	return NULL;
}

bool namespaces_is_left(const struct mi_table *t, const struct mi_table *own)
{
	auto_fsdir proc = fs_dir_at(AT_FDCWD, "/proc");
	const char *root = P("mnt:[%ju]", (uintmax_t)t->ns);

	for (size_t i = 0; i < own->n; i++) {
		if (strcmp(own->line[i].root, root) == 0)
			return false;
	}
	return t->ns && !process_in(t, &proc);
}

void namespaces_say(const struct mi_table *t, struct buf *out)
{
	auto_fsdir proc = fs_dir_at(AT_FDCWD, "/proc");
	const char *pid = t->ns ? process_in(t, &proc) : NULL;

	if (pid)
		buf_addf(out, " in the mount namespace of process %s", pid);
	else if (t->ns)
		buf_adds(out, " in a mount namespace without a visible process");
}

/* ---- one's own -------------------------------------------------------------------- */

#define NOT_MADE 255

int namespaces_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int namespaces_own(int (*fn)(void *ctx), void *ctx)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? NOT_MADE : fn(ctx));
	status = namespaces_wait(pid);
	return status < 0 || status == NOT_MADE ? -EPERM : status;
}
