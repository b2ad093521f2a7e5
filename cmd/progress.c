/* SPDX-License-Identifier: ISC */
/* The progress line of long commands, on a terminal. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"

static const char *what;
static struct timespec started;
static int shown; /* columns of the line on the terminal */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - started.tv_sec) +
		(double)(t.tv_nsec - started.tv_nsec) / 1e9;
}

void progress_start(const char *command)
{
	what = command;
	clock_gettime(CLOCK_MONOTONIC, &started);
}

void progress_show(void *ctx, const struct ovl_progress *p)
{
	double t = now();
	char line[160];
	char done[16], all[16], rate[16];
	int n;

	(void)ctx;
	if (t < 0.5)
		return;
	human_size(p->bytes, done);
	human_size((uint64_t)((double)p->bytes / t), rate);
	n = snprintf(line, sizeof(line), "%s: ", what);
	if (p->bytes)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%s", done);
	if (p->bytes && p->total)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " of %s",
			human_size(p->total, all));
	if (p->bytes)
		n += snprintf(line + n, sizeof(line) - (size_t)n, ", %s/s", rate);
	if (p->entries)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%s%" PRIu64,
			p->bytes ? ", " : "", p->entries);
	if (p->entries && p->all_entries)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " of %" PRIu64,
			p->all_entries);
	if (p->entries)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " entries");
	if (p->layers > 1)
		n += snprintf(line + n, sizeof(line) - (size_t)n, ", %u of %u layers",
			p->layers_done, p->layers);
	if (p->total && p->bytes) {
		uint64_t left = p->total > p->bytes ? p->total - p->bytes : 0;
		unsigned eta = (unsigned)(t * (double)left / (double)p->bytes + 0.5);

		n += snprintf(line + n, sizeof(line) - (size_t)n, ", ETA %u:%02u",
			eta / 60, eta % 60);
	}
	/* A line that wraps would scroll; the last column would wrap it on some. */
	if (n > terminal_width(STDERR_FILENO) - 1)
		n = terminal_width(STDERR_FILENO) - 1;
	fprintf(stderr, "\r%.*s%*s", n, line, shown > n ? shown - n : 0, "");
	fflush(stderr);
	shown = n;
}

void progress_clear(void)
{
	if (!shown)
		return;
	fprintf(stderr, "\r%*s\r", shown, "");
	fflush(stderr);
	shown = 0;
}
