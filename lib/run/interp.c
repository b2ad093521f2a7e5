/* SPDX-License-Identifier: ISC */
/* What a program needs to be run; see interp.h. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "run/interp.h"

/* The beginning of a file. In an ELF file the name of the linker is near it. */
struct head {
	char data[4096];
	size_t n;
};

#define OFFSET(wide, type, field) \
	((wide) ? offsetof(Elf64_##type, field) : offsetof(Elf32_##type, field))

/* A number in this machine's order of bytes; 0 if it is not there. */
static uint64_t number(const struct head *h, uint64_t at, size_t size)
{
	uint16_t half = 0;
	uint32_t word = 0;
	uint64_t all = 0;
	void *to = size == 2 ? (void *)&half : size == 4 ? (void *)&word : (void *)&all;

	if (at < h->n && h->n - at >= size)
		memcpy(to, h->data + at, size);
	return half | word | all;
}

static const char *linker_of(const struct head *h)
{
	bool wide = h->data[EI_CLASS] == ELFCLASS64;
	size_t size = wide ? 8 : 4;
	uint64_t at = number(h, OFFSET(wide, Ehdr, e_phoff), size);
	uint64_t each = number(h, OFFSET(wide, Ehdr, e_phentsize), 2);
	uint64_t n = number(h, OFFSET(wide, Ehdr, e_phnum), 2);

	for (; n; n--, at += each) {
		uint64_t name = number(h, at + OFFSET(wide, Phdr, p_offset), size);

		if (number(h, at + OFFSET(wide, Phdr, p_type), 4) == PT_INTERP)
			return name < h->n ? h->data + name : NULL;
	}
	return NULL;
}

/* The interpreter of the file path. */
static bool read_interp(const char *path, char out[PATH_MAX])
{
	struct head h = {.n = 0};
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fs_read_upto(fd, h.data, sizeof(h.data) - 1);
	const char *name = NULL;

	if (n < 0)
		return false;
	h.n = (size_t)n;
	if (memcmp(h.data, ELFMAG, SELFMAG) == 0)
		name = linker_of(&h);
	else if (memcmp(h.data, "#!", 2) == 0)
		name = strtok(h.data + 2, " \t\n");
	return name && snprintf(out, PATH_MAX, "%s", name) < PATH_MAX;
}

static bool is_missing(const char *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

/* The file that exec has tried last. */
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

	/* That of a script may be another script. */
	for (int i = 0; i < 5 && (i || find(command, out)); i++) {
		memcpy(file, out, sizeof(file));
		if (!read_interp(file, out))
			return false;
		if (is_missing(out))
			return true;
	}
	return false;
}
