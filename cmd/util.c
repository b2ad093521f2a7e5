/* SPDX-License-Identifier: ISC */
/* Small functions that commands share: failures, signals, input files, suggestions,
 * sizes. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"

/* ---- failures ---------------------------------------------------------------------- */

int usage(struct ovl_err *err, const char *fmt, ...)
{
	va_list ap;

	err->status = OVL_USAGE;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

int failed(struct ovl_err *err, const char *fmt, ...)
{
	va_list ap;

	err->status = OVL_FAILED;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

int cannot(struct ovl_err *err, int errnum, const char *what, const char *name)
{
	char shown[512];

	failed(err, "cannot %s '%s': %s", what,
		ovl_escape(shown, sizeof(shown), name, strlen(name)), strerror(errnum));
	return -errnum;
}

/* ---- words ------------------------------------------------------------------------ */

#define LONGEST 32

static int min3(int a, int b, int c)
{
	int m = a < b ? a : b;

	return m < c ? m : c;
}

/* The number of edits between two words: insertions, deletions, replacements, swaps of
 * neighbours. */
static int distance(const char *a, const char *b)
{
	int d[LONGEST + 1][LONGEST + 1];
	int n = (int)strlen(a);
	int m = (int)strlen(b);

	if (n > LONGEST || m > LONGEST)
		return LONGEST;
	for (int i = 0; i <= n; i++)
		d[i][0] = i;
	for (int j = 0; j <= m; j++)
		d[0][j] = j;
	for (int i = 1; i <= n; i++) {
		for (int j = 1; j <= m; j++) {
			int same = a[i - 1] == b[j - 1];

			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				d[i - 1][j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
				a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[n][m];
}

const char *suggest(const char *word, const char *const *names)
{
	const char *best = NULL;
	int least = 1 + (int)strlen(word) / 4;

	for (; *names; names++) {
		int n = distance(word, *names);

		if (n < least || (n == least && !best)) {
			least = n;
			best = *names;
		}
	}
	return best;
}

/* ---- signals ---------------------------------------------------------------------- */

atomic_int stop_signal;

/* The time of the first signal, in nanoseconds. Atomic, because a handler may run in
 * several threads at once. */
static _Atomic uint64_t first_signal;

#define IMPATIENT 500000000u

/*
 * Signals in quick succession are one request: timeout(1), for example, signals its child
 * and then the whole process group. A later signal means that the user does not want to
 * wait for the clean-up. SIGPIPE may simply come again before the writer notices the
 * first one, and the kernel repeats SIGXCPU every second.
 */
static void caught(int sig)
{
	struct timespec t = {0};
	uint64_t first = 0;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	if (atomic_compare_exchange_strong(&first_signal, &first, now)) {
		stop_signal = sig;
	} else if (sig != SIGPIPE && sig != SIGXCPU && now >= first + IMPATIENT) {
		signal(sig, SIG_DFL);
		raise(sig);
	}
}

/* Without SA_RESTART, so that a blocking call returns. */
void signals_catch(void)
{
	static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU, SIGPIPE};
	struct sigaction sa = {.sa_handler = caught};
	struct sigaction old;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (sigaction(all[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(all[i], &sa, NULL);
	}
	/* A file that reaches its size limit is an error to report, not a reason to
	 * die. */
	signal(SIGXFSZ, SIG_IGN);
	/* If the parent ignored it, this program could not wait for its children. */
	signal(SIGCHLD, SIG_DFL);
}

void signals_die(void)
{
	if (!stop_signal)
		return;
	signal(stop_signal, SIG_DFL);
	raise(stop_signal);
}

/* ---- the terminal ------------------------------------------------------------------ */

int terminal_width(int fd)
{
	const char *told = getenv("COLUMNS");
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	return told && atoi(told) > 0 ? atoi(told) : 80;
}

/* ---- sizes and times -------------------------------------------------------------- */

const char *human_size(uint64_t bytes, char out[16])
{
	static const char units[] = "BKMGTPE";
	double v = (double)bytes;
	int u = 0;

	while (v >= 1023.95 && units[u + 1]) {
		v /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(out, 16, "%" PRIu64 "B", bytes);
	else if ((uint64_t)(v * 10 + 0.5) % 10 == 0)
		snprintf(out, 16, "%.0f%c", v, units[u]);
	else
		snprintf(out, 16, "%.1f%c", v, units[u]);
	return out;
}

const char *human_time(int64_t seconds, bool brief, char out[TIME_SIZE])
{
	time_t t = seconds;
	struct tm tm;
	size_t n;

	localtime_r(&t, &tm);
	if (brief) {
		strftime(out, TIME_SIZE, "%Y-%m-%d %H:%M", &tm);
		return out;
	}
	n = strftime(out, TIME_SIZE - 1, "%Y-%m-%dT%H:%M:%S%z", &tm);
	/* turn +0100 into +01:00 */
	memmove(out + n - 1, out + n - 2, 3);
	out[n - 2] = ':';
	return out;
}

int open_input(struct run *run, const char *file)
{
	int fd;

	if (strcmp(file, "-") == 0) {
		if (isatty(STDIN_FILENO) && !run->quiet)
			fprintf(stderr, "ovlctl: %s: reading from the terminal\n",
				run->cmd->name);
		return STDIN_FILENO;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? cannot(run->err, errno, "open", file) : fd;
}

char *layer_path(const struct ovl_store *st, const struct ovl_layer *l)
{
	const char *tree = l->engine_tree;
	const char *last = tree ? strrchr(tree, '/') : NULL;
	char *path;
	int n;

	if (tree)
		n = asprintf(&path, "%s/%.*s", ovl_root(st),
			last ? (int)(last - tree) : 0, tree);
	else
		n = asprintf(&path, "%s/%s/%s", ovl_root(st), l->driver, l->id.s);
	return n < 0 ? NULL : path;
}
