/* SPDX-License-Identifier: ISC */
/* Remembers that a layer was mounted with redirects or metacopy. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/redirects.h"
#include "store/store.h"

static const struct {
	unsigned what;
	const char *file;
} notes[] = {{HAS_REDIRECTS, ".redirect"}, {HAS_METACOPY, ".metacopy"}};

#define N_NOTES (sizeof(notes) / sizeof(notes[0]))

unsigned redirects_of(const struct layer *l)
{
	unsigned found = 0;

	/* Other programs do not record it. */
	if (l->foreign && l->meta.kind == OVL_WRITABLE && !l->st->xattrs.user)
		return HAS_REDIRECTS | HAS_METACOPY;
	for (size_t i = 0; i < N_NOTES; i++) {
		struct stat sb;

		if (fstatat(l->fd, notes[i].file, &sb, AT_SYMLINK_NOFOLLOW) == 0)
			found |= notes[i].what;
	}
	return found;
}

int redirects_note(
	const struct layer *l, unsigned what, unsigned *added, struct ovl_err *err)
{
	*added = what & ~redirects_of(l);
	for (size_t i = 0; i < N_NOTES; i++) {
		auto_fd fd = -1;

		if (!(*added & notes[i].what))
			continue;
		fd = openat(l->fd, notes[i].file,
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
		if (fd < 0)
			return err_sys(err, errno, "cannot make '%s' in layer %.12s",
				notes[i].file, l->id.s);
	}
	return 0;
}

void redirects_forget(const struct layer *l, unsigned what)
{
	for (size_t i = 0; i < N_NOTES; i++) {
		if (what & notes[i].what)
			unlinkat(l->fd, notes[i].file, 0);
	}
}
