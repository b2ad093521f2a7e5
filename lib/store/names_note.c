/* SPDX-License-Identifier: ISC */
/* The notes of names, in the layers that own them; see names.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/quote.h"
#include "store/names.h"

/* The mode of a note tells its state. */
#define SETTLED 0600
#define PENDING 0700

int names_note(int layer_fd, const char *name, const char *config, struct ovl_err *err)
{
	char file[256];
	auto_fd dir = -1;
	auto_fd fd = -1;
	int rc = name_check(name, file, err);

	if (rc < 0)
		return rc;
	if (fs_mkdir(layer_fd, NAMES_NOTES, 0700) == 0)
		dir = fs_open_dir(layer_fd, NAMES_NOTES);
	if (dir >= 0)
		fd = openat(dir, file,
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			SETTLED);
	if (fd < 0 || (config && fs_pwrite_all(fd, config, ID_LEN, 0) < 0))
		return err_sys(err, errno, "cannot record the name %s", Q(name));
	return 0;
}

int names_note_open(int dir, const char *file)
{
	return openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int names_note_set(int fd, bool pending)
{
	return fchmod(fd, pending ? PENDING : SETTLED);
}

bool names_note_is_pending(int dir, const char *file)
{
	struct stat st;

	return fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		(st.st_mode & 0100);
}

bool names_note_is_still_pending(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink && (st.st_mode & 0100);
}

int names_sync_notes(int layer_fd, struct ovl_err *err)
{
	auto_fd dir = fs_open_dir(layer_fd, NAMES_NOTES);

	if (dir < 0 || fsync(dir) < 0 || fsync(layer_fd) < 0)
		return err_sys(err, errno, "cannot sync the names of a layer");
	return 0;
}

int names_config(
	int layer_fd, const char *name, char hex[ID_LEN + 1], struct ovl_err *err)
{
	auto_buf text = {0};
	char file[256];

	if (!ovl_name_valid(name) || !name_encode(name, file))
		return 0;
	if (fs_read_file(layer_fd, P(NAMES_NOTES "/%s", file), ID_LEN, &text) < 0)
		return fs_is_gone(errno) || errno == EFBIG || errno == EINVAL ?
			0 :
			err_sys(err, errno, "cannot read the record of the name %s",
				Q(name));
	return id_take(text.data, hex);
}

void names_unnote(int layer_fd, const char *file)
{
	auto_fd dir = fs_open_dir(layer_fd, NAMES_NOTES);

	if (dir < 0)
		return;
	unlinkat(dir, file, 0);
	unlinkat(layer_fd, NAMES_NOTES, AT_REMOVEDIR); /* if it was the last */
}
