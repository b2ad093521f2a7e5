/* SPDX-License-Identifier: ISC */
/* Makes a user namespace with the ids that the user may have in it. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "mount/namespaces.h"
#include "run/userns.h"

#define SUBIDS_MAX ((size_t)1 << 20)

/* ---- reasons for a refusal -------------------------------------------------------- */

static const struct {
	const char *name;
	char forbids;
} switches[] = {
	{"kernel/unprivileged_userns_clone", '0'},
	{"user/max_user_namespaces", '0'},
	{"user/max_mnt_namespaces", '0'},
	{"kernel/apparmor_restrict_unprivileged_userns", '1'},
};

int userns_explain(int rc, struct ovl_err *err)
{
	size_t n = strlen(err->text);

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		auto_buf value = {0};

		if (fs_read_file(AT_FDCWD, P("/proc/sys/%s", switches[i].name), 64,
			    &value) == 0 &&
			value.data[0] == switches[i].forbids) {
			snprintf(err->text + n, sizeof(err->text) - n,
				"; it is forbidden by /proc/sys/%s", switches[i].name);
			break;
		}
	}
	return rc;
}

/* ---- by newuidmap and newgidmap --------------------------------------------------- */

/* Finds the first line of the user in a file of subuid(5), "NAME:FIRST:COUNT"; false:
 * there is none. */
static bool find_range(const char *file, unsigned long range[2])
{
	const struct passwd *pw = getpwuid(getuid());
	auto_buf text = {0};
	char *rest;
	char *line;

	if (fs_read_file(AT_FDCWD, file, SUBIDS_MAX, &text) < 0)
		return false;
	rest = text.data;
	while ((line = strsep(&rest, "\n"))) {
		const char *name = strsep(&line, ":");

		if (line &&
			(strcmp(name, P("%u", getuid())) == 0 ||
				(pw && strcmp(name, pw->pw_name) == 0)) &&
			sscanf(line, "%lu:%lu", &range[0], &range[1]) == 2)
			return true;
	}
	return false;
}

/* "newuidmap PID 0 ID 1 1 FIRST COUNT". Its messages are discarded, because a failure is
 * handled in another way. */
static _Noreturn void map_by(
	const char *tool, pid_t pid, unsigned id, const unsigned long range[2])
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDERR_FILENO);
	execlp(tool, tool, P("%d", pid), "0", P("%u", id), "1", "1", P("%lu", range[0]),
		P("%lu", range[1]), (char *)NULL);
	_exit(1);
}

/* Runs newuidmap and newgidmap in a child that stays outside, where they must be run. */
static _Noreturn void map_from_outside(int go, pid_t parent)
{
	unsigned long uids[2];
	unsigned long gids[2];
	char byte;
	pid_t pid;

	if (!find_range("/etc/subuid", uids) || !find_range("/etc/subgid", gids) ||
		fs_read_upto(go, &byte, 1) != 1)
		_exit(1);
	pid = fork();
	if (pid == 0)
		map_by("newuidmap", parent, getuid(), uids);
	if (pid < 0 || namespaces_wait(pid) != 0)
		_exit(1);
	map_by("newgidmap", parent, getgid(), gids);
}

/* ---- by itself -------------------------------------------------------------------- */

static int put(const char *file, const char *text)
{
	auto_fd fd = open(file, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fs_write_all(fd, text, strlen(text));
}

static int map_alone(unsigned uid, unsigned gid, bool root)
{
	put("/proc/self/setgroups", "deny");
	if (put("/proc/self/uid_map", P("%u %u 1", root ? 0 : uid, uid)) < 0)
		return -1;
	return put("/proc/self/gid_map", P("%u %u 1", root ? 0 : gid, gid));
}

int userns_enter(bool root, bool *alone, struct ovl_err *err)
{
	unsigned uid = getuid();
	unsigned gid = getgid();
	pid_t parent = getpid();
	int go[2];
	pid_t pid;
	int rc;

	if (pipe2(go, O_CLOEXEC) < 0)
		return err_sys(err, errno, "cannot make a pipe");
	pid = root ? fork() : -1;
	if (pid == 0) {
		close(go[1]);
		map_from_outside(go[0], parent);
	}
	rc = unshare(CLONE_NEWUSER | CLONE_NEWNS);
	if (rc < 0)
		userns_explain(err_sys(err, errno, "cannot make a user namespace"), err);
	else
		fs_write_all(go[1], "", 1);
	/* Not earlier: if the child fails, it has ended by now. */
	close(go[0]);
	close(go[1]);
	*alone = pid < 0 || namespaces_wait(pid) != 0;
	if (rc < 0)
		return -EPERM;
	if (*alone && map_alone(uid, gid, root) < 0)
		return userns_explain(
			err_sys(err, errno, "cannot map the user in a user namespace"),
			err);
	return 0;
}
