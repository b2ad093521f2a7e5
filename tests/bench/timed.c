/*
 * Runs commands one after the other and measures what they cost:
 *
 *	timed [-n REPEAT] [-i INPUT] [-o OUTPUT] RESULT TAG COMMAND [ARGUMENT]... [; COMMAND ...]...
 *
 * Appends a line to RESULT: TAG, wall seconds, user seconds, system seconds (of the whole
 * sequence, the mean of REPEAT runs), peak memory of the largest process in KiB,
 * separated by tabs. A command after the word "untimed" is run but not counted. CPU time
 * and memory are from wait4(2): those of the command and its children, not of a daemon
 * that works for it. The commands read INPUT and write OUTPUT (both by default
 * /dev/null).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct cost {
	double wall, user, sys;
	long rss;
};

static const char *in_name = "/dev/null";
static const char *out_name = "/dev/null";

static void die(const char *what)
{
	fprintf(stderr, "timed: %s: %s\n", what, strerror(errno));
	exit(125);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return t.tv_sec + t.tv_usec / 1e6;
}

static pid_t start(char **argv, int in, int out)
{
	/* A copy of this program would count as memory of the command. */
	pid_t pid = vfork();

	if (pid < 0)
		die("vfork");
	if (pid == 0) {
		dup2(in, 0);
		dup2(out, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void run(char **argv, struct cost *c)
{
	int untimed = strcmp(argv[0], "untimed") == 0;
	int in = open(in_name, O_RDONLY | O_CLOEXEC);
	int out = open(out_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	struct rusage use;
	int status;
	double begin;
	pid_t pid;

	if (in < 0 || out < 0)
		die(in < 0 ? in_name : out_name);
	begin = now();
	pid = start(argv + untimed, in, out);
	if (wait4(pid, &status, 0, &use) < 0)
		die("wait4");
	if (!untimed) {
		c->wall += now() - begin;
		c->user += seconds(use.ru_utime);
		c->sys += seconds(use.ru_stime);
		if (use.ru_maxrss > c->rss)
			c->rss = use.ru_maxrss;
	}
	close(in);
	close(out);
	if (status != 0) {
		fprintf(stderr, "timed: %s: ended with %s %d\n", argv[untimed],
			WIFEXITED(status) ? "status" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		exit(1);
	}
}

/* Cuts argv at each ";" and runs what is between them. */
static void run_all(char **argv, struct cost *c)
{
	while (*argv) {
		char **end = argv;
		char *cut;

		while (*end && strcmp(*end, ";") != 0)
			end++;
		cut = *end;
		*end = NULL;
		if (end > argv)
			run(argv, c);
		*end = cut;
		argv = cut ? end + 1 : end;
	}
}

int main(int argc, char **argv)
{
	struct cost c = {0};
	int repeat = 1;
	FILE *result;
	int opt;

	while ((opt = getopt(argc, argv, "+n:i:o:")) != -1) {
		switch (opt) {
		case 'n': repeat = atoi(optarg); break;
		case 'i': in_name = optarg; break;
		case 'o': out_name = optarg; break;
		default: return 125;
		}
	}
	if (argc - optind < 3 || repeat < 1) {
		fputs("usage: timed [-n REPEAT] [-i INPUT] [-o OUTPUT] RESULT TAG COMMAND...\n",
			stderr);
		return 125;
	}
	for (int i = 0; i < repeat; i++)
		run_all(argv + optind + 2, &c);
	result = fopen(argv[optind], "a");
	if (!result)
		die(argv[optind]);
	fprintf(result, "%s\t%.6f\t%.6f\t%.6f\t%ld\n", argv[optind + 1], c.wall / repeat,
		c.user / repeat, c.sys / repeat, c.rss);
	if (fclose(result) != 0)
		die(argv[optind]);
	return 0;
}
