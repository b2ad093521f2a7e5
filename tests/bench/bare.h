/*
 * For the bare_* programs: the system calls of a job that ovlctl does, and nothing else:
 * no locks, no staging, no metadata, no check of anything. They are what ovlctl is
 * measured against. DIR is a directory of the shape of "overlay2" in ovlctl-store(5),
 * an ID a layer's directory in it.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BARE_MAX 4096

static inline void bare_must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	perror(what);
	exit(1);
}

static inline void bare_args(int argc, int want, const char *usage)
{
	if (argc == want)
		return;
	fprintf(stderr, "usage: %s\n", usage);
	exit(2);
}

/* The text of dir/name; empty when there is none. */
static inline void bare_read(const char *dir, const char *name, char out[BARE_MAX])
{
	char path[256];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, out, BARE_MAX - 1);
		bare_must(n, path);
		close(fd);
	}
	out[n] = '\0';
}

#endif
