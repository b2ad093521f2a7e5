/*
 * For the bare_* programs, with which ovlctl is compared. Each makes only the system
 * calls that a command cannot do without: no locks, no staging, no metadata, no checks.
 * DIR is a directory like "overlay2" in ovlctl-store(5), ID the directory of a layer in
 * it.
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

/* The text of dir/name; empty if there is no such file. */
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
