/*
 * Runs a test with a clean environment and a time limit:
 *
 *	bounded SECONDS NAME COMMAND...
 *
 * All signals have their default action and none is blocked, whatever nohup(1) or a shell
 * has set; standard input is empty; the command leads a process group of its own. When
 * the time is over (0: never), the group gets SIGTERM and ten seconds later SIGKILL, and
 * a line says which test failed because of that. What is left of the group at the end is
 * killed. "NAME SECONDS CPU" is appended to the file $OVLCTL_TEST_TIMES: the time that
 * has passed, and the CPU time of all processes that were waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE 10

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start(char **argv)
{
	sigset_t none;
	int sig;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0)
		die("/dev/null");
	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpgid(0, 0);
	execvp(argv[0], argv);
	die(argv[0]);
}

static struct timespec until(double end)
{
	double left = end - now();
	struct timespec t = {0};

	if (left > 0) {
		t.tv_sec = (time_t)left;
		t.tv_nsec = (long)((left - (double)t.tv_sec) * 1e9);
	}
	return t;
}

/* Returns the status of the test. Passes signals on to it, and enforces the time
 * limit. */
static int attend(pid_t pid, const sigset_t *set, double limit, int *late)
{
	double end = now() + (limit > 0 ? limit : 1e9);
	int status;

	for (;;) {
		struct timespec t = until(end);
		int sig = sigtimedwait(set, NULL, &t);

		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		if (sig > 0 && sig != SIGCHLD)
			kill(-pid, sig);
		if (now() < end)
			continue;
		kill(-pid, *late ? SIGKILL : SIGTERM);
		*late = 1;
		end = now() + GRACE;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static double cpu_used(void)
{
	struct rusage use;

	getrusage(RUSAGE_CHILDREN, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
		(double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void note_time(const char *name, double taken)
{
	const char *file = getenv("OVLCTL_TEST_TIMES");
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;

	if (fd >= 0) {
		dprintf(fd, "%s %.1f %.1f\n", name, taken, cpu_used());
		close(fd);
	}
}

int main(int argc, char **argv)
{
	sigset_t set;
	double began = now();
	double limit = argc > 1 ? strtod(argv[1], NULL) : 0;
	int late = 0;
	int status;
	pid_t pid;

	if (argc < 4)
		die("usage: bounded SECONDS NAME COMMAND...");
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		start(argv + 3);
	setpgid(pid, pid);
	status = attend(pid, &set, limit, &late);
	kill(-pid, SIGKILL);
	if (late) {
		fprintf(stderr, "# %s was not done within %g seconds\n", argv[2], limit);
		printf("not ok - %s was not done within %g seconds\n", argv[2], limit);
	}
	note_time(argv[2], now() - began);
	return late ? 124 : status;
}
