/* SPDX-License-Identifier: ISC */
/* Derives a name from that of the input, for images that only have a tag. */
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/path.h"
#include "image/image.h"
#include "store/names.h"

void image_base(int fd, struct buf *out)
{
	static const char *const packed[] = {".gz", ".zst", ".xz", ".bz2", ".lz4", NULL};
	static const char *const form[] = {".tar", ".oci", ".tgz", ".txz", ".tzst", NULL};
	static const char *const *const suffixes[] = {packed, form};
	auto_buf path = {0};
	const char *name;
	struct stat sb;
	size_t n;

	buf_adds(out, "");
	if (fstat(fd, &sb) < 0 || !sb.st_nlink || S_ISFIFO(sb.st_mode) ||
		fs_path_of(fd, &path) < 0 || *path.data != '/')
		return;
	name = path_base(path.data);
	n = strlen(name);
	for (size_t i = 0; i < 2; i++) {
		for (const char *const *s = suffixes[i]; *s; s++) {
			size_t len = strlen(*s);

			if (n > len && strncmp(name + n - len, *s, len) == 0) {
				n -= len;
				break;
			}
		}
	}
	name_from(name, n, out);
}
