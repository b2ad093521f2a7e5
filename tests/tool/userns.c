/*
 * Runs a command as root of a new user namespace and mount namespace:
 *
 *	userns FIRST COUNT COMMAND...
 *
 * Ids 0 to COUNT-1 of the namespace are FIRST and up outside.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void map(pid_t pid, const char *file, const char *first, const char *count)
{
	char path[64];
	char text[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	snprintf(text, sizeof(text), "0 %s %s", first, count);
	put(path, text);
}

static void inside(int go, char **argv)
{
	char c;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		die("unshare");
	if (write(go, "u", 1) != 1 || read(go, &c, 1) != 1)
		die("parent");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		die("setuid");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("mount");
	close(go);
	execvp(argv[0], argv);
	die(argv[0]);
}

int main(int argc, char **argv)
{
	int sv[2];
	int status;
	char c;
	pid_t pid;

	if (argc < 4)
		die("usage");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		die("socketpair");
	pid = fork();
	if (pid == 0) {
		close(sv[0]);
		inside(sv[1], argv + 3);
	}
	close(sv[1]);
	if (read(sv[0], &c, 1) != 1)
		die("child");
	map(pid, "uid_map", argv[1], argv[2]);
	map(pid, "gid_map", argv[1], argv[2]);
	if (write(sv[0], "g", 1) != 1)
		die("child");
	if (waitpid(pid, &status, 0) < 0)
		die("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
