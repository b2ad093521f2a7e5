/* SPDX-License-Identifier: ISC */
/* Finds what is missing to run a program; see interp.h. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "run/interp.h"

/* For an ELF file: a path near its beginning that looks like a dynamic linker. */
static const char *find_linker(const char *head, size_t n)
{
	const char *at = head;

	while ((at = memchr(at + 1, '/', n - (size_t)(at + 1 - head)))) {
		if (!at[-1] && strstr(at, "/ld"))
			return at;
	}
	return NULL;
}

/* Gets the interpreter of the file path. */
static bool read_interp(const char *path, char out[PATH_MAX])
{
	char head[4096] = "";
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fs_read_upto(fd, head, sizeof(head) - 1);
	const char *name = NULL;

	if (n > SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		name = find_linker(head, (size_t)n);
	else if (n > 2 && memcmp(head, "#!", 2) == 0)
		name = strtok(head + 2, " \t\n");
	return name && snprintf(out, PATH_MAX, "%s", name) < PATH_MAX;
}

static bool is_missing(const char *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

/* Finds the file that exec tried last. */
static bool find(const char *command, char out[PATH_MAX])
{
	const char *path = getenv("PATH");
	auto_free char *copy = strdup(path ? path : "/bin:/usr/bin");
	char *rest = copy;
	const char *dir;

	if (strchr(command, '/'))
		return snprintf(out, PATH_MAX, "%s", command) < PATH_MAX;
	while (copy && (dir = strsep(&rest, ":"))) {
		int n = snprintf(out, PATH_MAX, "%s/%s", *dir ? dir : ".", command);

		if (n < PATH_MAX && !is_missing(out))
			return true;
	}
	return false;
}

bool interp_missing(const char *command, char out[PATH_MAX])
{
	char file[PATH_MAX];

	/* The interpreter of a script may be another script. */
	for (int i = 0; i < 5 && (i || find(command, out)); i++) {
		memcpy(file, out, sizeof(file));
		if (!read_interp(file, out))
			return false;
		if (is_missing(out))
			return true;
	}
	return false;
}
